"""Files of rows with a text in each: CSV, TSV, JSON lines, Parquet. What is wrong is one line that quotes no cell.

A file is read again to be counted, scored and written, so that its rows never lie in memory all at once.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import msgspec

from service.labelled import LONGEST_CELL
from service.settings import SettingsError

Cell = str | float | None
Added = Mapping[str, Cell]
"""What is put beside a row's own columns, by name, in the order of the fields."""


class Kind(StrEnum):
    """What a field that is added holds."""

    TEXT = "text"
    NUMBER = "number"


class Field(msgspec.Struct, frozen=True):
    """A column that is added to every row."""

    name: str
    kind: Kind


class Table(Protocol):
    """A file that was found to be of a known format."""

    def columns(self) -> Sequence[str]:
        """Answer the names of its columns; of JSON lines every key that one of them has."""

    def texts(self) -> Iterator[str | None]:
        """Yield the text of each row, None where it has none; raise SettingsError for a row that cannot be read."""

    def write(self, out: BinaryIO, fields: Sequence[Field], added: Iterable[Added], without: Sequence[str]) -> None:
        """Write every row again, without some of its columns and with what is added, the same bytes each time."""


def open_table(path: Path, text: str) -> Table:
    """Answer the table of a file by its name's end; raise SettingsError for a format that is not known."""
    kind = format_of(path)
    if kind == "parquet":
        # Imported here, because only who has such files needs the package.
        from service.bulk.parquet import ParquetTable

        return ParquetTable(path, text)
    return LinesTable(path, text) if kind == "jsonl" else DelimitedTable(path, text)


_LINE_END = "\r\n"
_SPACE = re.compile(r"[ \t\r\n]*")
_FORMATS = {".csv": "csv", ".tsv": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}


def format_of(path: Path) -> str:
    """Answer the format that a name's end tells; raise SettingsError for another."""
    found = _FORMATS.get(path.suffix.lower())
    if found is None:
        raise SettingsError(f"{path}: the name must end in one of {', '.join(_FORMATS)}")
    return found


class DelimitedTable:
    """Comma- or tab-separated values in UTF-8 with a header line; quotes and line ends in cells are theirs."""

    def __init__(self, path: Path, text: str) -> None:
        """Take a file and the column of its texts."""
        self._path, self._text = path, text
        self._delimiter = "\t" if format_of(path) == "tsv" else ","

    def columns(self) -> Sequence[str]:
        """Answer the header; raise SettingsError where there is none, or a name twice."""
        header = next(self._lines(), None)
        if not header:
            raise SettingsError(f"{self._path}: has no header line")
        if repeated := sorted({name for name in header if header.count(name) > 1}):
            raise SettingsError(f"{self._path}: has the column {', '.join(repeated)} more than once")
        return header

    def texts(self) -> Iterator[str | None]:
        """Yield the text of each row."""
        place = self._place(self.columns())
        for row in self._rows():
            yield row[place]

    def write(self, out: BinaryIO, fields: Sequence[Field], added: Iterable[Added], without: Sequence[str]) -> None:
        """Write a header line and the rows, quoted where they must be, lines ended by one sign."""
        header = self.columns()
        kept = [place for place, name in enumerate(header) if name not in without]
        # With both signs as the end of a line both are quoted in cells.
        writer = csv.writer(_Encoding(out), delimiter=self._delimiter, lineterminator=_LINE_END)
        writer.writerow([*(header[place] for place in kept), *(field.name for field in fields)])
        for row, more in zip(self._rows(), added, strict=True):
            writer.writerow([*(row[place] for place in kept), *(_shown(more[field.name]) for field in fields)])

    def _place(self, header: Sequence[str]) -> int:
        if self._text not in header:
            raise SettingsError(f"{self._path}: has no column {self._text}; it has {', '.join(header)}")
        return header.index(self._text)

    def _rows(self) -> Iterator[list[str]]:
        lines = self._lines()
        width = len(next(lines))
        for number, row in enumerate(lines, 1):
            # A blank line is no row, as for every reader of such files; one of spaces is.
            if len(row) != width:
                raise SettingsError(f"{self._path}, row {number}: has {len(row)} cells, and the header {width}")
            yield row

    def _lines(self) -> Iterator[list[str]]:
        csv.field_size_limit(LONGEST_CELL)
        try:
            with self._path.open(encoding="utf-8-sig", newline="") as file:
                # Strict, because a quote that nobody closes would swallow all rows behind it in silence.
                reader = csv.reader(file, delimiter=self._delimiter, strict=True)
                try:
                    yield from filter(None, reader)
                except csv.Error as error:
                    raise SettingsError(f"{self._path}, line {reader.line_num}: it is not CSV ({error})") from None
        except UnicodeDecodeError:
            raise SettingsError(f"{self._path}: it is not text in UTF-8") from None


