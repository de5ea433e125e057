"""Sending a plan: batches within the limits, tried again, halved when refused, each written down before and after.

Belongs here: the order of sending, asking and writing down. Does not belong here: any destination.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from blotout_orchestration.activation.channel import (
    Answer,
    Batch,
    Channel,
    ChannelError,
    Limits,
    Operation,
    RefusedError,
    Rejection,
    Row,
    ThrottledError,
    UnavailableError,
)
from blotout_orchestration.activation.clock import Clock
from blotout_orchestration.activation.hashing import batch_key
from blotout_orchestration.activation.journal import Journal
from blotout_orchestration.activation.plan import Planned
from blotout_orchestration.activation.retrying import with_retries
from blotout_orchestration.errors import BlotoutError

FIRST_POLL, LONGEST_POLL, LONGEST_WORK = 1.0, 30.0, 6 * 3600.0
REFUSED_ALONE = 64
"""Rows refused one by one, with none accepted, after which the fault is taken to be the channel's."""


class DeliveryError(BlotoutError):
    """The destination gave no usable answer after all tries; the next sync goes on from there."""


@dataclass(frozen=True)
class Group:
    """Rows of one call. `earlier_batch` is the key under which a killed sync may have sent them."""

    rows: tuple[Row, ...]
    operation: Operation
    earlier_batch: str | None


def groups(planned: Iterable[Planned], limits: Callable[[Operation], Limits]) -> Iterator[Group]:
    """The plan cut into calls, by operation, earlier batch, count and bytes."""
    rows: list[Row] = []
    size, first = 0, None
    for one in planned:
        limit = limits(one.operation)
        same = first is not None and (one.operation, one.earlier_batch) == (
            first.operation,
            first.earlier_batch,
        )
        if first is not None and (not same or len(rows) >= limit.rows or size + one.size > limit.bytes):
            yield Group(tuple(rows), first.operation, first.earlier_batch)
            rows, size = [], 0
        if not rows:
            first = one
        rows.append(one.row)
        size += one.size
    if first is not None:
        yield Group(tuple(rows), first.operation, first.earlier_batch)


