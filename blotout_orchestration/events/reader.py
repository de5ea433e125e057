"""Landed files as raw lines: the one way in for both engines.

Belongs here: opening, decompressing, splitting into lines, and what a damaged file leaves behind. What a
line means is the kernel's business.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa
from pyarrow import fs as pafs

from blotout_orchestration.events.contract import BAD_EVENTS, PROCESSOR_VERSION
from blotout_orchestration.lake.layers import LandedFile, filesystem

LINE_LIMIT = 64 << 20
"""Longest line that is flattened, bytes. A longer one is refused (`line_too_long`): what is above is an
unpacking bomb rather than a request, and would take the memory of the whole batch."""
EXCERPT = 4096
CHUNK_BYTES = 32 << 20
_BLOCK = 4 << 20
_GZIP_MAGIC = b"\x1f\x8b"
_BLANK = b" \t\r\n"
Refuse = Callable[[int, str, str, bytes], dict[str, object]]
"""Makes a row of bad_events from line number, reason, detail and raw bytes."""

LINES_SCHEMA = pa.schema(
    [
        ("arrival_hour", pa.timestamp("us", tz="UTC")),
        ("landing_file", pa.string()),
        ("landing_line", pa.int32()),
        ("line", pa.string()),
    ]
)


class DamagedFileError(Exception):
    """A compressed file that ends early or does not unpack; `reason` is the one of bad_events."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


@dataclass(frozen=True)
class Chunk:
    """Some lines (`LINES_SCHEMA`) and what could not become a line (bad_events schema)."""

    lines: pa.Table
    bad: pa.Table


def read_chunks(
    landing: str, hours: Iterable[tuple[datetime, list[LandedFile]]], chunk_bytes: int = CHUNK_BYTES
) -> Iterator[Chunk]:
    """The lines of the hours' files, in order, in chunks of about `chunk_bytes` of text.

    Lines keep their line break. Raises what the store raises when a listed file cannot be read.
    """
    store, root = filesystem(landing)
    lines: list[pa.Table] = []
    bad: list[dict[str, object]] = []
    size = 0
    for hour, files in hours:
        for file in files:
            for table, refused in _read_file(store, f"{root}/{file.path}", hour, file.path):
                bad.extend(refused)
                if table.num_rows:
                    lines.append(table)
                    size += table.nbytes
                if size >= chunk_bytes:
                    yield _chunk(lines, bad)
                    lines, bad, size = [], [], 0
    if lines or bad:
        yield _chunk(lines, bad)


def _chunk(lines: list[pa.Table], bad: list[dict[str, object]]) -> Chunk:
    table = pa.concat_tables(lines) if lines else LINES_SCHEMA.empty_table()
    return Chunk(table, pa.Table.from_pylist(bad, BAD_EVENTS.arrow_schema))


def _read_file(
    store: pafs.FileSystem, path: str, hour: datetime, name: str
) -> Iterator[tuple[pa.Table, list[dict[str, object]]]]:
    """The file's lines, block by block, and its refused lines."""

    def refuse(number: int, reason: str, detail: str, raw: bytes) -> dict[str, object]:
        return refused_line(hour, name, number, reason, detail, raw)

    count = 0
    carry = bytearray()
    skipped = 0
    with store.open_input_stream(path, compression=None) as stream:
        blocks = unpacked(stream)
        while True:
            try:
                block = next(blocks, None)
            except DamagedFileError as error:
                detail = f"{error}; broke in line {count + 1}, {len(carry)} bytes of which were readable"
                yield LINES_SCHEMA.empty_table(), [refuse(0, error.reason, detail, bytes(carry))]
                return
            if block is None:
                break
            end = block.rfind(b"\n") + 1
            if skipped or len(carry) + (block.find(b"\n") + 1 or len(block)) > LINE_LIMIT:
                # An endless line: keep its beginning, count the rest, go on behind its line break.
                first = block.find(b"\n") + 1
                skipped += first or len(block)
                del carry[EXCERPT:]
                carry += block[: max(0, EXCERPT - len(carry))]
                if not first:
                    continue
                count += 1
                yield LINES_SCHEMA.empty_table(), [_too_long(refuse, count, bytes(carry))]
                carry.clear()
                skipped, block, end = 0, block[first:], max(0, end - first)
            if not end:
                carry += block
                continue
            text = bytes(carry) + block[:end]
            carry = bytearray(block[end:])
            table, refused, found = _split(text, hour, name, count, refuse)
            count += found
            yield table, refused
    if skipped:
        yield LINES_SCHEMA.empty_table(), [_too_long(refuse, count + 1, bytes(carry))]
    elif carry:
        table, refused, _ = _split(bytes(carry) + b"\n", hour, name, count, refuse)
        yield table, refused


