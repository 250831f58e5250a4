"""Labelled texts from a CSV file; what is wrong with one is said in one line that never quotes a cell."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from service.settings import SettingsError

#: The longest cell that is read, in characters.
LONGEST_CELL = 16 * 1024 * 1024
_TRUE = frozenset({"1", "1.0", "true", "yes", "toxic", "bad", "hateful"})
_FALSE = frozenset({"0", "0.0", "false", "no", "nontoxic", "non-toxic", "not_bad", "non-hateful"})


class Labelled(msgspec.Struct, frozen=True):
    """A text, whether it is what the label speaks of, and the other columns that were asked for."""

    text: str
    label: bool
    more: dict[str, str]


def read_labelled(path: Path, *, text: str, label: str, more: Sequence[str] = ()) -> list[Labelled]:
    """Answer the rows of a file with a header line, tab-separated when its name ends so; raise SettingsError.

    A column of `more` that the file does not have is left out.
    """
    csv.field_size_limit(LONGEST_CELL)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, delimiter="\t" if path.suffix == ".tsv" else ",")
            columns = list(reader.fieldnames or ())
            if missing := [name for name in (text, label) if name not in columns]:
                raise SettingsError(
                    f"{path}: has no column {', '.join(missing)}; it has {', '.join(columns) or 'none'}"
                )
            rows = list(_rows(path, reader, text, label, [name for name in more if name in columns]))
    except FileNotFoundError:
        raise SettingsError(f"{path}: there is no such file") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{path}: it is not text in UTF-8") from None
    except OSError as error:
        raise SettingsError(f"{path}: it cannot be read ({error.strerror})") from None
    except csv.Error as error:
        raise SettingsError(f"{path}: it is not CSV ({error})") from None
    if not rows:
        raise SettingsError(f"{path}: has no rows")
    return rows


def _rows(path: Path, reader: csv.DictReader[str], text: str, label: str, more: Sequence[str]) -> Iterator[Labelled]:
    for row in reader:
        said = (row[label] or "").strip().lower()
        if said not in _TRUE and said not in _FALSE:
            # The cell is not quoted: with a wrong column named, or a broken line, it is somebody's text.
            raise SettingsError(f"{path}, line {reader.line_num}: the label is not 0, 1, true or false")
        if row[text] is None:
            raise SettingsError(f"{path}, line {reader.line_num}: has no text")
        yield Labelled(row[text], said in _TRUE, {name: (row[name] or "").strip() for name in more})
