"""What `blotout pipelines` and `blotout channels` ask of the domains: is it right, and does it connect.

Belongs here: which function of which domain is asked, and its answer as lines. Does not belong here: checks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from blotout_orchestration.errors import BlotoutError
from blotout_orchestration.platform.registry.problems import DefinitionError, Problem
from blotout_orchestration.platform.registry.secret_fields import references
from blotout_orchestration.platform.secrets import ENVIRONMENT, SecretError, resolve

if TYPE_CHECKING:
    from blotout_orchestration.platform.registry import Channel, Pipeline
    from blotout_orchestration.settings import Settings


@dataclass(frozen=True)
class Hooks:
    """A domain's part in the commands of its registry.

    `check(definition)` connects to nothing and raises DefinitionError, or another BlotoutError, for
    what the domain cannot use; `probe(settings, definition)` connects, writes nothing, and gives lines;
    `warn(settings, definition)` says what is allowed and most likely not meant.
    """

    check: Callable[[Any], object]
    probe: Callable[[Settings, Any], Sequence[str]]
    warn: Callable[[Settings, Any], Sequence[str]] = lambda _settings, _definition: ()

    def problems(self, definition: Any) -> Sequence[Problem]:
        """What the domain finds wrong in a definition."""
        try:
            self.check(definition)
        except DefinitionError as error:
            return [problem for _, problem in error.problems]
        except BlotoutError as error:
            # The first of several lines is a heading.
            lines = str(error).splitlines()
            return [Problem(definition.name, line.strip()) for line in lines[1:] or lines]
        return []


def missing_secrets(settings: Settings, definition: Any) -> list[str]:
    """A line for each variable that a definition refers to and that is not set here.

    No problem of the definition: it may be set where the pipelines run.
    """
    lines = []
    for reference in references(definition.connection):
        if reference.startswith(ENVIRONMENT):
            try:
                resolve(reference, settings)
            except SecretError as error:
                lines.append(f"{definition.name}: {error}")
    return lines


def _check_pipeline(pipeline: Pipeline) -> None:
    from blotout_orchestration.elt.definition import check

    check(pipeline)


def _probe_pipeline(settings: Settings, pipeline: Pipeline) -> Sequence[str]:
    from blotout_orchestration.elt.probe import probe

    return [f"{pipeline.name}: nothing was written", *probe(settings, pipeline)]


def _check_channel(channel: Channel) -> None:
    from blotout_orchestration.activation.definition import understand

    understand(channel)


def _warn_of_channel(settings: Settings, channel: Channel) -> Sequence[str]:
    """A line when the channel's segment is not there, which delivers nobody until it is."""
    from blotout_orchestration.entities.registry import live

    known = sorted(version.name for version in live(settings, "segment"))
    if channel.audience_kind != "segment" or channel.audience_name in known:
        return []
    listed = (
        f"there are: {', '.join(known)}"
        if known
        else "there is none yet; `blotout segments predefined` makes some"
    )
    return [f"{channel.name}: there is no segment {channel.audience_name!r}; {listed}"]


def _probe_channel(settings: Settings, channel: Channel) -> Sequence[str]:
    from blotout_orchestration.activation.probe import probe

    found = probe(settings, channel)
    plan = found.plan
    facts = [f"  {name}: {value}" for name, value in found.destination.facts.items()]
    sample = ["  " + ", ".join(f"{name}={value}" for name, value in row.items()) for row in plan.sample]
    return [
        f"{channel.name}: connected to {found.destination.destination}; nothing was sent",
        *facts,
        f"a sync now: {plan.source_rows} rows of the audience; {plan.creates} to create, {plan.updates} to update,"
        f" {plan.removals} to remove, {plan.unchanged} unchanged, {plan.invalid} invalid",
        *(["sample, masked:", *sample] if sample else []),
    ]


PIPELINES = Hooks(_check_pipeline, _probe_pipeline)
CHANNELS = Hooks(_check_channel, _probe_channel, _warn_of_channel)
