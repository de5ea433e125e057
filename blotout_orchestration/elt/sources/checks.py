"""Checking a pipeline's connection and streams before anything is connected.

Belongs here: what each source can say without its secrets. Shapes of streams are checked in definition.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from blotout_orchestration.elt.definition import PipelineError, streams_of
from blotout_orchestration.elt.sources import FILE_TYPES, SQL_TYPES
from blotout_orchestration.platform.registry import Pipeline
from blotout_orchestration.settings import load_settings

_UNKNOWN_KEY = {"primary_key": ("unknown",)}
"""A database knows its primary keys; before it is asked, every table may have one."""


def check_source(pipeline: Pipeline) -> None:
    """Raises PipelineError with all problems of the streams, or with those of the connection."""
    settings = load_settings()
    names = [stream.name for stream in pipeline.streams]
    if pipeline.source_type in SQL_TYPES:
        from blotout_orchestration.elt.sources.sql import SqlSource

        SqlSource.of(settings, pipeline, secrets_too=False)
        if names:
            streams_of(pipeline, dict.fromkeys(names, _UNKNOWN_KEY))
        return
    if pipeline.source_type in FILE_TYPES:
        from blotout_orchestration.elt.sources.files import FileSource, file_options

        files = FileSource.of(settings, pipeline, secrets_too=False)
        if not names:
            raise PipelineError(f"pipeline {pipeline.name}: name its streams, each with options.glob")
        for stream in streams_of(pipeline, files.offered(names)):
            file_options(stream)
        return
    from blotout_orchestration.elt.sources.rest import RestSource

    rest = RestSource.of(settings, pipeline, secrets_too=False)
    offered: Mapping[str, Mapping[str, Any]] = rest.offered(names)
    unknown = sorted(name for name in names if rest.streams and name not in rest.streams)
    undescribed = [name for name in unknown if not _has_endpoint(pipeline, name)]
    if undescribed:
        raise PipelineError(
            f"pipeline {pipeline.name}: {pipeline.source_type} has no stream {', '.join(undescribed)}; it has "
            f"{', '.join(sorted(rest.streams))}; one of your own needs options.endpoint"
        )
    for stream in streams_of(pipeline, offered):
        rest.check_request(stream)


def _has_endpoint(pipeline: Pipeline, name: str) -> bool:
    return any("endpoint" in stream.config.options for stream in pipeline.streams if stream.name == name)
