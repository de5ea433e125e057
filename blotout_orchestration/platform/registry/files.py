"""Files of definitions: everything that is wrong in them at once, or the definitions.

Belongs here: from a file to definitions. Does not belong here: syntax (documents.py) and forms (forms.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from blotout_orchestration.platform.registry import originals
from blotout_orchestration.platform.registry.channel import Channel
from blotout_orchestration.platform.registry.documents import read_documents
from blotout_orchestration.platform.registry.forms import ChannelForm, PipelineForm
from blotout_orchestration.platform.registry.pipeline import Pipeline
from blotout_orchestration.platform.registry.problems import DefinitionError, Problem
from blotout_orchestration.platform.registry.validation import problems_of

Definition = TypeVar("Definition", Pipeline, Channel)
Check = Callable[[Definition], Sequence[Problem]]


@dataclass(frozen=True)
class DefinitionFile(Generic[Definition]):
    """The definitions of a file in its order, and lines on what of it has no meaning here."""

    definitions: tuple[Definition, ...]
    notes: tuple[str, ...] = ()


def read_pipelines(path: Path, check: Check[Pipeline]) -> DefinitionFile[Pipeline]:
    """The pipelines of a file; `check` adds what their source types find wrong.

    Raises DocumentError when the file cannot be read, DefinitionError with all that is wrong in it.
    """
    return _read(path, _pipeline, check)


def read_channels(path: Path, check: Check[Channel]) -> DefinitionFile[Channel]:
    """The channels of a file; `check` adds what their channel types find wrong. Raises as read_pipelines."""
    return _read(path, _channel, check)


def _read(
    path: Path, parse: Callable[[dict[str, Any]], tuple[Definition, list[str]]], check: Check[Definition]
) -> DefinitionFile[Definition]:
    documents = read_documents(path)
    problems: list[tuple[str, Problem]] = []
    found: dict[str, Definition] = {}
    notes: list[str] = []
    for number, document in enumerate(documents, start=1):
        source = path.name if len(documents) == 1 else f"{path.name}, definition {number}"
        try:
            if not isinstance(document, dict):
                raise _Refused([Problem("definition", "expected fields and their values")])
            definition, left_out = parse(document)
            if definition.name in found:
                raise _Refused([Problem("name", "there twice in this file", repr(definition.name))])
            found[definition.name] = definition
            problems += [(source, problem) for problem in check(definition)]
            notes += [f"{source}: {name} has no meaning here and was left out" for name in left_out]
        except _Refused as error:
            problems += [(source, problem) for problem in error.problems]
    if problems:
        raise DefinitionError(problems)
    return DefinitionFile(tuple(found.values()), tuple(notes))


class _Refused(Exception):  # noqa: N818
    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = problems
        super().__init__()


def _validated(model: type[Any], document: object) -> Any:
    try:
        return model.model_validate(document)
    except ValidationError as error:
        raise _Refused(problems_of(error, model)) from None


def _made(form: PipelineForm | ChannelForm, model: type[BaseModel]) -> Any:
    try:
        return form.definition()
    except ValidationError as error:
        raise _Refused(problems_of(error, model)) from None


def _pipeline(document: dict[str, Any]) -> tuple[Pipeline, list[str]]:
    if not originals.is_original(document):
        return _made(_validated(PipelineForm, document), Pipeline), []
    try:
        row, left_out = originals.translate(document)
    except ValueError as error:
        raise _Refused([Problem("payload", str(error))]) from None
    return _validated(Pipeline, row), left_out


def _channel(document: dict[str, Any]) -> tuple[Channel, list[str]]:
    if "payload" not in document:
        return _made(_validated(ChannelForm, document), Channel), []
    row = {name: value for name, value in document.items() if name not in ("id", "created_at", "updated_at")}
    if row.pop("is_deleted", 0) not in (0, False, None):
        raise _Refused([Problem("is_deleted", "the row is a removed one")])
    try:
        payload = originals.payload_object(row["payload"])
    except ValueError as error:
        raise _Refused([Problem("payload", str(error))]) from None
    return _validated(Channel, {**row, "payload": payload, "schedule": row.get("schedule") or None}), []
