"""Definitions that tests put into the registries."""

from __future__ import annotations

from typing import Any

from blotout_orchestration.platform.registry import Channel, Pipeline


def pipeline(name: str = "orders", **payload: Any) -> Pipeline:
    """A pipeline of a source of its own."""
    return Pipeline.model_validate(
        {"name": name, "source_name": f"Source {name}", "source_type": "rest_api", "payload": payload}
    )


def channel(name: str = "vips", **fields: Any) -> Channel:
    """A channel of a segment."""
    return Channel.model_validate({"name": name, "channel_type": "file", "audience": "high_value", **fields})
