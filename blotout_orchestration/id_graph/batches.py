"""What the graph holds and what it should hold: batches, revisions, rules, blocks.

Belongs here: finding a run's work by comparing pairs (batch, revision), and recording it when it is done.
There is no watermark: a late hour is a batch like any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from blotout_orchestration.id_graph.contract import ID_GRAPH_BATCHES
from blotout_orchestration.id_graph.edges import IdSource
from blotout_orchestration.id_graph.rules import Rules
from blotout_orchestration.id_graph.workspace import Workspace

WRITING = "#writing"
_RULES = "#rules"
_BLOCK = "#block/"


@dataclass(frozen=True)
class Work:
    """What one run has to do.

    `changed` batches by source are to be read, `gone` ones have vanished, `blocks` are the ids (type or None,
    id) blocked or unblocked since, `new_rules` says that the same edges may give other people. `everything`
    means that no component can be trusted: the first run, or a run that was killed while it wrote.
    """

    held: dict[str, str]
    wanted: dict[str, str]
    changed: dict[str, list[str]]
    gone: list[str]
    blocks: list[tuple[str | None, str]]
    new_rules: bool
    everything: bool
    was_writing: bool

    @property
    def replaced(self) -> list[str]:
        """All batches whose edges change."""
        return sorted([*(batch for batches in self.changed.values() for batch in batches), *self.gone])

    @property
    def nothing(self) -> bool:
        """Whether the graph holds what it should."""
        return not (self.everything or self.replaced or self.blocks) and self.held == self.wanted


def find_work(space: Workspace, sources: Sequence[IdSource], rules: Rules, *, full: bool) -> Work:
    """Compare what the sources have with what the graph holds."""
    held = dict(space.connection.execute("select batch, revision from batches").fetchall())
    blocked = space.connection.execute("select id_type, id from blocks").fetchall()
    suffix = f"+{rules.extraction_hash}"
    known = {key: value.removesuffix(suffix) for key, value in held.items() if value.endswith(suffix)}
    wanted: dict[str, str] = {_RULES: rules.people_hash}
    changed: dict[str, list[str]] = {}
    for source in sources:
        found = source.batches(space.lake, space.connection, known)
        wanted |= {batch: revision + suffix for batch, revision in found.items()}
        changed[source.name] = [
            batch
            for batch in sorted(found)
            if not batch.startswith("#") and held.get(batch) != found[batch] + suffix
        ]
    wanted |= {f"{_BLOCK}{id_type or '*'}/{name}": "1" for id_type, name in blocked}
    gone = sorted(batch for batch in held if not batch.startswith("#") and batch not in wanted)
    differing = {key for key in held.keys() ^ wanted.keys() if key.startswith(_BLOCK)}
    blocks = [_block(key) for key in sorted(differing)]
    was_writing = WRITING in held
    new_rules = held.get(_RULES) != rules.people_hash
    everything = full or was_writing or _RULES not in held
    return Work(held, wanted, changed, gone, blocks, new_rules, everything, was_writing)


def _block(key: str) -> tuple[str | None, str]:
    id_type, name = key.removeprefix(_BLOCK).split("/", 1)
    return (None if id_type == "*" else id_type), name


def mark_writing(space: Workspace, run_id: str) -> None:
    """Note that a run has begun to write; until `record` takes the note away, nothing it left is trusted."""
    row = pa.table({"batch": [WRITING], "revision": [run_id]}, schema=ID_GRAPH_BATCHES.arrow_schema)
    space.lake.append(ID_GRAPH_BATCHES, row, {"run_id": run_id})
    space.show("batches", ID_GRAPH_BATCHES)


def record(space: Workspace, work: Work, run_id: str) -> None:
    """Write what the graph holds now, and take the note of writing away: the last commit of a run."""
    rows = pa.table(
        {"batch": list(work.wanted), "revision": list(work.wanted.values())},
        schema=ID_GRAPH_BATCHES.arrow_schema,
    )
    space.connection.register("batches_new", rows)
    space.replace_difference(ID_GRAPH_BATCHES, "batches", "batches_new", run_id)
    space.connection.unregister("batches_new")
