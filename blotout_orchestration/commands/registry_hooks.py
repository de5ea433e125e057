"""What `blotout pipelines` and `blotout channels` ask of the domains: is it right, and does it connect.

Belongs here: which function of which domain is asked, and its answer as lines. Does not belong here: checks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
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

    `check(settings, definition)` connects to nothing and raises DefinitionError, or another BlotoutError, for
    what the domain cannot use; `probe(settings, definition)` connects, writes nothing, and gives lines.
    """

    check: Callable[[Settings, Any], object]
    probe: Callable[[Settings, Any], Sequence[str]]

    def problems(self, settings: Settings, definition: Any) -> Sequence[Problem]:
        """What the domain finds wrong in a definition."""
        try:
            self.check(settings, definition)
        except DefinitionError as error:
            return [problem for _, problem in error.problems]
        except SecretError:
            return []
        except BlotoutError as error:
            return [Problem("definition", " ".join(str(error).split()))]
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


def _check_pipeline(settings: Settings, pipeline: Pipeline) -> None:
    from blotout_orchestration.elt.sources import open_source

    open_source(settings, pipeline)


def _probe_pipeline(settings: Settings, pipeline: Pipeline) -> Sequence[str]:
    probe = import_module("blotout_orchestration.elt.probe").probe
    return [str(line) for line in probe(settings, pipeline)]


def _check_channel(_settings: Settings, channel: Channel) -> None:
    from blotout_orchestration.activation.definition import understand

    understand(channel)


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
CHANNELS = Hooks(_check_channel, _probe_channel)
