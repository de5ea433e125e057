"""A channel of the registry, understood: its type, its fields, its options, checked all at once.

Belongs here: what must hold of a definition before anything is read or sent. Does not belong here: the
registry's own checks (platform/registry), connecting.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError

from blotout_orchestration.activation.channel import Operation
from blotout_orchestration.activation.channels import TYPES, ChannelModule, channel_module
from blotout_orchestration.activation.options import EngineOptions
from blotout_orchestration.activation.values import Kind
from blotout_orchestration.platform.registry.channel import Channel as RegisteredChannel
from blotout_orchestration.platform.registry.channel import Mode
from blotout_orchestration.platform.registry.problems import DefinitionError, Problem
from blotout_orchestration.platform.registry.validation import problems_of

_OPERATIONS: Mapping[str, Operation] = {
    "upsert": "upsert",
    "update": "update",
    "create": "create",
    "mirror": "upsert",
    "append": "append",
    "delete": "delete",
}


@dataclass(frozen=True)
class Definition:
    """A channel that can be run. `kinds` has every mapped field, in the order of the mapping."""

    name: str
    channel_type: str
    mode: Mode
    audience_kind: str
    audience_name: str
    mapping: Mapping[str, str]
    kinds: Mapping[str, Kind]
    key: str
    connection: Any
    options: Any
    module: ChannelModule

    @property
    def operation(self) -> Operation:
        """What is asked of the destination for a row of the audience."""
        return _OPERATIONS[self.mode]

    @property
    def mirrors(self) -> bool:
        """Whether people who left the audience are removed."""
        return self.mode == "mirror"

    def drops(self, field: str) -> bool:
        """Whether an unusable value of the field is left out, instead of the row."""
        if field == self.key:
            return False
        return self.module.DROPS_UNUSABLE or field in self.options.drop_unusable


def understand(channel: RegisteredChannel) -> Definition:
    """The definition of a registered channel. Raises DefinitionError with everything that is wrong with it."""
    if channel.channel_type not in TYPES:
        close = get_close_matches(channel.channel_type, TYPES, 1)
        hint = f"; did you mean {close[0]}?" if close else ""
        reason = f"no such channel type; there are {', '.join(TYPES)}{hint}"
        raise DefinitionError([(channel.name, Problem("channel_type", reason, repr(channel.channel_type)))])
    module = channel_module(channel.channel_type)
    problems: list[Problem] = []
    connection = _model(module.Connection, "connection", channel.connection, problems)
    options = _model(module.Options, "options", channel.options, problems)
    if channel.mode not in module.MODES:
        reason = f"{channel.channel_type} knows {', '.join(module.MODES)}"
        problems.append(Problem("mode", reason, repr(channel.mode)))
    kinds = _kinds(channel, module, problems)
    key = _key(channel, module, problems)
    if options is not None:
        problems += _option_problems(channel, options)
    if problems:
        raise DefinitionError([(channel.name, problem) for problem in problems])
    return Definition(
        channel.name,
        channel.channel_type,
        channel.mode,
        channel.audience_kind,
        channel.audience_name,
        dict(channel.mapping),
        kinds,
        key,
        connection,
        options,
        module,
    )


def _model(
    model: type[BaseModel], field: str, given: Mapping[str, Any], problems: list[Problem]
) -> Any | None:
    try:
        return model.model_validate(dict(given))
    except ValidationError as error:
        found = problems_of(error, model)
        problems += [Problem(f"{field}.{one.field}", one.reason, one.value) for one in found]
        return None


def _kinds(channel: RegisteredChannel, module: ChannelModule, problems: list[Problem]) -> dict[str, Kind]:
    """The kind of every mapped field; those that the destination does not have are problems."""
    if not channel.mapping:
        problems.append(Problem("mapping", "is required: fields of the destination and their columns"))
    kinds: dict[str, Kind] = {}
    for field, column in channel.mapping.items():
        kind = module.FIELDS.get(field) or module.custom_field(field)
        if kind is None:
            close = get_close_matches(field, module.FIELDS, 1)
            hint = f"; did you mean {close[0]}?" if close else f"; it has {', '.join(module.FIELDS)}"
            problems.append(Problem(f"mapping.{field}", f"{channel.channel_type} has no such field{hint}"))
        else:
            kinds[field] = kind
        if not column.isidentifier():
            problems.append(Problem(f"mapping.{field}", "expected the name of a column", repr(column)))
    return kinds


def _key(channel: RegisteredChannel, module: ChannelModule, problems: list[Problem]) -> str:
    usual = next((field for field in module.KEYS if field in channel.mapping), None)
    key = channel.key or usual
    if key is None:
        choice = f"one of {', '.join(module.KEYS)} must be mapped" if module.KEYS else "is required"
        problems.append(Problem("key", choice))
        return ""
    if module.KEYS and key not in module.KEYS:
        problems.append(Problem("key", f"expected one of {', '.join(module.KEYS)}", repr(key)))
    elif key not in channel.mapping:
        problems.append(Problem("key", "is not in the mapping", repr(key)))
    return key


def _option_problems(channel: RegisteredChannel, options: EngineOptions) -> list[Problem]:
    found = [
        Problem("options.drop_unusable", "is not in the mapping", repr(field))
        for field in options.drop_unusable
        if field not in channel.mapping
    ]
    if options.suppression and options.suppression.field not in (None, *channel.mapping):
        found.append(Problem("options.suppression.field", "is not in the mapping"))
    if channel.mode == "delete":
        found += [
            Problem(f"options.{name}", "has no meaning in mode delete: the rows are those to be removed")
            for name in ("consent", "suppression")
            if getattr(options, name) is not None
        ]
    return found
