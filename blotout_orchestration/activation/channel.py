"""The small interface behind which every destination stands.

Belongs here: what the engine asks of a channel and how a channel answers. Does not belong here: any
destination, or how often something is tried again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

from blotout_orchestration.errors import BlotoutError

if TYPE_CHECKING:
    from blotout_orchestration.activation.clock import Clock
    from blotout_orchestration.activation.definition import Definition
    from blotout_orchestration.lake import Lake
    from blotout_orchestration.settings import Settings

Operation = Literal["upsert", "update", "create", "append", "delete"]


@dataclass(frozen=True)
class Limits:
    """What one call takes: rows, bytes of the whole body, bytes of one row."""

    rows: int
    bytes: int = 1 << 40
    row_bytes: int = 1 << 40


@dataclass(frozen=True)
class Row:
    """One row on its way. `values` are what the channel's `prepare` made; empty for who left the audience."""

    key_hash: str
    payload_hash: str | None
    values: Mapping[str, Any]
    removal_key: str | None = None


@dataclass(frozen=True)
class Batch:
    """Rows of one call. The idempotency key is the same whenever the same rows are sent again."""

    rows: tuple[Row, ...]
    operation: Operation
    idempotency_key: str


@dataclass(frozen=True)
class Rejection:
    """A row that the destination refused: its place in the batch, and why, without its values."""

    index: int
    reason: str


@dataclass(frozen=True)
class Answer:
    """What became of a batch: rows not named in `rejections` were accepted.

    With a `receipt` the destination is still at work: `collect` asks it later.
    """

    rejections: tuple[Rejection, ...] = ()
    receipt: str | None = None


@dataclass(frozen=True)
class Probe:
    """What a test of the connection found, without anything written."""

    destination: str
    facts: Mapping[str, str] = field(default_factory=dict)


class ChannelError(BlotoutError):
    """The destination cannot be used as it is configured; a person has to mend it."""


class ThrottledError(Exception):
    """The destination wants us to wait; `retry_after` in seconds when it says how long."""

    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        """`reason` without addresses and values."""
        super().__init__(reason)
        self.retry_after = retry_after


class UnavailableError(Exception):
    """No usable answer: connection lost, time over, an error of the server. It may have taken the batch."""


class RefusedError(Exception):
    """The batch was refused as a whole. `rows` are those the destination named.

    `taken`: it may have taken the good rows nevertheless and only does not say which; else it took nothing.
    """

    def __init__(self, reason: str, rows: tuple[Rejection, ...] = (), *, taken: bool = False) -> None:
        """`reason` without the rows' values."""
        super().__init__(reason)
        self.reason = reason
        self.rows = rows
        self.taken = taken


@dataclass(frozen=True)
class Context:
    """What a channel is made with. `hash_key` gives the ledger's hash of a key as the channel prepared it."""

    settings: Settings
    lake: Lake
    definition: Definition
    clock: Clock
    hash_key: Callable[[str], str]


class Channel(Protocol):
    """A connected destination. A module of `channels/` has one, made by its `connect(context)`."""

    @property
    def limits(self) -> Mapping[str, Limits]:
        """Limits of every operation that the destination knows."""
        ...

    @property
    def pending(self) -> int:
        """How many batches may be at work at the destination at once; 1 when it answers at once."""
        ...

    def prepare(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The values of a row as they will be sent. Raises values.UnusableError for one that cannot be sent."""
        ...

    def size(self, values: Mapping[str, Any]) -> int:
        """Bytes of a prepared row in a body."""
        ...

    def removal_key(self, values: Mapping[str, Any]) -> str | None:
        """The key's hash as the destination itself has it, for the removal of rows that are gone by then."""
        ...

    def deliver(self, batch: Batch) -> Answer:
        """Send a batch once. Raises ThrottledError, UnavailableError, RefusedError or ChannelError."""
        ...

    def collect(self, receipt: str, rows: int) -> Answer | None:
        """The answer to a batch that was taken with a receipt, or None while it is at work.

        Raises ThrottledError, UnavailableError or ChannelError; what it refuses, it names row by row.
        """
        ...

    def settle(self) -> None:
        """Wait until nothing that an earlier, killed sync may have sent is at work any more."""
        ...

    def matched(self) -> int | None:
        """How many people the destination says it holds or matched; None when it does not tell."""
        ...

    def probe(self) -> Probe:
        """Reach the destination without writing. Raises as `deliver` does."""
        ...
