"""Reading YAML and JSON files of definitions as plain values.

Belongs here: syntax. Does not belong here: what the fields mean (forms.py). No message repeats a piece of the
file: it may hold a secret.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

from blotout_orchestration.errors import UsageError

LARGEST_FILE_BYTES = 16 * 1024 * 1024


class DocumentError(UsageError):
    """A file that is not YAML or JSON, or that says one thing twice."""


class _Loader(yaml.SafeLoader):
    """YAML whose plain values are what they look like: no dates, and `true` and `false` the only booleans."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """A mapping with text keys, each of them once."""
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            line = key_node.start_mark.line + 1
            if not isinstance(key, str):
                raise DocumentError(f"line {line}: the name of a field is not a text")
            if key in seen:
                raise DocumentError(f"line {line}: the field {key} is there twice")
            seen.add(key)
        return super().construct_mapping(node, deep)

    def compose_node(self, parent: Any, index: Any) -> Any:
        """As usual, but without aliases: a small file could stand for a huge one."""
        if self.check_event(yaml.AliasEvent):
            raise DocumentError("aliases (*name) are not taken; write the values out")
        return super().compose_node(parent, index)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith((":timestamp", ":bool"))]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile("^(true|True|TRUE|false|False|FALSE)$"), "tTfF"
)


def read_documents(path: Path) -> list[Any]:
    """The documents of a file: YAML documents, or the entries of a list. Raises DocumentError."""
    try:
        if path.stat().st_size > LARGEST_FILE_BYTES:
            raise DocumentError(f"{path}: larger than {LARGEST_FILE_BYTES // 1024**2} MB")
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DocumentError(f"{path}: {error.strerror or type(error).__name__}") from None
    except UnicodeDecodeError:
        raise DocumentError(f"{path}: not a text in UTF-8") from None
    try:
        found = _from_json(text) if path.suffix.lower() == ".json" else _from_yaml(text)
    except DocumentError as error:
        raise DocumentError(f"{path}: {error}") from None
    entries = [entry for one in found for entry in (one if isinstance(one, list) else [one])]
    if not entries:
        raise DocumentError(f"{path}: holds no definition")
    return entries


def _from_json(text: str) -> list[Any]:
    try:
        return [json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant)]
    except json.JSONDecodeError as error:
        raise DocumentError(f"line {error.lineno}: not JSON ({error.msg})") from None
    except RecursionError:
        raise DocumentError("nested too deeply") from None


def _from_yaml(text: str) -> list[Any]:
    try:
        return [document for document in yaml.load_all(text, _Loader) if document is not None]
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark else ""
        raise DocumentError(f"{where}not YAML ({_plain_problem(error)})") from None
    except ValueError:
        raise DocumentError("not YAML (a number that cannot be read)") from None
    except RecursionError:
        raise DocumentError("nested too deeply") from None


def _plain_problem(error: yaml.YAMLError) -> str:
    """What the parser missed, without the words in quotes that it found instead."""
    problem = getattr(error, "problem", None) or "unreadable"
    return re.sub(r"'[^']*'", "a value", str(problem).partition(", but found")[0])


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise DocumentError(f"the field {name} is there twice")
        found[name] = value
    return found


def _refuse_constant(name: str) -> None:
    raise DocumentError(f"{name} is not a value of JSON")