@dataclass
class Delivery:
    """One sync's sending. Counts are of answered rows."""

    channel: Channel
    journal: Journal
    clock: Clock
    name: str
    version: int
    cancelled: Callable[[], bool]
    progress: Callable[[str], None]
    accepted: int = 0
    rejected: int = 0
    batches: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    uncertain: bool = False
    """Whether an answer was lost: the destination may be at work on a batch that we sent a second time."""
    _refused_alone: int = 0
    _at_work: deque[tuple[str, int, str]] = field(default_factory=deque)

    def run(self, planned: Iterable[Planned]) -> bool:
        """Send everything; false when it was cancelled. Raises DeliveryError or ChannelError."""
        finished = True
        for group in groups(planned, lambda operation: self.channel.limits[operation]):
            if self.cancelled():
                finished = False
                break
            if group.operation == "delete":
                # Removals wait for everything before them, or a job at work could bring people back.
                self._come_to_rest()
            elif len(self._at_work) >= self.channel.pending:
                self._collect(self.channel.pending - 1)
            self._send(group.rows, group.operation, self._key(group))
        self._come_to_rest()
        return finished

    def _come_to_rest(self) -> None:
        self._collect(0)
        if self.uncertain:
            settle(self.channel, self.name)
            self.uncertain = False

    def _key(self, group: Group) -> str:
        """The key of the first time when the same rows are sent again, else a new one."""
        rows = [(row.key_hash, row.payload_hash) for row in group.rows]
        digest = batch_key(self.name, group.operation, rows)
        if group.earlier_batch is not None and group.earlier_batch.rpartition("-")[2] == digest:
            return group.earlier_batch
        return f"{self.version:08d}-{digest}"

    def _send(self, rows: tuple[Row, ...], operation: Operation, key: str) -> None:
        batch = Batch(rows, operation, key)
        self.journal.send(batch)
        uncertain = False

        def once() -> Answer:
            nonlocal uncertain
            try:
                return self.channel.deliver(batch)
            except UnavailableError:
                self.uncertain = uncertain = True
                raise

        try:
            answer = with_retries(once, self.clock)
        except RefusedError as refusal:
            # What may have been taken stays open until its parts are answered: a kill in between leaves it unknown.
            open_until_answered = refusal.taken or uncertain
            if not open_until_answered:
                self.journal.not_taken(key)
            self._divide(batch, refusal)
            if open_until_answered:
                self._collect(0)
                self.journal.not_taken(key)
            return
        except (ThrottledError, UnavailableError) as error:
            if not uncertain:
                self.journal.not_taken(key)
            raise given_up(self.name, error) from error
        except ChannelError:
            if not uncertain:
                self.journal.not_taken(key)
            raise
        if answer.receipt is None:
            self._answered(key, len(rows), answer)
        else:
            self.journal.receipt(batch, answer.receipt)
            # The rows themselves are let go: memory must not follow the batches at work.
            self._at_work.append((key, len(rows), answer.receipt))

    def _answered(self, key: str, rows: int, answer: Answer) -> None:
        self.journal.answer(key, answer)
        self.batches += 1
        self.rejected += len(answer.rejections)
        self.accepted += rows - len(answer.rejections)
        self.reasons.update(one.reason for one in answer.rejections)
        self.progress(f"{self.accepted + self.rejected} rows answered, {self.rejected} of them rejected")

    def _divide(self, batch: Batch, refusal: RefusedError) -> None:
        """Take the named rows out, or halve, until the bad rows stand alone."""
        named = {one.index: one.reason for one in refusal.rows if one.index < len(batch.rows)}
        if len(batch.rows) == 1:
            named = {0: named.get(0, refusal.reason)}
        if named:
            bad = tuple(row for index, row in enumerate(batch.rows) if index in named)
            reasons = [reason for _, reason in sorted(named.items())]
            self._reject(bad, batch.operation, reasons)
            rest = tuple(row for index, row in enumerate(batch.rows) if index not in named)
            parts = [rest] if rest else []
        else:
            middle = len(batch.rows) // 2
            parts = [batch.rows[:middle], batch.rows[middle:]]
        for part in parts:
            self._send(part, batch.operation, self._key(Group(part, batch.operation, None)))

    def _reject(self, rows: tuple[Row, ...], operation: Operation, reasons: list[str]) -> None:
        batch = Batch(rows, operation, self._key(Group(rows, operation, None)))
        answer = Answer(tuple(Rejection(i, reason) for i, reason in enumerate(reasons)))
        self.journal.send(batch)
        self._answered(batch.idempotency_key, len(rows), answer)
        self._refused_alone += len(rows)
        if self._refused_alone >= REFUSED_ALONE and self.accepted == 0:
            raise ChannelError(
                f"{self.name}: the destination refused each of the first {self._refused_alone} rows"
                f" ({reasons[0]}); look at mapping and options before the next sync"
            )

    def _collect(self, leave: int) -> None:
        """Wait until at most `leave` batches are at work."""
        while len(self._at_work) > leave:
            key, rows, receipt = self._at_work[0]
            try:
                answer = collect(self.channel, receipt, rows, self.clock)
            except (ThrottledError, UnavailableError) as error:
                raise given_up(self.name, error) from error
            self._at_work.popleft()
            self._answered(key, rows, answer)


def given_up(name: str, error: Exception) -> DeliveryError:
    """The error of a destination that gave no usable answer after all tries."""
    return DeliveryError(
        f"{name}: the destination cannot be reached ({error}); what it answered is recorded,"
        " the next sync sends the rest"
    )


def settle(channel: Channel, name: str) -> None:
    """Wait until nothing of ours that we do not know of is at work: it could overtake what is sent next."""
    try:
        channel.settle()
    except (ThrottledError, UnavailableError) as error:
        raise given_up(name, error) from error


def collect(channel: Channel, receipt: str, rows: int, clock: Clock) -> Answer:
    """Ask for the answer to a receipt, at growing intervals. Raises as `Channel.collect`, after all tries."""
    interval, give_up = FIRST_POLL, clock.monotonic() + LONGEST_WORK
    while True:
        answer = with_retries(lambda: channel.collect(receipt, rows), clock)
        if answer is not None:
            return answer
        if clock.monotonic() > give_up:
            raise UnavailableError("the destination has been at work on a batch for six hours")
        clock.sleep(interval)
        interval = min(interval * 1.5, LONGEST_POLL)
