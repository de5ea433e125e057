"""The destinations, a module each; adding one is described in docs/activation.md.

Belongs here: the list of channel types. A module is loaded when a channel of its type is used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Protocol, cast

from blotout_orchestration.activation.channel import Channel, Context
from blotout_orchestration.activation.options import EngineOptions
from blotout_orchestration.activation.values import Kind
from blotout_orchestration.platform.registry.fields import Strict

TYPES = ("facebook_audience", "file", "klaviyo", "webhook")


class ChannelModule(Protocol):
    """What a module of this folder has."""

    Connection: type[Strict]
    Options: type[EngineOptions]
    MODES: tuple[str, ...]
    FIELDS: Mapping[str, Kind]
    KEYS: tuple[str, ...]
    """Fields that can be the key, the usual one first; empty: any field."""
    DROPS_UNUSABLE: bool
    """Whether an unusable value of another field than the key is left out instead of the whole row."""
    custom_field: Callable[[str], Kind | None]
    connect: Callable[[Context], Channel]


def channel_module(channel_type: str) -> ChannelModule:
    """The module of a type in TYPES."""
    return cast(ChannelModule, import_module(f"{__name__}.{channel_type}"))
