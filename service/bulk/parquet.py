"""Parquet files with a text in each row; the only place that imports pyarrow, which is an extra."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

try:
    import pyarrow
    from pyarrow import parquet
except ModuleNotFoundError:
    pyarrow = None

from service.bulk.tables import Added, Field, Kind
from service.settings import SettingsError

_ROWS = 4096


class ParquetTable:
    """A Parquet file; its columns are written again as they are, whatever they hold."""

    def __init__(self, path: Path, text: str) -> None:
        """Take a file and the column of its texts; SettingsError where it, or the package, is not what it must be."""
        if pyarrow is None:
            raise SettingsError(
                f"{path}: Parquet needs pyarrow; run .venv/bin/pip install pyarrow, or convert the file"
            )
        self._path, self._text = path, text
        try:
            self._schema = parquet.read_schema(path)
        except (pyarrow.ArrowException, OSError) as error:
            raise SettingsError(f"{path}: it is not a Parquet file ({type(error).__name__})") from None
        self._check()

    def _check(self) -> None:
        if self._text not in self._schema.names:
            raise SettingsError(f"{self._path}: has no column {self._text}; it has {', '.join(self._schema.names)}")
        kind = self._schema.field(self._text).type
        value = kind.value_type if pyarrow.types.is_dictionary(kind) else kind
        if not (pyarrow.types.is_string(value) or pyarrow.types.is_large_string(value)):
            raise SettingsError(f"{self._path}: the column {self._text} holds {kind}, not text")

    def columns(self) -> Sequence[str]:
        """Answer the names of the columns."""
        return list(self._schema.names)

    def texts(self) -> Iterator[str | None]:
        """Yield the text of each row."""
        for batch in self._batches([self._text]):
            try:
                found = batch.column(0).to_pylist()
            except UnicodeDecodeError:
                raise SettingsError(f"{self._path}: the column {self._text} is not text in UTF-8") from None
            yield from found

    def write(self, out: BinaryIO, fields: Sequence[Field], added: Iterable[Added], without: Sequence[str]) -> None:
        """Write the rows in groups of one size, so that the same rows are the same bytes."""
        names = [name for name in self._schema.names if name not in without]
        kept = pyarrow.schema([self._schema.field(name) for name in names], metadata=self._schema.metadata)
        whole = kept
        for field in fields:
            whole = whole.append(pyarrow.field(field.name, _TYPES[field.kind]()))
        more = iter(added)
        with parquet.ParquetWriter(out, whole, compression="zstd") as writer:
            for batch in self._batches(names):
                rows = list(islice(more, batch.num_rows))
                columns = [pyarrow.array([row[field.name] for row in rows], _TYPES[field.kind]()) for field in fields]
                writer.write_batch(pyarrow.record_batch([*batch.columns, *columns], schema=whole))

    def _batches(self, names: Sequence[str]) -> Iterator[Any]:
        with parquet.ParquetFile(self._path) as file:
            try:
                yield from file.iter_batches(_ROWS, columns=list(names))
            except (pyarrow.ArrowException, OSError) as error:
                raise SettingsError(f"{self._path}: it cannot be read ({type(error).__name__})") from None


_TYPES = {Kind.TEXT: lambda: pyarrow.string(), Kind.NUMBER: lambda: pyarrow.float64()}