class _Encoding:
    """What the csv module writes a row to at a time."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out

    def write(self, text: str) -> int:
        return self._out.write(text.removesuffix(_LINE_END).encode() + b"\n")


def _shown(cell: Cell) -> str:
    return "" if cell is None else cell if isinstance(cell, str) else f"{cell:.6f}"


class LinesTable:
    """JSON lines: an object on each, its text under one of its keys; blank lines are no rows."""

    def __init__(self, path: Path, text: str) -> None:
        """Take a file and the key of its texts."""
        self._path, self._text = path, text

    def columns(self) -> Sequence[str]:
        """Answer every key that a line has, in the order of coming."""
        return list(dict.fromkeys(name for row in self._rows() for name in row))

    def texts(self) -> Iterator[str | None]:
        """Yield the text of each line, None where it is null; raise SettingsError where it is absent or no string."""
        for number, row in enumerate(self._rows(), 1):
            found = row.get(self._text, self)
            if found is not None and not isinstance(found, str):
                wrong = "has no" if found is self else "has no string as"
                raise SettingsError(f"{self._path}, row {number}: {wrong} {self._text}")
            yield found

    def write(self, out: BinaryIO, fields: Sequence[Field], added: Iterable[Added], without: Sequence[str]) -> None:
        """Write an object on each line: what it had byte for byte, then what is added."""
        for line, more in zip(self._lines(), added, strict=True):
            kept = b", ".join(_members(line, without)) if without else line[1:-1]
            new = _line({field.name: more[field.name] for field in fields})[1:-1]
            out.write(b"{" + kept + (b", " if kept.strip() else b"") + new + b"}\n")

    def _rows(self) -> Iterator[dict[str, Any]]:
        for number, line in enumerate(self._lines(), 1):
            yield self._row(line, number)

    def _lines(self) -> Iterator[bytes]:
        with self._path.open("rb") as file:
            for line in file:
                stripped = line.removeprefix(b"\xef\xbb\xbf").strip()
                if stripped:
                    yield stripped

    def _row(self, line: bytes, number: int) -> dict[str, Any]:
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            # The message would quote the line, which is somebody's text.
            raise SettingsError(f"{self._path}, row {number}: it is not JSON in UTF-8") from None
        if not isinstance(row, dict):
            raise SettingsError(f"{self._path}, row {number}: it is not an object")
        return row


def _members(line: bytes, without: Sequence[str]) -> Iterator[bytes]:
    """Yield the members of an object that was read before, as they are written, but for those of some names."""
    text, decoder = line.decode(), json.JSONDecoder()
    at = _past_space(text, 1)
    while text[at] != "}":
        name, end = decoder.raw_decode(text, at)
        value_at = _past_space(text, _past_space(text, end) + 1)
        _, end = decoder.raw_decode(text, value_at)
        if name not in without:
            yield text[at:end].encode()
        at = _past_space(text, end)
        if text[at] == ",":
            at = _past_space(text, at + 1)


def _past_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    assert found is not None
    return found.end()


def _line(row: Mapping[str, Any]) -> bytes:
    try:
        return json.dumps(row, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        # Half of a character pair, which came as an escape, can only go as one.
        return json.dumps(row).encode()
