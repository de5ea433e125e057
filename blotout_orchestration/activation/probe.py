"""A test of a channel, without anything sent: can the destination be reached, and what would a sync do.

Belongs here: the probe. It is behind `blotout channels test`.
"""

from __future__ import annotations

from dataclasses import dataclass

from blotout_orchestration.activation.channel import (
    Context,
    Probe,
    RefusedError,
    ThrottledError,
    UnavailableError,
)
from blotout_orchestration.activation.clock import Clock, SystemClock
from blotout_orchestration.activation.definition import understand
from blotout_orchestration.activation.delivery import DeliveryError
from blotout_orchestration.activation.hashing import Hasher
from blotout_orchestration.activation.report import SyncReport
from blotout_orchestration.activation.sync import sync_channel
from blotout_orchestration.lake import Lake
from blotout_orchestration.platform.registry.channel import Channel as RegisteredChannel
from blotout_orchestration.settings import Settings


@dataclass(frozen=True)
class ProbeResult:
    """What the destination said, and what a sync would do now, with a masked sample."""

    destination: Probe
    plan: SyncReport


def probe(settings: Settings, channel: RegisteredChannel, clock: Clock | None = None) -> ProbeResult:
    """Test a channel. Raises DefinitionError, SecretError, ChannelError, DeliveryError, AudienceError."""
    definition, lake, time = understand(channel), Lake(settings), clock or SystemClock()
    connected = definition.module.connect(Context(settings, lake, definition, time, Hasher(settings).key))
    try:
        destination = connected.probe()
    except (RefusedError, ThrottledError, UnavailableError) as error:
        raise DeliveryError(f"{channel.name}: the destination cannot be reached ({error})") from error
    return ProbeResult(destination, sync_channel(settings, lake, channel, "probe", dry_run=True, clock=time))
