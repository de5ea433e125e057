"""What `blotout pipelines` and `blotout channels` ask of the domains, found by name when it is needed.

Belongs here: which function of which domain checks and tests a definition. Does not belong here: the checks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from blotout_orchestration.errors import BlotoutError
from blotout_orchestration.platform.registry.problems import DefinitionError, Problem

if TYPE_CHECKING:
    from blotout_orchestration.settings import Settings


@dataclass(frozen=True)
class Hooks:
    """A domain's functions as `module:function`.

    `check(definition)` raises DefinitionError, or another BlotoutError, for what the domain cannot use;
    `probe(settings, definition)` connects, writes nothing, and gives lines for people.
    """

    check: str
    probe: str

    def problems(self, definition: Any) -> Sequence[Problem]:
        """What the domain finds wrong in a definition, without connecting."""
        try:
            _function(self.check)(definition)
        except DefinitionError as error:
            return [problem for _, problem in error.problems]
        except BlotoutError as error:
            return [Problem("definition", " ".join(str(error).split()))]
        return []

    def sample(self, settings: Settings, definition: Any) -> Sequence[str]:
        """Connect and say what is there, a line each. Raises BlotoutError when it cannot be reached."""
        return list(_function(self.probe)(settings, definition))


PIPELINES = Hooks("blotout_orchestration.elt.definition:check", "blotout_orchestration.elt.probe:probe")
CHANNELS = Hooks(
    "blotout_orchestration.activation.definition:understand", "blotout_orchestration.activation.probe:probe"
)


def _function(name: str) -> Callable[..., Any]:
    module, _, attribute = name.partition(":")
    found: Callable[..., Any] = getattr(import_module(module), attribute)
    return found
