"""The spans of a batch: one of its own, linked to what each comment came from, and one in each comment's own trace."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from service import tracing
from service.queue.scoring import Entry


@contextmanager
def traced(entries: Sequence[Entry]) -> Iterator[None]:
    """Trace what is done with entries in the block; what becomes of a comment is found in the trace of its submit.

    An entry without a place of its own, from the sweep or from a process that traces nothing, is found in the batch's.
    """
    if not tracing.is_on():
        yield
        return
    known = {entry.revision_id: entry.trace for entry in entries if tracing.parsed(entry.trace) and entry.trace}
    links = list(dict.fromkeys(known.values()))
    with tracing.span("decide batch", kind="consumer", links=links, comments=len(entries)) as batch:
        back = [batch.traceparent] if batch.traceparent else []
        opened = {
            revision_id: tracing.begin(
                "decide comment", kind="consumer", parent=parent, links=back, revision_id=revision_id
            )
            for revision_id, parent in known.items()
        }
        try:
            with tracing.carrying({one: span.traceparent or "" for one, span in opened.items()}):
                yield
        except BaseException as error:
            for span in opened.values():
                span.failed(type(error).__name__)
            raise
        finally:
            for span in opened.values():
                span.end()
