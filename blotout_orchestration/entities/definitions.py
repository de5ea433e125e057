"""Definitions of segments and funnels: the models, and reading them from YAML with every error at once.

Belongs here: what a definition is. Does not belong here: where the versions are kept (registry.py), and SQL.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, TypeAdapter, ValidationError, model_validator

from blotout_orchestration.entities.conditions import ConditionTree, EventMatch, Strict
from blotout_orchestration.entities.fields import (
    ColumnName,
    DefinitionError,
    Duration,
    EventName,
    Name,
)

Kind = Literal["segment", "funnel"]
MAXIMUM_DEPTH = 40
MAXIMUM_STEPS = 20
MAXIMUM_SHOWN = 60


def _not_empty(value: Any) -> Any:
    if isinstance(value, str) and not value.strip():
        raise ValueError("must say for people what it is")
    return value.strip() if isinstance(value, str) else value


Description = Annotated[str, BeforeValidator(_not_empty), Field(max_length=1000)]


class SegmentDefinition(Strict):
    """A segment: people of `view_users` for whom `where` holds. Robots are never members."""

    kind: Literal["segment"]
    name: Name
    version: Annotated[int, Field(ge=1, strict=True)] | None = None
    description: Description
    where: ConditionTree


class FunnelStep(EventMatch):
    """A step: the events that count as it, and the name that reports show."""

    step: Annotated[str, Field(min_length=1, max_length=100)]


class Exclusion(EventMatch):
    """Events that end an attempt when they happen after step `after` and before step `before`."""

    after: int = Field(default=1, ge=1)
    before: int | None = Field(default=None, ge=2)


class FunnelDefinition(Strict):
    """A funnel: steps that people (or their sessions) take, within a window from an attempt's first step."""

    kind: Literal["funnel"]
    name: Name
    version: Annotated[int, Field(ge=1, strict=True)] | None = None
    description: Description
    order: Literal["ordered", "any_order", "strict"] = "ordered"
    steps: list[FunnelStep] = Field(min_length=2, max_length=MAXIMUM_STEPS)
    window: Duration
    per: Literal["person", "session"] = "person"
    period: Duration | None = None
    same: ColumnName | None = None
    exclude: list[Exclusion] = Field(default_factory=list, max_length=20)
    interrupted_by: list[EventName] | None = Field(default=None, min_length=1, max_length=1000)

    @model_validator(mode="after")
    def _options_fit_the_order(self) -> FunnelDefinition:
        if self.exclude and self.order != "ordered":
            raise ValueError(f"exclude has a meaning in ordered funnels only, this one is {self.order}")
        if self.interrupted_by and self.order != "strict":
            raise ValueError(f"interrupted_by belongs to strict funnels, this one is {self.order}")
        for place, exclusion in enumerate(self.exclude):
            if not exclusion.after < (exclusion.before or len(self.steps)) <= len(self.steps):
                raise ValueError(
                    f"exclude.{place}: after ({exclusion.after}) must be a step before `before`"
                    f" ({exclusion.before or len(self.steps)}), which must be one of {len(self.steps)} steps"
                )
        if self.same and self.order == "strict":
            raise ValueError(
                "same cannot be combined with strict: an event without that value would interrupt"
            )
        labels = [step.step for step in self.steps]
        if twice := sorted({label for label in labels if labels.count(label) > 1}):
            raise ValueError(f"steps need names of their own; twice: {', '.join(twice)}")
        if self.order == "any_order":
            self._events_of_one_step_only()
        return self

    def _events_of_one_step_only(self) -> None:
        """In any order one event could otherwise stand for two steps. Raises ValueError."""
        names = [name.lower() for step in self.steps for name in dict.fromkeys(step.event or ())]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"in any order an event belongs to one step; twice: {', '.join(twice)}")


Definition = SegmentDefinition | FunnelDefinition
_Tagged = Annotated[SegmentDefinition | FunnelDefinition, Field(discriminator="kind")]
_ADAPTER: TypeAdapter[Definition] = TypeAdapter(_Tagged)


