"""`calibrate`: fit what the model says to probabilities, from labelled texts, decisions, or suggested scores."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from moderation.agreement import THRESHOLDS
from moderation.reliability import FOLDS, Bin, CalibrationError, Report
from moderation.scorers import Scorer, ScorerError
from moderation.scores import Attribute
from service.flow import calibrate, suggested
from service.flow.context import Context, Row
from service.flow.identify import find_site
from service.labelled import read_labelled
from service.scorers import build_scorer
from service.settings import SettingsError

Act = Callable[[Context, argparse.Namespace], Awaitable[None]]
Runner = Callable[[Act], Any]
_BATCH = 256
_SAY_EVERY_SECONDS = 5.0
BIASED = (
    "Of these rows a person decided every one, and people mostly see what was held: below the hold threshold the map "
    "is a guess, and a model that holds too little cannot be seen here. Labelled texts (--csv) have no such gap."
)


SUGGESTED = (
    "Systems report what their moderators looked at, which is mostly what scored high: below that the map is a guess. "
    "Labelled texts (--csv) have no such gap."
)


def add_calibrate(subparsers: Any, runner: Runner) -> None:
    """Add `calibrate`, `calibrate list` and `calibrate retire` to the command line."""
    text = "fit a model's scores to probabilities, from labelled texts or a site's decisions"
    parser = subparsers.add_parser("calibrate", help=text, description=text)
    add = parser.add_argument
    add("--site", metavar="SLUG", help="for this site, from its decisions unless --csv is given; else for all sites")
    add("--csv", type=Path, metavar="FILE", help="texts with labels 0 and 1, scored now by the model of SCORER")
    add("--text", default="text", metavar="COLUMN", help="the column of the texts")
    add("--label", default="label", metavar="COLUMN", help="the column of the labels")
    add("--attribute", default="toxicity", choices=[one.value for one in Attribute], help="which score is fitted")
    add("--model", metavar="ID", help="with decisions: the model whose stored scores are fitted; else that of SCORER")
    add("--reason", action="append", default=[], metavar="CODE",
        help="with decisions: only what was taken down for this reason counts as 1; may be repeated")  # fmt: skip
    add("--suggestions", action="store_true",
        help="with --site: from the labels that came by suggestscore, and how good the model is by them")  # fmt: skip
    add("--community", metavar="ID", help="with --suggestions: only those of one communityId")
    add("--dry-run", action="store_true", help="only print the report")
    add("--force", action="store_true", help="store it although held-out rows show no gain")
    parser.set_defaults(run=runner(_calibrate))
    acts = parser.add_subparsers(metavar="[ACT]")
    acts.add_parser("list", help="list all calibrations with their figures").set_defaults(run=runner(_list))
    show = acts.add_parser("show", help="print the reliability tables that a calibration was stored with")
    show.add_argument("id")
    show.set_defaults(run=runner(_show))
    retire = acts.add_parser("retire", help="end a calibration, from the next batch on")
    retire.add_argument("id")
    retire.set_defaults(run=runner(_retire))


async def _calibrate(context: Context, options: argparse.Namespace) -> None:
    site = None if options.site is None else await find_site(context, options.site)
    attribute = Attribute(options.attribute)
    model_id, rows = await _rows(context, site, attribute, options)
    _say(f"model {model_id}, attribute {attribute}: {len(rows.labels)} rows of {rows.source}, {sum(rows.labels)} are 1")
    if rows.source == suggested.SOURCE:
        _say(SUGGESTED)
    if rows.source == "decisions":
        reasons = ", ".join(f"{code} {count}" for code, count in rows.reasons.items())
        _say(f"taken down for: {reasons or 'nothing'}")
        _say(BIASED)
    try:
        fitted = calibrate.fit(model_id, attribute, rows)
    except CalibrationError as error:
        raise SettingsError(f"no calibration is fitted: {error}") from None
    for line in report_lines(fitted.report):
        _say(line)
    await _store(context, site, fitted, options)


async def _rows(
    context: Context, site: Row | None, attribute: Attribute, options: argparse.Namespace
) -> tuple[str, calibrate.Rows]:
    """Answer the model and its rows: of a file, scored now, or of decisions or suggestions, as scored then."""
    if options.suggestions:
        return await _suggested(context, site, attribute, options)
    if options.community is not None:
        raise SettingsError("--community goes with --suggestions")
    if options.csv is not None:
        if options.model is not None or options.reason:
            raise SettingsError("--model and --reason go with decisions, and --csv brings labels")
        scorer = build_scorer(context.settings)
        return scorer.model_id, labelled_rows(scorer, attribute, options)
    if site is None:
        raise SettingsError("calibrate needs --site SLUG, --csv FILE, or both")
    model_id = options.model or build_scorer(context.settings).model_id
    return model_id, await calibrate.decided_rows(context, site, model_id, attribute, options.reason)


async def _suggested(
    context: Context, site: Row | None, attribute: Attribute, options: argparse.Namespace
) -> tuple[str, calibrate.Rows]:
    """Answer the rows of suggested scores, after telling how well the model fits those of each community."""
    if site is None or options.csv is not None or options.reason:
        raise SettingsError("--suggestions goes with --site, without --csv and --reason")
    model_id = options.model or build_scorer(context.settings).model_id
    found = await suggested.labelled(context, site, attribute, options.community)
    for line in community_lines(suggested.quality(model_id, found)):
        _say(line)
    return model_id, suggested.rows_of(model_id, found)


def community_lines(communities: Sequence[suggested.Community]) -> Iterator[str]:
    """Yield a table: of each community how many texts were labelled, and how the model ranks and cuts them."""
    if not communities:
        yield "no suggested scores yet"
        return
    width = max(len(_named(one)) for one in communities)
    heads = "".join(f"{f'found at {threshold:g}':>14}{'right':>8}" for threshold in THRESHOLDS)
    yield f"{'community':{width}}{'labels':>8}{'scored':>8}{'are 1':>8}{'AUC':>8}{'ECE':>8}{heads}"
    for one in communities:
        cells = "".join(f"{_share(at.found):>14}{_share(at.shared):>8}" for at in one.at)
        figures = f"{one.labels:>8}{one.scored:>8}{one.positive:>8}{_share(one.auc):>8}{_share(one.ece):>8}"
        yield f"{_named(one):{width}}{figures}{cells}"


def _named(one: suggested.Community) -> str:
    # A client's own word, which may hold what moves a terminal's cursor.
    return "".join(sign if sign.isprintable() else "?" for sign in one.name) or "(none)"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


async def _store(context: Context, site: Row | None, fitted: calibrate.Fitted, options: argparse.Namespace) -> None:
    if options.dry_run:
        _say("nothing was stored (--dry-run)")
        return
    if not fitted.report.improves and not options.force:
        raise SettingsError("nothing was stored, since held-out rows are worse after than before; --force stores it")
    stored = await calibrate.store(context, "cli", site, fitted)
    replaced = f" in place of {stored.former}" if stored.former else ""
    _say(f"{stored.version} is in force for {options.site or 'every site without its own'}{replaced}; id {stored.id}")
    _say("Thresholds of policies now mean these probabilities, from the next batch on: look at them again.")


def labelled_rows(scorer: Scorer, attribute: Attribute, options: argparse.Namespace) -> calibrate.Rows:
    """Answer the rows of a CSV file with what the model says of them now."""
    if attribute not in scorer.attributes:
        known = ", ".join(scorer.attributes)
        raise SettingsError(f"--attribute: {scorer.model_id} does not score {attribute}; it scores {known}")
    rows = read_labelled(options.csv, text=options.text, label=options.label)
    values: list[float] = []
    said_at = time.monotonic()
    try:
        for first in range(0, len(rows), _BATCH):
            batch = [row.text for row in rows[first : first + _BATCH]]
            values += [scores.values[attribute] for scores in scorer.score(batch)]
            if time.monotonic() - said_at > _SAY_EVERY_SECONDS:
                said_at = time.monotonic()
                sys.stderr.write(f"{len(values)} of {len(rows)} rows scored\n")
    except ScorerError as error:
        raise SettingsError(f"{options.csv}: cannot be scored ({error})") from None
    return calibrate.Rows(values, [row.label for row in rows], "labels")


def report_lines(report: Report) -> Iterator[str]:
    """Yield the reliability tables side by side, and the figures before and after."""
    yield f"{'':13}{'before':^30}{'after, held out':^30}".rstrip()
    yield f"{'probability':13}{'rows':>8}{'mean':>9}{'rate':>9}{'':4}{'rows':>8}{'mean':>9}{'rate':>9}"
    for before, after in zip(report.before.table, report.after.table, strict=True):
        yield f"{before.low:.1f} to {before.high:.1f}   {_cells(before)}{'':4}{_cells(after)}"
    yield f"expected calibration error {report.before.ece:.4f} before, {report.after.ece:.4f} after"
    yield f"log loss {report.before.log_loss:.4f} before, {report.after.log_loss:.4f} after"
    yield f"map: {report.kind}, chosen by log loss over {FOLDS} held-out folds"


def _cells(one: Bin) -> str:
    return f"{one.count:>8}" + "".join(
        "        -" if cell is None else f"{cell:>9.3f}" for cell in (one.mean, one.rate)
    )


async def _list(context: Context, _options: argparse.Namespace) -> None:
    _say(msgspec.json.format(msgspec.json.encode(await calibrate.listed(context))).decode())


async def _show(context: Context, options: argparse.Namespace) -> None:
    row, reports = await calibrate.shown(context, options.id)
    for attribute, report in reports.items():
        _say(f"{row.version}: model {row.model_id}, attribute {attribute}: {report.rows} rows, {report.positive} are 1")
        for line in report_lines(report):
            _say(line)


async def _retire(context: Context, options: argparse.Namespace) -> None:
    row = await calibrate.retire(context, "cli", options.id)
    _say(f"{row.version} of {row.model_id} is retired")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
