"""The registries of ELT pipelines and activation channels: what users added, without a deploy.

Belongs here: the functions that other rooms call. Shapes are in pipeline.py and channel.py, rows in store.py,
files of definitions in files.py, due times in timing.py.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from blotout_orchestration.platform.registry.channel import Channel
from blotout_orchestration.platform.registry.conflicts import check_tables_differ
from blotout_orchestration.platform.registry.originals import translate_payload
from blotout_orchestration.platform.registry.pipeline import Pipeline, PipelinePayload
from blotout_orchestration.platform.registry.store import Change, Contents, Registry, UnknownNameError

if TYPE_CHECKING:
    from blotout_orchestration.settings import Settings

__all__ = [
    "CHANNELS",
    "CHANNEL_PARTITIONS",
    "PIPELINES",
    "PIPELINE_PARTITIONS",
    "Channel",
    "Contents",
    "Pipeline",
    "Registry",
    "UnknownNameError",
    "add_channels",
    "add_pipelines",
    "live_channels",
    "live_pipelines",
    "pause",
    "remove",
    "resume",
]

Definition = TypeVar("Definition", Pipeline, Channel)
_logger = logging.getLogger(__name__)
PIPELINE_PARTITIONS = "elt_pipelines"
CHANNEL_PARTITIONS = "activation_channels"


def _pipeline_row(pipeline: Pipeline) -> dict[str, Any]:
    return {
        **pipeline.model_dump(include={"name", "source_name", "source_type"}),
        "payload": pipeline.stored_payload(),
    }


def _pipeline(row: Mapping[str, Any]) -> Pipeline:
    columns = ("name", "source_name", "source_type", "created_at", "updated_at")
    payload, _ = translate_payload(row["payload"])
    return Pipeline.model_validate({**{name: row[name] for name in columns}, "payload": payload})


def _channel_row(channel: Channel) -> dict[str, Any]:
    columns = {"name", "channel_type", "audience", "mode", "paused"}
    return {
        **channel.model_dump(include=columns),
        "schedule": channel.schedule or "",
        "payload": channel.stored_payload(),
    }


def _channel(row: Mapping[str, Any]) -> Channel:
    columns = ("name", "channel_type", "audience", "mode", "paused", "payload", "created_at", "updated_at")
    return Channel.model_validate(
        {**{name: row[name] for name in columns}, "schedule": row["schedule"] or None}
    )


PIPELINES: Registry[Pipeline] = Registry("connection_pipeline", Pipeline, _pipeline_row, _pipeline)
CHANNELS: Registry[Channel] = Registry("activation_channel", Channel, _channel_row, _channel)


def live_pipelines(settings: Settings) -> dict[str, Pipeline]:
    """The pipelines that hold now, by name. Raises DatabaseUnavailableError."""
    return _live(PIPELINES.contents(settings))


def live_channels(settings: Settings) -> dict[str, Channel]:
    """The channels that hold now, by name. Raises DatabaseUnavailableError."""
    return _live(CHANNELS.contents(settings))


def _live(contents: Contents[Definition]) -> dict[str, Definition]:
    for name, reason in contents.broken.items():
        _logger.warning("%s cannot be read: %s", name, reason)
    return dict(contents.live)


def add_pipelines(settings: Settings, pipelines: Sequence[Pipeline]) -> dict[str, Change]:
    """Add or replace pipelines, all or none; the change by name. What is paused stays so unless said otherwise.

    Raises DefinitionError when two pipelines would write the same table, DatabaseUnavailableError.
    """
    return PIPELINES.put(settings, pipelines, keep=_keep_pipeline_pause, check=check_tables_differ)


def add_channels(settings: Settings, channels: Sequence[Channel]) -> dict[str, Change]:
    """Add or replace channels, all or none; the change by name. Raises DatabaseUnavailableError."""
    return CHANNELS.put(settings, channels, keep=_keep_channel_pause)


def pause(settings: Settings, registry: Registry[Any], name: str) -> Change:
    """Let a pipeline or channel run no more by itself. Raises UnknownNameError, DatabaseUnavailableError."""
    return registry.edit(settings, name, lambda definition: _with_paused(definition, True))


def resume(settings: Settings, registry: Registry[Any], name: str) -> Change:
    """Let it run by itself again. Raises UnknownNameError, DatabaseUnavailableError."""
    return registry.edit(settings, name, lambda definition: _with_paused(definition, False))


def remove(settings: Settings, registry: Registry[Any], name: str) -> None:
    """Take a pipeline or channel out; its history stays. Raises UnknownNameError, DatabaseUnavailableError."""
    registry.remove(settings, name)


def _with_paused(definition: Definition, paused: bool) -> Definition:
    if isinstance(definition, Pipeline):
        payload = PipelinePayload.model_validate({**definition.stored_payload(), "paused": paused})
        return definition.model_copy(update={"payload": payload})
    return definition.model_copy(update={"paused": paused})


def _keep_pipeline_pause(pipeline: Pipeline, before: Mapping[str, Any]) -> Pipeline:
    if "paused" in pipeline.payload.model_fields_set:
        return pipeline
    return _with_paused(pipeline, before["payload"].get("paused") is True)


def _keep_channel_pause(channel: Channel, before: Mapping[str, Any]) -> Channel:
    return channel if "paused" in channel.model_fields_set else _with_paused(channel, bool(before["paused"]))
