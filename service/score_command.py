"""`score`: a file of texts in, the same file with scores out; needs neither database nor Redis."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from service.bulk.journal import Journal
from service.bulk.progress import Progress
from service.bulk.score import (
    PERSPECTIVE,
    PROBABILITY,
    Model,
    Wanted,
    fields_of,
    job_of,
    journal_of,
    model_on,
    score_into,
    write_out,
)
from service.bulk.tables import Table, format_of, open_table
from service.scorers import build_scorer, digest_of
from service.settings import Settings, SettingsError


def add_score(subparsers: Any) -> None:
    """Add `score` to the command line."""
    text = "score a file of texts: CSV, TSV, JSON lines or Parquet in, the same with scores out"
    parser = subparsers.add_parser("score", help=text, description=text)
    add = parser.add_argument
    add("source", type=Path, metavar="IN", help="ends in .csv, .tsv, .jsonl, .ndjson or .parquet")
    add(
        "--out",
        type=Path,
        required=True,
        metavar="OUT",
        help="of the same format; OUT.part keeps a run that breaks off",
    )
    add("--text", default="text", metavar="COLUMN", help="the column, or key, of the texts")
    add("--scorer", metavar="NAME", help="a name that SCORER takes, in place of it")
    add("--scale", choices=[PROBABILITY, PERSPECTIVE], default=PROBABILITY,
        help="what the model says, or that on the scale of Perspective's scores")  # fmt: skip
    add("--any-language", action="store_true", help="score texts that are in no language of the model too")
    add("--prefix", default="", metavar="WORD", help="put before the name of each column that is added")
    add("--without", action="append", default=[], metavar="COLUMN", help="leave a column out; may be repeated")
    add("--restart", action="store_true", help="begin anew, over OUT and what a run has left")
    parser.set_defaults(run=_score)


def _score(options: argparse.Namespace, settings: Settings) -> int:
    wanted = Wanted(options.text, options.scale, options.any_language, options.prefix, tuple(options.without))
    source, out, journal_path = options.source, options.out, journal_of(options.out)
    try:
        _check_places(source, out)
        if out.exists() and not journal_path.exists() and not options.restart:
            raise SettingsError(f"{out}: is there already; --restart writes it anew")
        table = open_table(source, options.text)
        scorer = build_scorer(settings, options.scorer)
        model = model_on(scorer, digest_of(scorer), options.scale)
        fields_of(model, wanted, table.columns())
        # Read to its end before the first text is scored: a broken row is told now and not after hours.
        total = sum(1 for _ in table.texts())
        with Journal(journal_path, job_of(source, model, wanted), restart=options.restart) as journal:
            counted = _run(journal, table, model, wanted, out, total)
            journal_path.unlink()
    except OSError as error:
        raise SettingsError(f"{error.filename or out}: cannot be read or written ({error.strerror})") from None
    _tell(counted, model, out)
    return 0


def _check_places(source: Path, out: Path) -> None:
    if not source.is_file():
        raise SettingsError(f"{source}: there is no such file")
    if format_of(source) != format_of(out):
        raise SettingsError(f"{out}: must be of the format of {source}")
    if out.exists() and out.samefile(source):
        raise SettingsError(f"{out}: is the input itself")


def _run(journal: Journal, table: Table, model: Model, wanted: Wanted, out: Path, total: int) -> Counter[str]:
    if journal.rows:
        _say(f"going on after {journal.rows:,} rows of an earlier run")
    progress = Progress(sys.stderr, time.monotonic, total=total, done=journal.rows, unit="rows")
    score_into(journal, table, model, wanted, progress.reach)
    progress.end()
    return write_out(journal, table, model, wanted, out)


def _tell(counted: Counter[str], model: Model, out: Path) -> None:
    left = "".join(f", {count:,} not ({reason})" for reason, count in sorted(counted.items()) if reason)
    _say(f"{out}: {counted['']:,} rows scored{left}, by {model.scorer.model_id} (sha256 {model.digest}), {model.scale}")


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
