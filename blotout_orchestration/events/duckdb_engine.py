"""The engine in process: reader, kernel and de-duplication for a batch of hours that fits in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pyarrow as pa

from blotout_orchestration.events.batches import HourFiles, HourRows
from blotout_orchestration.events.deduplication import deduplicate, figures
from blotout_orchestration.events.kernel import connect, flatten_lines
from blotout_orchestration.events.reader import LINES_SCHEMA, Chunk, read_chunks

_BATCH_ROWS = 8192
"""Lines handed to DuckDB at once: small files are put together, or each would be a tiny vector of its own."""


def flatten_batch(landing: str, hours: list[HourFiles]) -> HourRows:
    """Rows of the hours' files, de-duplicated, in memory."""
    connection = connect()
    lines = _Lines(read_chunks(landing, [(hour.hour, hour.files) for hour in hours]))
    try:
        flattened = flatten_lines(
            connection, pa.RecordBatchReader.from_batches(LINES_SCHEMA, lines.record_batches())
        )
    except Exception as error:
        raise lines.failure or error from None
    bad = pa.concat_tables([*lines.bad, flattened.bad])
    found = flattened.good.num_rows + bad.num_rows
    result = deduplicate(connection, flattened.good, bad)
    counts = figures(connection, result.core, result.bad)
    connection.close()
    return HourRows(found, result.core, result.bad, Counter(result.duplicates), counts)


class _Lines:
    """Chunks as the record batches that DuckDB pulls while it works on the ones before.

    `bad` gathers what the reader refused; `failure` the reader's error, which DuckDB would pass on as text.
    """

    def __init__(self, chunks: Iterator[Chunk]) -> None:
        self.bad: list[pa.Table] = []
        self.failure: BaseException | None = None
        self._chunks = chunks

    def record_batches(self) -> Iterator[pa.RecordBatch]:
        """The lines; to be read once."""
        try:
            for chunk in self._chunks:
                self.bad.append(chunk.bad)
                yield from chunk.lines.combine_chunks().to_batches(max_chunksize=_BATCH_ROWS)
        except BaseException as error:
            self.failure = error
            raise
