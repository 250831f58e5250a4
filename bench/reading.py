"""The cells of reading: pages in every form, counts, and growing numbers of clients."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from bench import asked, field
from bench.asked import always
from bench.cells import USUAL_CLIENTS, Cell, Pace, Side
from bench.field import Floor, Isso, Ours
from bench.kept import written
from bench.processes import memory_mib, tree
from bench.same_comments import large, small

CLIENTS = (1, 8, 64, 256)
_MIDDLE = 1_000
#: More than any side can answer in a second.
_NOT_KEPT_A_SECOND = 3_000


class Stage:
    """Everything that is read from, up at once."""

    def __init__(self, ours: Ours, before: Ours | None, floor: Floor, counted: list[str]) -> None:
        self.ours, self.floor = ours, floor
        self._before, self._counted = before, counted

    def cells(self, wanted: set[str], issos: dict[str, Isso], sizes: tuple[int, ...], pace: Pace) -> list[Cell]:
        """Answer the cells of pages, counts and of growing numbers of clients."""
        found = list[Cell]()
        for size in sizes:
            isso = issos[str(size)].side if str(size) in issos else None
            if "pages" in wanted:
                found += [*self._pages(size, isso), *self._slowly(size, isso, pace)]
            if "counts" in wanted:
                found += self._counts(size, isso)
        if "growth" in wanted:
            isso = issos[str(_MIDDLE)].side if issos else None
            found += [cell for clients in CLIENTS for cell in self._plain(_MIDDLE, isso, "growth", clients)]
        return found

    def memory(self, issos: dict[str, Isso]) -> dict[str, Any]:
        """Answer what the sides hold after they were read from."""
        floors = {side.name: memory_mib(tree(side.process)) for side in self._floors()}
        rivals = {f"isso, {name}": one.memory() for name, one in issos.items()}
        return {"colloquy, hashed, after reading": self.ours.memory()} | floors | rivals

    def _floors(self) -> list[Side]:
        return [side for side in (self.floor.bare, self.floor.nginx) if side]

    def _pages(self, size: int, isso: Side | None) -> Iterator[Cell]:
        yield from self._plain(size, isso, "pages", USUAL_CLIENTS)
        yield from self._kept(size, "gzip")
        yield from self._kept(size, "304")

    def _plain(self, size: int, isso: Side | None, part: str, clients: int) -> Iterator[Cell]:
        yield from self._kept(size, "page", part, clients)
        if isso:
            yield Cell(part, "page", isso, size, clients, always(asked.isso_page(large(size))))

    def _kept(self, size: int, kind: str, part: str = "pages", clients: int = USUAL_CLIENTS) -> Iterator[Cell]:
        path = f"/{size}/{kind}"
        if path not in self.floor.answers:
            return
        status = self.floor.answers[path].status
        ask = field.asks_of_ours(size, kind, self.floor.answers[f"/{size}/page"].header("etag") or "")
        yield Cell(part, kind, self.ours.side, size, clients, always(ask), status)
        # Whether another checkout compresses is not known.
        if self._before and part == "pages" and kind != "gzip":
            yield Cell(part, kind, self._before.side, size, clients, always(ask), status)
        yield Cell(part, kind, self.floor.bare, size, clients, always(written("GET", path)), status)
        if self.floor.nginx:
            ask_nginx = field.asks_of_nginx(self.floor.nginx, size, kind)
            yield Cell(part, kind, self.floor.nginx, size, clients, ask_nginx, status)

    def _slowly(self, size: int, isso: Side | None, pace: Pace) -> Iterator[Cell]:
        """One client alone, whose times are those of the answer without a line before it; and pages not kept ready."""
        not_kept = asked.pages_not_kept(large(size), _NOT_KEPT_A_SECOND * pace.seconds)
        yield Cell("pages", "not kept", self.ours.side, size, USUAL_CLIENTS, not_kept)
        yield Cell("pages", "not kept", self.ours.side, size, 1, not_kept)
        yield from self._plain(size, isso, "pages", 1)

    def _counts(self, size: int, isso: Side | None) -> Iterator[Cell]:
        pages = [large(size), *self._counted]
        yield Cell("counts", "counts", self.ours.side, size, USUAL_CLIENTS, always(asked.counts(pages)))
        yield Cell("counts", "counts", self.floor.bare, size, USUAL_CLIENTS, always(written("GET", "/counts")))
        if isso:
            yield Cell("counts", "counts", isso, size, USUAL_CLIENTS, always(asked.isso_counts(pages)))


@contextmanager
def reading(before_from: Path | None, folder: Path, file: Path, sizes: tuple[int, ...]) -> Iterator[Stage]:
    """Serve Colloquy, the floors, and with `before` the API of another checkout, until the block ends."""
    counted = small(asked.COUNTED - 1)
    with ExitStack() as stack:
        before = None
        if before_from:
            copy = field.copied(file, folder / "before.db")
            other = field.running_ours(copy, field.QUICKEST, checkout=before_from, name="before")
            before = stack.enter_context(other)
        ours = stack.enter_context(field.running_ours(field.copied(file, folder / "reading.db"), field.QUICKEST))
        floor = stack.enter_context(field.running_floor(ours, sizes, asked.counts([large(sizes[0]), *counted])))
        yield Stage(ours, before, floor, counted)
