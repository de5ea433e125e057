"""The segments and funnels that every shop gets, and what `entity_creation` does with them.

Belongs here: creating each of them once, and offering newer releases. The definitions themselves are the YAML
files in predefined/. What users have written, changed or removed stays as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blotout_orchestration.entities.definitions import Definition, read_definitions
from blotout_orchestration.entities.registry import (
    Key,
    Version,
    history,
    holding,
    insert,
    write_versions,
)
from blotout_orchestration.platform.database.audit import record

if TYPE_CHECKING:
    from blotout_orchestration.settings import Settings

FOLDER = Path(__file__).parent / "predefined"
SOURCE_TYPE = "shopify"
"""Pipelines of this type bring the predefined definitions."""
AUTHOR = "entity_creation"


@dataclass
class Creation:
    """For which pipelines, and what was created or is offered as a newer release, as kind and name."""

    pipelines: list[str] = field(default_factory=list)
    created: list[str] = field(default_factory=list)
    offered: list[str] = field(default_factory=list)


def predefined_definitions(folder: Path = FOLDER) -> list[Definition]:
    """The definitions of the package. Raises DefinitionError."""
    return [definition for path in sorted(folder.glob("*.yml")) for definition in read_definitions(path)]


def shops(settings: Settings) -> list[str]:
    """Names of the live Shopify pipelines. Raises DatabaseUnavailableError."""
    from blotout_orchestration.platform.registry import live_pipelines

    return sorted(
        name for name, pipeline in live_pipelines(settings).items() if pipeline.source_type == SOURCE_TYPE
    )


def pending(settings: Settings) -> list[str]:
    """What `create_entities` would create or offer now, as kind and name."""
    known = history(settings)
    return [
        f"{step.definition.kind} {step.definition.name}" for step in _plan(known, predefined_definitions())
    ]


def create_entities(
    settings: Settings,
    *,
    run_id: str | None = None,
    pipelines: Sequence[str] | None = None,
    definitions: Sequence[Definition] | None = None,
) -> Creation:
    """Create what is missing and offer what is newer, in one transaction, when there is a Shopify pipeline.

    Running it again changes nothing. A definition that a user removed is not created again. `pipelines` says
    for which shops, instead of asking the registry. Raises DatabaseUnavailableError.
    """
    found = list(shops(settings) if pipelines is None else pipelines)
    if not found:
        return Creation()
    wanted = predefined_definitions() if definitions is None else definitions

    def write(connection: Any, known: dict[Key, list[Version]]) -> Creation:
        done = Creation(pipelines=found)
        for step in _plan(known, wanted):
            insert(connection, step.definition, step.number, step.origin, AUTHOR)
            label = f"{step.definition.kind} {step.definition.name}"
            (done.offered if step.origin.startswith("offered/") else done.created).append(label)
        return done

    done = write_versions(settings, write)
    for action, names in (("created", done.created), ("offered", done.offered)):
        if names:
            record(
                settings,
                actor=AUTHOR,
                action=f"entities_{action}",
                target=", ".join(names),
                outcome="done",
                run_id=run_id,
                details={"pipelines": found},
            )
    return done


@dataclass(frozen=True)
class _Step:
    """A version to append."""

    definition: Definition
    number: int
    origin: str


def _plan(known: dict[Key, list[Version]], wanted: Sequence[Definition]) -> list[_Step]:
    steps = []
    for definition in wanted:
        versions = known.get((definition.kind, definition.name), [])
        release = definition.version or 1
        if not versions:
            steps.append(_Step(definition, 1, f"predefined/{release}"))
        elif _is_newer(definition, release, versions):
            steps.append(_Step(definition, versions[-1].number + 1, f"offered/{release}"))
    return steps


def _is_newer(definition: Definition, release: int, versions: Sequence[Version]) -> bool:
    """Whether to offer it: a release not seen yet, of a name that still lives, with another content."""
    held = holding(versions)
    seen = max((version.release or 0 for version in versions), default=0)
    return held is not None and not held.is_deleted and release > seen and not held.says_the_same(definition)
