"""Fit the maps onto Perspective's scale: python -m training.perspective --data DIR --scorer NAME [--out FILE].

Says how far the model and Perspective agree before and after, on the 500 rows that nothing is fitted on. With --out the
maps of the model are put into the file in the place of those that it had; those of other models stay.
"""

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from moderation.agreement import Agreement, agreement
from moderation.calibration import Calibration, log_odds
from moderation.scale import SHIPPED, read_maps
from moderation.scorers import Scorer
from moderation.scores import Attribute
from service.scorers import build_named
from training.corpus import key_of, load_corpus
from training.equating import link
from training.sources import PERSPECTIVE, read_rows

COLUMNS = {
    Attribute.TOXICITY: "TOXICITY@6",
    Attribute.SEVERE_TOXICITY: "SEVERE_TOXICITY@2",
    Attribute.INSULT: "INSULT",
    Attribute.OBSCENE: "PROFANITY",
    Attribute.IDENTITY_ATTACK: "IDENTITY_ATTACK",
    Attribute.THREAT: "THREAT",
    Attribute.SEXUAL_EXPLICIT: "SEXUALLY_EXPLICIT",
}
"""Where Perspective's scores stand: its clients ask for PROFANITY; OBSCENE was an experiment before it."""
HELD_BACK_EVERY = 4
TRAINED_HERE = ("hashed", "compact", "embedded")
"""Models that learned from four fifths of the rows that are not held back, with Perspective's scores as targets."""
_UNSEEN_SHARE = 0.5
_BATCH = 64


class Rated(msgspec.Struct, frozen=True):
    """A comment, what Perspective said of it, and whether it is for measuring alone, or was trained on."""

    text: str
    scores: dict[Attribute, float]
    held_back: bool
    trained: bool = False


def read_rated(data: Path, *, trained_here: bool) -> list[Rated]:
    """Return the comments; left out is what equals a held-back one without being one, and has been seen by no fit."""
    rows = list(read_rows(data / PERSPECTIVE))
    held = {key_of(row["comment_text"]) for row in rows[::HELD_BACK_EVERY]}
    trained = {key_of(one.text) for one in load_corpus(data).train} if trained_here else set()
    return list(_rated(rows, held, trained))


def _rated(rows: Sequence[Mapping[str, str]], held: set[str], trained: set[str]) -> Iterator[Rated]:
    for position, row in enumerate(rows):
        key, held_back = key_of(row["comment_text"]), position % HELD_BACK_EVERY == 0
        if held_back or key not in held:
            scores = {attribute: float(row[column]) for attribute, column in COLUMNS.items()}
            yield Rated(row["comment_text"], scores, held_back, key in trained)


def weights_of(rows: Sequence[Rated]) -> list[float]:
    """Return how much each row counts: where some were trained on, those that were not make up half of the whole.

    A model knows the rows that it was trained on too well; those that it was not are too few to tell of rare scores.
    """
    trained = sum(row.trained for row in rows)
    if trained in (0, len(rows)):
        return [1.0] * len(rows)
    unseen = _UNSEEN_SHARE / (1.0 - _UNSEEN_SHARE) * trained / (len(rows) - trained)
    return [1.0 if row.trained else unseen for row in rows]


def fit(scorer: Scorer, rows: Sequence[Rated], say: Callable[[int], None] = lambda _: None) -> Calibration:
    """Return a map for each attribute that the scorer and Perspective have, fitted on rows that are not held back."""
    kept = [row for row in rows if not row.held_back]
    values, weights = values_of(scorer, kept, say), weights_of(kept)
    return Calibration(
        scorer.model_id,
        {
            attribute: link([one[attribute] for one in values], [row.scores[attribute] for row in kept], weights)
            for attribute in scorer.attributes
        },
    )


def values_of(scorer: Scorer, rows: Sequence[Rated], say: Callable[[int], None]) -> list[dict[Attribute, float]]:
    """Return what the scorer says of each row."""
    found: list[dict[Attribute, float]] = []
    for first in range(0, len(rows), _BATCH):
        scores = scorer.score([row.text for row in rows[first : first + _BATCH]])
        found += [one.values for one in scores]
        say(len(found))
    return found


class Compared(msgspec.Struct, frozen=True):
    """How far a model and Perspective agree on one harm, as the model says it and on Perspective's scale."""

    attribute: Attribute
    before: Agreement
    after: Agreement


def compare(
    scorer: Scorer, rows: Sequence[Rated], maps: Calibration, say: Callable[[int], None] = lambda _: None
) -> list[Compared]:
    """Return the agreement on the held-back rows; no map was fitted on any of them, and no model trained."""
    kept = [row for row in rows if row.held_back]
    values = values_of(scorer, kept, say)
    found = []
    for attribute in scorer.attributes:
        theirs, ours = [row.scores[attribute] for row in kept], [one[attribute] for one in values]
        scale = maps.maps[attribute]
        after = [scale.apply(log_odds(value)) for value in ours]
        found.append(Compared(attribute, agreement(ours, theirs), agreement(after, theirs)))
    return found


def put(path: Path, fitted: Calibration) -> None:
    """Write a model's maps into a file in the place of those that it had, ordered by model."""
    former = read_maps(path) if path.exists() else ()
    every = sorted([fitted, *(one for one in former if one.model_id != fitted.model_id)], key=lambda one: one.model_id)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(every), indent=1) + b"\n")


def lines_of(compared: Sequence[Compared]) -> Iterator[str]:
    """Yield a table: each harm in two lines, before and after."""
    thresholds = [one.threshold for one in compared[0].before.at]
    heads = "".join(f"{f'agree at {threshold:g}':>15}{'ours/theirs':>13}" for threshold in thresholds)
    yield f"{'':26}{'Spearman':>9}{'distance':>10}{heads}"
    for one in compared:
        for name, figures in ((f"{one.attribute}, before", one.before), (f"{one.attribute}, after", one.after)):
            cells = "".join(f"{at.agree:>15.3f}{f'{at.ours}/{at.theirs}':>13}" for at in figures.at)
            yield f"{name:26}{figures.spearman:>9.3f}{figures.mean_distance:>10.3f}{cells}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Fit, print the agreement on held-back rows, and write the maps where --out says so."""
    parser = argparse.ArgumentParser(prog="python -m training.perspective", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds the public data folders")
    parser.add_argument("--scorer", required=True, help="hashed, compact, detoxify:NAME or onnx:PATH")
    parser.add_argument("--models-home", type=Path, default=Path("models"), help="where pulled models lie")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, nargs="?", const=SHIPPED, help="the file of maps; the shipped one")
    options = parser.parse_args(arguments)
    scorer = build_named(options.scorer, threads=options.threads, models_home=options.models_home)
    rows = read_rated(options.data, trained_here=options.scorer in TRAINED_HERE)
    kept = [row for row in rows if not row.held_back]
    print(f"{scorer.model_id}: fitted on {len(kept)} rows, {sum(row.trained for row in kept)} of them trained on")
    fitted = fit(scorer, rows)
    print(f"measured on {len(rows) - len(kept)} rows that were never trained or fitted on", flush=True)
    for line in lines_of(compare(scorer, rows, fitted)):
        print(line)
    if options.out is not None:
        put(options.out, fitted)
        print(f"maps {fitted.version} of {fitted.model_id} written to {options.out}")


if __name__ == "__main__":
    main()