def refused_line(
    hour: datetime, name: str, number: int, reason: str, detail: str, raw: bytes
) -> dict[str, object]:
    """A row of bad_events for bytes that never became a line; base64 when they are not UTF-8."""
    try:
        text, encoding = raw.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        text, encoding = base64.b64encode(raw).decode("ascii"), "base64"
    return {
        "arrival_hour": hour,
        "landing_file": name,
        "landing_line": number,
        "landing_index": None,
        "reason": reason,
        "detail": detail,
        "raw": text,
        "raw_encoding": encoding,
        "processor_version": PROCESSOR_VERSION,
    }


def _too_long(refuse: Refuse, number: int, beginning: bytes) -> dict[str, object]:
    detail = (
        f"longer than {LINE_LIMIT >> 20} MiB; `raw` holds its first {len(beginning)} bytes, the whole line "
        f"is line {number} of the landed file"
    )
    return refuse(number, "line_too_long", detail, beginning)


def _split(
    text: bytes, hour: datetime, name: str, before: int, refuse: Refuse
) -> tuple[pa.Table, list[dict[str, object]], int]:
    """Lines of a text that ends with a line break, without copying it; blank lines are left out."""
    breaks = np.flatnonzero(np.frombuffer(text, np.uint8) == 10)
    offsets = np.zeros(len(breaks) + 1, np.int32)
    offsets[1:] = breaks + 1
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(text)]
    values = pa.Array.from_buffers(pa.string(), len(breaks), buffers)
    numbers = np.arange(before + 1, before + 1 + len(breaks), dtype=np.int32)
    refused: list[dict[str, object]] = []
    keep = np.ones(len(breaks), bool)
    for short in np.flatnonzero(np.diff(offsets) <= 64):
        keep[short] = bool(text[offsets[short] : offsets[short + 1]].strip(_BLANK))
    try:
        values.validate(full=True)
    except pa.ArrowInvalid:
        for index in range(len(breaks)):
            raw = text[offsets[index] : offsets[index + 1]]
            try:
                raw.decode("utf-8")
            except UnicodeDecodeError as error:
                keep[index] = False
                detail = f"byte {error.start} of the line is not UTF-8"
                refused.append(refuse(int(numbers[index]), "invalid_utf8", detail, raw.rstrip(b"\r\n")))
    rows = len(breaks)
    table = pa.table(
        [
            pa.repeat(pa.scalar(hour, LINES_SCHEMA.field("arrival_hour").type), rows),
            pa.repeat(pa.scalar(name), rows),
            pa.array(numbers),
            values,
        ],
        schema=LINES_SCHEMA,
    )
    if not keep.all():
        table = table.filter(pa.array(keep))
    return table, refused, rows


def unpacked(stream: pa.NativeFile) -> Iterator[bytes]:
    """The stream's bytes in blocks, unpacked when they are gzip (any number of members), without a BOM."""
    block = stream.read(_BLOCK)
    if not block.startswith(_GZIP_MAGIC):
        block = block.removeprefix(b"\xef\xbb\xbf")
        while block:
            yield block
            block = stream.read(_BLOCK)
        return
    unpacker = zlib.decompressobj(wbits=31)
    first = True
    while block or not unpacker.eof:
        before = unpacker.copy()
        try:
            data = unpacker.decompress(block, _BLOCK)
        except zlib.error as error:
            yield from _salvaged(before, block)
            raise DamagedFileError("corrupt_gzip", f"the gzip stream does not unpack ({error})") from error
        if not (block or data or unpacker.eof):
            raise DamagedFileError("truncated_gzip", "the file ends in the middle of its gzip stream")
        if data:
            yield data.removeprefix(b"\xef\xbb\xbf") if first else data
            first = False
        block = unpacker.unconsumed_tail or (b"" if unpacker.eof else stream.read(_BLOCK))
        if unpacker.eof:
            rest = unpacker.unused_data or block
            while not rest.strip(b"\0") and (more := stream.read(_BLOCK)):
                rest = more
            block = rest.lstrip(b"\0")
            if block and not block.startswith(_GZIP_MAGIC[: len(block)]):
                raise DamagedFileError("corrupt_gzip", "bytes that are not gzip follow a gzip member")
            if block:
                unpacker = zlib.decompressobj(wbits=31)


def _salvaged(unpacker: zlib._Decompress, block: bytes) -> Iterator[bytes]:
    """What a block unpacks to before the byte that breaks it: zlib drops it all when it raises."""
    for step in (4096, 1):
        while block:
            before = unpacker.copy()
            try:
                data = unpacker.decompress(block[:step])
            except zlib.error:
                unpacker = before
                break
            block = block[step:]
            if data:
                yield data
