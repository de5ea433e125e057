"""Validation of a definition that finds every problem at once, and shows no secret.

Belongs here: pydantic's findings as problems. Does not belong here: what a definition looks like.
"""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from blotout_orchestration.platform.registry.problems import Problem
from blotout_orchestration.platform.registry.secret_fields import SecretsInTheClearError, may_be_shown
from blotout_orchestration.setting_fields import MASK

_LONGEST_SHOWN: Final = 80
_NO_OBJECT: Final = frozenset({"model_type", "model_attributes_type", "dict_type", "list_type", "tuple_type"})
"""A text where an object was expected may be an object as text, with secrets in it."""


def problems_of(error: ValidationError, model: type[BaseModel]) -> list[Problem]:
    """Everything that pydantic found, as problems."""
    found: list[Problem] = []
    for detail in error.errors(include_url=False, include_context=True):
        path = tuple(str(part) for part in detail["loc"])
        field = ".".join(path) or "definition"
        if detail["type"] == "extra_forbidden":
            found.append(Problem(field, _unknown(path, model)))
        elif detail["type"] == "value_error":
            cause = detail["ctx"]["error"]
            if isinstance(cause, SecretsInTheClearError):
                found += [Problem(f"{field}.{one.field}", one.reason, one.value) for one in cause.problems]
            else:
                found.append(Problem(field, str(cause), shown(path, detail.get("input"))))
        elif detail["type"] == "missing":
            found.append(Problem(field, "is required"))
        elif detail["type"] in _NO_OBJECT:
            found.append(Problem(field, _sentence(detail["msg"].partition(" or instance of")[0])))
        else:
            found.append(Problem(field, _sentence(detail["msg"]), shown(path, detail.get("input"))))
    return found


def shown(path: Sequence[str], value: object) -> str | None:
    """A refused value as people may see it; None for what is no plain value."""
    if value is None or isinstance(value, (dict, list, tuple, BaseModel)):
        return None
    if not may_be_shown(path, str(value)):
        return MASK
    text = repr(value)
    return text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 3] + "..."


def _sentence(message: str) -> str:
    return message[:1].lower() + message[1:]


def _unknown(path: Sequence[str], model: type[BaseModel]) -> str:
    """Never with the value: under a mistyped name may stand a secret."""
    names = _names(model, set())
    close = get_close_matches(path[-1], sorted(names), 1)
    return "unknown field" + (f"; did you mean {close[0]}?" if close else "")


def _names(model: Any, seen: set[Any]) -> set[str]:
    """Field names of a model and of the models in it."""
    if model in seen:
        return set()
    seen.add(model)
    names: set[str] = set()
    if isinstance(model, type) and issubclass(model, BaseModel):
        for name, info in model.model_fields.items():
            names |= {info.alias or name} | _names(info.annotation, seen)
    for argument in getattr(model, "__args__", ()):
        names |= _names(argument, seen)
    return names
