"""The commands on models: they need neither database nor Redis, and torch only where a model is exported."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moderation.scores import ScorerError
from service.cores import cores_present
from service.model_pull_command import add_list, add_pull
from service.settings import Settings, SettingsError

if TYPE_CHECKING:
    from moderation.scorers.variants import Attempt

VARIANTS = ("fp32", "int8")


def add_model_commands(subparsers: Any) -> None:
    """Add the group `model` to the command line."""
    group = subparsers.add_parser("model", help="models: get one, export one").add_subparsers(
        metavar="ACT", required=True
    )
    add_pull(group)
    add_list(group)
    _add_export(group)


def _add_export(group: Any) -> None:
    export = group.add_parser(
        "export",
        help="write a Detoxify model as a folder that runs without torch, and prove that it scores the same",
        description="Writes DIR/MODEL-fp32 and DIR/MODEL-int8; SCORER=onnx:DIR/MODEL-int8 then runs it.",
    )
    export.add_argument("name", metavar="NAME", help="original, unbiased, multilingual, or the path of a checkpoint")
    export.add_argument("--out", metavar="DIR", type=Path, help="where the folders are written; the models' home")
    export.add_argument("--variant", choices=(*VARIANTS, "both"), default="both")
    export.add_argument("--bound", metavar="P", type=float, help="largest difference in probability; the mean: P/5")
    export.add_argument("--texts", metavar="FILE", type=Path, help="texts to prove it on, one on a line, in UTF-8")
    export.set_defaults(run=_export)


def _export(options: argparse.Namespace, settings: Settings) -> int:
    from moderation.scorers.detoxify_opening import open_model
    from moderation.scorers.export import source_of
    from moderation.scorers.proof import Bound
    from moderation.scorers.proof_texts import TEXTS
    from moderation.scorers.variants import BOUNDS, Variant, write_variants

    texts = TEXTS if options.texts is None else _lines_of(options.texts)
    wanted = VARIANTS if options.variant == "both" else (options.variant,)
    if options.bound is not None and not 0 < options.bound < 1:
        raise SettingsError("--bound: must be a difference in probability, between 0 and 1")
    bounds = {
        variant: BOUNDS[variant] if options.bound is None else Bound(options.bound) for variant in map(Variant, wanted)
    }
    try:
        opened = open_model(
            options.name.removeprefix("detoxify:"),
            models_home=settings.models,
            threads=cores_present(),
            trusted_digest=settings.scorer_trusted_digest,
        )
        out = settings.models if options.out is None else options.out
        written = write_variants(source_of(opened), out, bounds, texts, _print_attempt)
    except ScorerError as error:
        raise SettingsError(str(error)) from None
    except ModuleNotFoundError as missing:
        raise SettingsError(f"{missing.name} is not installed; run `make model` for it") from None
    for path in written.values():
        _out(f"written: {path}")
    if left := [variant for variant in bounds if variant not in written]:
        raise SettingsError(
            f"not written: {', '.join(left)}, because a difference is over the bound; a wider one is for --bound"
        )
    return 0


def _lines_of(path: Path) -> Sequence[str]:
    try:
        return [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except OSError as error:
        raise SettingsError(f"--texts: {path} cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise SettingsError(f"--texts: {path} is not text in UTF-8") from None


def _print_attempt(attempt: Attempt) -> None:
    kept = f", in full: {', '.join(attempt.kept)}" if attempt.kept else ""
    _out(f"{attempt.variant}{kept} (bound: largest {attempt.bound.largest:g}, mean {attempt.bound.mean:g})")
    _out(f"  {'label':<16} {'largest':>10} {'mean':>10} {'rank':>8}")
    for one in attempt.differences:
        over = "" if one.within(attempt.bound) else "  over the bound"
        _out(f"  {one.label:<16} {one.largest:>10.2e} {one.mean:>10.2e} {one.rank:>8.5f}{over}")


def _out(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
