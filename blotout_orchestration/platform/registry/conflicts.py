"""What two definitions, each right by itself, cannot do together.

Belongs here: rules over the whole registry. Does not belong here: rules of one definition.
"""

from __future__ import annotations

from blotout_orchestration.platform.registry.pipeline import Pipeline
from blotout_orchestration.platform.registry.problems import DefinitionError, Problem
from blotout_orchestration.platform.registry.store import Contents


def check_tables_differ(contents: Contents[Pipeline]) -> None:
    """Raises DefinitionError when two live pipelines write one table of the lake.

    A pipeline that names no streams loads all of its source, so it shares its source_name with no other.
    """
    problems = []
    owners: dict[str, list[Pipeline]] = {}
    for pipeline in contents.live.values():
        owners.setdefault(pipeline.namespace("x"), []).append(pipeline)
    for rivals in owners.values():
        for index, one in enumerate(rivals):
            for other in rivals[index + 1 :]:
                shared = _tables(one) & _tables(other)
                if shared or not one.streams or not other.streams:
                    what = (
                        f"the table(s) {', '.join(sorted(shared))}" if shared else "the tables of one source"
                    )
                    reason = f"pipelines {one.name} and {other.name} would both write {what}; rename the source of one"
                    problems.append((other.name, Problem("source_name", reason, repr(other.source_name))))
    if problems:
        raise DefinitionError(problems)


def _tables(pipeline: Pipeline) -> set[str]:
    return {stream.destination_name.lower() for stream in pipeline.streams}