def parse_definition(raw: Any, where: str) -> Definition:
    """A definition from plain data; `where` names the file. Raises DefinitionError with every error."""
    if not isinstance(raw, Mapping):
        raise DefinitionError(f"{where}: a definition is a mapping that begins with kind: segment or funnel")
    if _depth(raw) > MAXIMUM_DEPTH:
        raise DefinitionError(f"{where}: groups are nested deeper than {MAXIMUM_DEPTH} levels; flatten them")
    try:
        found: Definition = _ADAPTER.validate_python(raw)
        return found
    except ValidationError as error:
        raise DefinitionError("\n".join(f"{where}: {line}" for line in _lines(error))) from None


def read_definitions(path: Path) -> list[Definition]:
    """All definitions of a YAML file, a document each. Raises DefinitionError with every error of the file."""
    from yaml import YAMLError

    try:
        documents = list(_documents(path))
    except OSError as error:
        raise DefinitionError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise DefinitionError(f"{path}: is not UTF-8 at byte {error.start}") from None
    except (YAMLError, RecursionError) as error:
        raise DefinitionError(
            f"{path}: is no YAML: {' '.join(str(error).split()) or 'nested too deep'}"
        ) from None
    found, problems = [], []
    for number, raw in enumerate(documents, start=1):
        label = str(path) if len(documents) == 1 else f"{path} document {number}"
        try:
            found.append(parse_definition(raw, label))
        except DefinitionError as error:
            problems.append(str(error))
    if not documents:
        problems.append(f"{path}: holds no definition")
    names = [(definition.kind, definition.name) for definition in found]
    problems += [
        f"{path}: {kind} {name} is defined twice"
        for kind, name in sorted({key for key in names if names.count(key) > 1})
    ]
    if problems:
        raise DefinitionError("\n".join(problems))
    return found


def as_payload(definition: Definition) -> dict[str, Any]:
    """The definition as JSON data, as short as people would write it and without its version."""
    dumped: dict[str, Any] = definition.model_dump(
        mode="json", by_alias=True, exclude_defaults=True, exclude={"version"}
    )
    return {"kind": definition.kind, **dumped}


def _documents(path: Path) -> Iterator[Any]:
    import yaml

    class Loader(yaml.SafeLoader):
        """Refuses a key that stands twice: YAML would silently keep the last one."""

    def mapping(loader: Any, node: Any) -> Any:
        keys = [key.value for key, _ in node.value]
        for (key, _), name in zip(node.value, keys, strict=True):
            if keys.count(name) > 1:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {name} stands twice", key.start_mark
                )
        return yaml.SafeLoader.construct_mapping(loader, node, deep=True)

    Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, mapping)
    with path.open(encoding="utf-8") as stream:
        yield from (document for document in yaml.load_all(stream, Loader) if document is not None)


def _depth(raw: Any) -> int:
    level, deepest = [raw], 0
    while level and deepest <= MAXIMUM_DEPTH:
        deepest += 1
        level = [
            child
            for item in level
            if isinstance(item, dict | list)
            for child in (item.values() if isinstance(item, dict) else item)
        ]
    return deepest


_TAGS = {"segment", "funnel", "all", "any", "not", "profile", "recency", "event", "property"}


def _lines(error: ValidationError) -> Iterator[str]:
    for problem in error.errors(include_url=False):
        text = problem["msg"].removeprefix("Value error, ")
        silent = isinstance(problem["input"], dict | list) or problem["type"] == "missing"
        value = "" if silent else f" = {str(problem['input'])[:MAXIMUM_SHOWN]!r}"
        yield f"{'.'.join(_written_path(problem['loc'])) or 'definition'}{value}: {text}"


def _written_path(location: tuple[int | str, ...]) -> list[str]:
    """The keys that people wrote: pydantic names the member of a union too, on the way to its fields."""
    written: list[str] = []
    tag_follows = True
    for part in location:
        if tag_follows and part in _TAGS:
            tag_follows = False
            continue
        written.append(str(part))
        tag_follows = isinstance(part, int) or part in {"where", "not"}
    return written
