"""One sync of one channel, from the audience to the ledger.

Belongs here: the order of the steps. Does not belong here: the steps themselves, or anything of Dagster.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from typing import Any

from blotout_orchestration.activation.channel import Channel, Context
from blotout_orchestration.activation.clock import Clock, SystemClock
from blotout_orchestration.activation.definition import Definition, understand
from blotout_orchestration.activation.delivery import Delivery, settle
from blotout_orchestration.activation.guards import LargeChangeError, check_change
from blotout_orchestration.activation.hashing import Hasher
from blotout_orchestration.activation.journal import End, Header, Journal
from blotout_orchestration.activation.ledger import (
    any_unknown,
    forget_ledger,
    load_ledger,
    next_version,
    unused_sync_id,
)
from blotout_orchestration.activation.matching import told_count
from blotout_orchestration.activation.plan import Counts
from blotout_orchestration.activation.recovery import conclude, recover
from blotout_orchestration.activation.report import SyncReport, masked, summary
from blotout_orchestration.activation.source import read_audience, suppressed_hashes
from blotout_orchestration.activation.staging import Staging, delete_staging
from blotout_orchestration.activation.values import without_values
from blotout_orchestration.activation.workspace import Workspace
from blotout_orchestration.lake import Lake
from blotout_orchestration.platform.registry.channel import Channel as RegisteredChannel
from blotout_orchestration.settings import Settings

SAMPLE = 5
_NOTHING = Counts(0, 0, 0, 0, 0, 0, 0, 0)


def sync_channel(
    settings: Settings,
    lake: Lake,
    channel: RegisteredChannel,
    run_id: str,
    dry_run: bool = False,
    *,
    confirm_large_change: bool = False,
    reset: bool = False,
    replay: bool = False,
    clock: Clock | None = None,
    progress: Callable[[str], None] = lambda message: None,
) -> SyncReport:
    """Bring the destination to the audience's state, as the channel's mode means it.

    `dry_run` writes and sends nothing. `reset` forgets what the destination holds of us first, `replay` sends
    unchanged rows too. Raises DefinitionError, AudienceError, ChannelBusyError, LargeChangeError, ChannelError,
    DeliveryError; whatever was answered before is recorded.
    """
    definition = understand(channel)
    sync = _Sync(settings, lake, definition, clock or SystemClock(), progress)
    if dry_run:
        return sync.dry_run(replay=replay, reset=reset)
    with sync.workspace.locked():
        sync.workspace.forget_cancel()
        for path in sync.workspace.left_behind():
            delete_staging(path)
        return sync.run(run_id, confirmed=confirm_large_change, reset=reset, replay=replay)


class _Sync:
    """The parts of one sync, put together."""

    def __init__(
        self,
        settings: Settings,
        lake: Lake,
        definition: Definition,
        clock: Clock,
        progress: Callable[[str], None],
    ) -> None:
        self.settings, self.lake, self.definition = settings, lake, definition
        self.clock, self.progress = clock, progress
        self.hasher = Hasher(settings)
        self.workspace = Workspace(settings, definition.name)

    def _connect(self) -> Channel:
        context = Context(self.settings, self.lake, self.definition, self.clock, self.hasher.key)
        return self.definition.module.connect(context)

    def _stage(self, staging: Staging, channel: Channel, *, replay: bool) -> Counts:
        """Read the audience and lay it beside the table `ledger`."""
        options = self.definition.options
        for hashes in suppressed_hashes(self.settings, self.definition, self.hasher):
            staging.suppress(hashes)
        read = 0
        for rows in read_audience(self.settings, self.definition, channel, self.hasher):
            staging.add(rows)
            read += len(rows)
        self.progress(f"{read} rows read")
        attempts = options.maximum_attempts or self.settings.activation_maximum_attempts
        counts = staging.compare(self.definition, replay=replay, maximum_attempts=attempts)
        self.progress(summary(counts))
        return counts

    def dry_run(self, *, replay: bool, reset: bool) -> SyncReport:
        """What a sync would do now; journals of killed syncs are left for the next real one."""
        staging = Staging(self.workspace.dry_run())
        try:
            load_ledger(self.lake, staging.connection, self.definition.name, below=0 if reset else None)
            counts = self._stage(staging, self._connect(), replay=replay)
            sample = tuple(masked(planned) for planned in islice(staging.planned(), SAMPLE))
            report = self._report("dry_run", "dry_run", counts)
            return replace(report, invalid_reasons=staging.invalid_reasons(), sample=sample)
        finally:
            staging.close()

    def run(self, run_id: str, *, confirmed: bool, reset: bool, replay: bool) -> SyncReport:
        """Recover, compare, guard, send, record."""
        staging = Staging(self.workspace.staging)
        try:
            channel = self._connect()
            recovered = recover(
                self.lake, staging.connection, self.workspace, channel, self.clock, self.progress
            )
            sync_id = unused_sync_id(self.lake, self.definition.name, run_id)
            load_ledger(self.lake, staging.connection, self.definition.name)
            version = next_version(staging.connection, self.clock.now())
            if any_unknown(staging.connection):
                settle(channel, self.definition.name)
            if reset:
                forget_ledger(self.lake, self.definition.name, sync_id)
                load_ledger(self.lake, staging.connection, self.definition.name)
            return self._record(staging, channel, sync_id, version, confirmed, replay, recovered)
        finally:
            staging.close()

    def _record(
        self,
        staging: Staging,
        channel: Channel,
        sync_id: str,
        version: int,
        confirmed: bool,
        replay: bool,
        recovered: int,
    ) -> SyncReport:
        """Send, and bring the journal into the lake however that ends."""
        connection = staging.connection
        started = self.clock.now().isoformat()
        path = self.workspace.journal(sync_id)
        journal = Journal(path)
        counts, begun, delivery = _NOTHING, False, None

        def begin(found: Counts) -> None:
            journal.begin(
                Header(
                    self.definition.name,
                    sync_id,
                    self.definition.channel_type,
                    self.definition.mode,
                    version,
                    started,
                    found.withheld,
                    found.source_rows,
                    found.unchanged,
                    found.invalid,
                )
            )

        try:
            counts = self._stage(staging, channel, replay=replay)
            begin(counts)
            begun = True
            for rows in staging.invalid():
                journal.invalid(rows)
            if not confirmed:
                check_change(self.settings, self.definition, counts)
            delivery = Delivery(
                channel,
                journal,
                self.clock,
                self.definition.name,
                version,
                self.workspace.cancel_asked,
                self.progress,
            )
            finished = delivery.run(staging.planned())
            matched = told_count(channel, self.progress)
            journal.end(End("succeeded" if finished else "cancelled", None, matched))
        except BaseException as error:
            if not begun:
                begin(_NOTHING)
            state = "held" if isinstance(error, LargeChangeError) else "failed"
            journal.end(End(state, without_values(f"{type(error).__name__}: {error}", 500)))
            raise
        finally:
            journal.close()
            invalid_reasons = staging.invalid_reasons()
            row = conclude(self.lake, connection, path, self.clock)
        report = self._report(sync_id, row["state"], counts, row)
        return replace(
            report,
            invalid_reasons=invalid_reasons,
            rejected_reasons=dict(delivery.reasons.most_common(10)) if delivery else {},
            recovered=recovered,
        )

    def _report(
        self, run_id: str, state: str, counts: Counts, row: dict[str, Any] | None = None
    ) -> SyncReport:
        known = row or {
            "withheld": counts.withheld,
            "source_rows": counts.source_rows,
            "unchanged": counts.unchanged,
            "invalid": counts.invalid,
            "unsent": counts.due,
            "held": counts.held,
        }
        names = SyncReport.__dataclass_fields__
        figures = {name: value for name, value in known.items() if name in names}
        figures |= {"run_id": run_id, "state": state}
        return SyncReport(
            **{
                "channel": self.definition.name,
                "channel_type": self.definition.channel_type,
                "mode": self.definition.mode,
                "creates": counts.creates,
                "updates": counts.updates,
                "removals": counts.removals,
                **figures,
            }
        )
