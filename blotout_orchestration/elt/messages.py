"""Errors of clients as people may read them: short, without secrets and without anybody's data.

Belongs here: what is taken out of a message. Every error of a source passes through here.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Sequence
from pathlib import Path

from blotout_orchestration.errors import BlotoutError

_LONGEST = 600
_PACKAGE = Path(__file__).parents[1]
_SPEAK_OF_NO_ROW = ("sqlalchemy", "pyiceberg", "botocore", "blotout_orchestration")
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+")
_QUERY = re.compile(r"(https?://[^\s?'\"]+)\?[^\s'\"]*")
_CREDENTIALS = re.compile(r"(\w+://)[^/\s:@]+:[^/\s@]+@")
_PHONE = re.compile(r"(?<![\w.-])\+\d{7,15}\b")


class ExtractError(BlotoutError):
    """A source could not be read; nothing of the stream was loaded, and its state is where it was."""


def readable(error: BaseException, secrets: Sequence[str] = ()) -> str:
    """The innermost cause of an error in one line.

    Of a database's error only its own first line is told: SQLAlchemy adds the statement and its values.
    """
    return masked(_line(_innermost(error)), secrets)


def unforeseen(error: BaseException, secrets: Sequence[str] = ()) -> str:
    """What ended a stream after its rows were read, and the line of ours where it did.

    Arrow and DuckDB quote the value that they could not convert: of their errors only the kind is told,
    unless memory or the disk was the reason.
    """
    import duckdb

    cause = _innermost(error)
    plain = (OSError, MemoryError, duckdb.OutOfMemoryException, duckdb.IOException)
    speaks = isinstance(cause, plain) or type(cause).__module__.startswith(_SPEAK_OF_NO_ROW)
    text = masked(_line(cause), secrets) if speaks else type(cause).__name__
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if Path(frame.filename).is_relative_to(_PACKAGE)]
    if not ours:
        return text
    return f"{text} (at {Path(ours[-1].filename).relative_to(_PACKAGE)}, line {ours[-1].lineno})"


def _innermost(error: BaseException) -> BaseException:
    cause: BaseException = error
    seen: set[int] = set()
    while id(cause) not in seen:
        seen.add(id(cause))
        inner = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
        if inner is None or isinstance(cause, BlotoutError):
            break
        if type(cause).__module__.startswith(("sqlalchemy", "requests", "urllib3")):
            break
        cause = inner
    return cause


def _line(cause: BaseException) -> str:
    original = getattr(cause, "orig", None)
    text = str(original or cause).strip().splitlines()
    first = text[0] if text else ""
    return f"{type(original or cause).__name__}: {first}"


def masked(text: str, secrets: Sequence[str] = ()) -> str:
    """The text without secrets, query strings, credentials, e-mail addresses and phone numbers."""
    for secret in sorted((one for one in secrets if one), key=len, reverse=True):
        text = text.replace(secret, "***")
    text = _CREDENTIALS.sub(r"\1***@", text)
    text = _QUERY.sub(r"\1", text)
    text = _PHONE.sub("***", _EMAIL.sub("***", text))
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."
