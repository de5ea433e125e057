"""A REST source as a YAML file: what a connection needs, how requests are made, which streams there are.

Belongs here: reading and checking such a file, and putting a connection's values into it. Those of the package
are in declarations/; a deployment's own are `sources/<type>.yaml` in BLOTOUT_HOME.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from blotout_orchestration.elt.definition import PipelineError
from blotout_orchestration.settings import Settings

PACKAGED = Path(__file__).resolve().parent.parent / "declarations"
REQUEST_OPTIONS = ("endpoint", "start_param", "start_format", "columns", "explode", "parent")
_PLACEHOLDER = re.compile(r"\{(\w+)\}")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Parameter(_Strict):
    """One value of a connection."""

    description: str
    secret: bool = False
    default: str | None = None
    pattern: str | None = None


class StreamRequest(_Strict):
    """How a stream's records are asked for. `endpoint` is that of dlt's rest_api."""

    endpoint: dict[str, Any]
    start_param: str | None = Field(None, description="Query parameter that takes the cursor's start.")
    start_format: str = Field("{value}", description="Its text; {value}, {date} and {today} stand for those.")
    columns: dict[str, str] = Field(default_factory=dict, description="Column -> dotted path; empty: all.")
    explode: str | None = Field(None, description="A list whose entries become rows.")
    parent: str | None = Field(None, description="Stream whose records the endpoint is asked for.")


class Declaration(_Strict):
    """The whole file."""

    title: str
    connection: dict[str, Parameter] = Field(default_factory=dict)
    client: dict[str, Any] = Field(default_factory=dict)
    streams: dict[str, dict[str, Any]]

    def offered(self) -> dict[str, dict[str, Any]]:
        """The streams as definition.py takes them: what is about requests lies in their options."""
        found = {}
        for name, said in self.streams.items():
            options = {key: said[key] for key in REQUEST_OPTIONS if key in said}
            rest = {key: value for key, value in said.items() if key not in REQUEST_OPTIONS}
            found[name] = {**rest, "options": options}
        return found


def find_declaration(settings: Settings, source_type: str) -> Declaration:
    """The declaration of a source type, the deployment's own before the package's.

    Raises PipelineError when there is none, naming those that there are, or when the file is not valid.
    """
    own = settings.blotout_home.absolute() / "sources" / f"{source_type}.yaml"
    path = own if own.is_file() else PACKAGED / f"{source_type}.yaml"
    if not path.is_file():
        known = sorted({one.stem for folder in (PACKAGED, own.parent) for one in folder.glob("*.yaml")})
        raise PipelineError(
            f"there is no source type {source_type}; there are postgres, sql_database, filesystem, s3_export, "
            f"rest_api, {', '.join(known)}. A REST source of your own is a file {own}"
        )
    return _read(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=64)
def _read(path: Path, _changed: int) -> Declaration:
    import yaml

    try:
        return Declaration.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except yaml.YAMLError as error:
        raise PipelineError(f"{path.name} is no YAML: {' '.join(str(error).split())}") from None
    except ValidationError as error:
        lines = [
            f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}"
            for one in error.errors(include_url=False, include_input=False)
        ]
        raise PipelineError("\n  ".join([f"{path.name} is no declaration of a source:", *lines])) from None


def connection_problems(declaration: Declaration, given: Mapping[str, Any]) -> list[str]:
    """What is wrong with a connection; values are not repeated, they may be secrets."""
    known = {**declaration.connection, "base_url": None}
    problems = [
        f"{name}: is not known; known are {', '.join(sorted(known))}" for name in given if name not in known
    ]
    for name, parameter in declaration.connection.items():
        if name not in given:
            if parameter.default is None:
                problems.append(f"{name}: is required ({parameter.description})")
        elif (
            parameter.pattern
            and not parameter.secret
            and not re.fullmatch(parameter.pattern, str(given[name]))
        ):
            problems.append(f"{name}: expected {parameter.pattern} ({parameter.description})")
    return problems


def filled(value: Any, values: Mapping[str, str]) -> Any:
    """A part of a declaration with `{name}` replaced by the connection's values.

    Other braces are dlt's own placeholders and stay. An entry that becomes empty is left out: an optional
    header is not sent at all.
    """
    if isinstance(value, Mapping):
        done = {key: filled(one, values) for key, one in value.items()}
        return {key: one for key, one in done.items() if one != "" or value[key] == ""}
    if isinstance(value, list):
        return [filled(one, values) for one in value]
    if isinstance(value, str):
        return _PLACEHOLDER.sub(lambda match: values.get(match[1], match[0]), value)
    return value
