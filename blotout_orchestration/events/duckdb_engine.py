"""The engine in process: reader, kernel and de-duplication for a batch of hours that fits in memory."""

from __future__ import annotations

import queue
import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from blotout_orchestration.events.batches import HourFiles, HourRows
from blotout_orchestration.events.deduplication import deduplicate, figures
from blotout_orchestration.events.kernel import connect, flatten_lines
from blotout_orchestration.events.reader import Chunk, read_chunks


def flatten_batch(landing: str, hours: list[HourFiles]) -> HourRows:
    """Rows of the hours' files, de-duplicated, in memory."""
    connection = connect()
    good: list[pa.Table] = []
    bad: list[pa.Table] = []
    for chunk in _ahead(read_chunks(landing, [(hour.hour, hour.files) for hour in hours])):
        flattened = flatten_lines(connection, chunk.lines)
        good.append(flattened.good)
        bad += [chunk.bad, flattened.bad]
    if not good:
        return HourRows()
    all_good, all_bad = pa.concat_tables(good), pa.concat_tables(bad)
    found = all_good.num_rows + all_bad.num_rows
    result = deduplicate(connection, all_good, all_bad)
    counts = figures(connection, result.core, result.bad)
    connection.close()
    return HourRows(found, result.core, result.bad, Counter(result.duplicates), counts)


def _ahead(chunks: Iterator[Chunk]) -> Iterator[Chunk]:
    """The same chunks, the next one read and unpacked while the kernel works on this one."""
    waiting: queue.Queue[Any] = queue.Queue(maxsize=1)
    abandoned = threading.Event()

    def put(item: Any) -> None:
        while not abandoned.is_set():
            try:
                waiting.put(item, timeout=0.2)
                return
            except queue.Full:
                continue

    def read() -> None:
        try:
            for chunk in chunks:
                put(chunk)
                if abandoned.is_set():
                    return
            put(None)
        except BaseException as error:
            put(error)

    thread = threading.Thread(target=read, name="read-landing", daemon=True)
    thread.start()
    try:
        while (item := waiting.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        abandoned.set()
        thread.join()
