"""The `.env` file: reading it literally, and changing it atomically.

Belongs here: the file's syntax (python-dotenv's, without expansion of `$`, so that a password stays what it
is). Does not belong here: what the variables mean.
"""

from __future__ import annotations

import io
import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path

from dotenv.parser import Binding, parse_stream

from blotout_orchestration.errors import BlotoutError

_PLAIN = re.compile(r"[A-Za-z0-9_./:@%+,=*\[\]{}-]+")


class EnvFileError(BlotoutError):
    """The `.env` file cannot be read, or a value cannot be kept in one."""

    exit_code = 2


def read_text(path: Path) -> str:
    """The file's text, empty when there is no file. Raises EnvFileError."""
    try:
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError as error:
        raise EnvFileError(f"{path}: byte {error.start} is not UTF-8; save the file as UTF-8") from None
    except OSError as error:
        raise EnvFileError(f"{path} cannot be read: {error.strerror}") from None


def bindings(text: str, path: Path) -> list[Binding]:
    """The file's statements and comments in order. Raises EnvFileError with the number of a broken line."""
    found = list(parse_stream(io.StringIO(text, newline="")))
    broken = [str(binding.original.line) for binding in found if binding.error]
    if broken:
        raise EnvFileError(
            f"{path}: cannot read line {', '.join(broken)}; expected NAME=value, quotes closed"
        )
    return found


def read(path: Path) -> dict[str, str]:
    """Variables of the file, names as written; the last of several wins, `$` is not expanded."""
    found = bindings(read_text(path), path)
    return {binding.key: binding.value for binding in found if binding.key and binding.value is not None}


def assignment(name: str, value: str) -> str:
    """One line `NAME=value`, quoted as needed. Raises EnvFileError when it would not read back the same."""
    if _PLAIN.fullmatch(value):
        quoted = value
    elif not re.search(r"[\r\n]", value):
        quoted = "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    else:
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        quoted = '"' + escaped.replace("\n", "\\n").replace("\r", "\\r") + '"'
    line = f"{name}={quoted}\n"
    following = "OTHER='\"x\"'\n"
    read_back = [(binding.key, binding.value) for binding in parse_stream(io.StringIO(line + following))]
    if read_back != [(name, value), ("OTHER", '"x"')]:
        raise EnvFileError(f"{name}: this value cannot be kept in an .env file; set it in the environment")
    return line


def changed(text: str, values: Mapping[str, str], path: Path) -> str:
    """The text with `values` set: replaced in place without regard to case, or appended; all else is kept."""
    remaining = {name.upper(): (name, value) for name, value in values.items()}
    replaced: set[str] = set()
    parts: list[str] = []
    for binding in bindings(text, path):
        key = (binding.key or "").upper()
        if key in replaced:
            continue
        if key in remaining:
            blank_lines = binding.original.string[: -len(binding.original.string.lstrip())]
            parts.append(blank_lines + assignment(*remaining.pop(key)))
            replaced.add(key)
        else:
            parts.append(binding.original.string)
    if remaining and parts and not parts[-1].endswith(("\n", "\r")):
        parts.append("\n")
    parts.extend(assignment(name, value) for name, value in remaining.values())
    return "".join(parts)


def write(path: Path, text: str) -> None:
    """Replace the file atomically, readable by its owner only. Raises EnvFileError."""
    target = path.resolve()
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="") as stream:
                stream.write(text)
                stream.flush()
                os.fsync(stream.fileno())
            Path(temporary).chmod(0o600)
            Path(temporary).replace(target)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise EnvFileError(f"{path} cannot be written: {error.strerror}") from None
