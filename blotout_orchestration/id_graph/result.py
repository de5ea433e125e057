"""What a stitching run did, counted.

Belongs here: the figures of a run, from the views that it worked on. Nothing here writes.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from blotout_orchestration.id_graph.batches import Work
from blotout_orchestration.id_graph.workspace import Workspace

_LISTED = 1000


@dataclass(frozen=True)
class StitchResult:
    """What a run did. Of the whole graph: `ids`, `people`, `redirects`; the others are of this run.

    `merged` maps retired people to their successors and `split` people to the number of people they became,
    at most 1,000 each, for a cluster diff; ids of people only, no PII.
    """

    ids: int = 0
    people: int = 0
    people_change: int = 0
    redirects: int = 0
    new_ids: int = 0
    changed_batches: int = 0
    touched_components: int = 0
    merges: int = 0
    splits: int = 0
    quarantined: int = 0
    giants: int = 0
    full: bool = False
    dry_run: bool = False
    seconds: float = 0.0
    merged: dict[str, str | None] = field(default_factory=dict)
    split: dict[str, int] = field(default_factory=dict)


def totals(space: Workspace, relation: str) -> tuple[int, int]:
    """Ids and people in rows of id_graph."""
    counts = f"select count(*), count(*) filter (where is_canonical) from {relation}"
    ids, people = space.connection.execute(counts).fetchone()
    return int(ids), int(people)


def _moved(space: Workspace) -> tuple[int, dict[str, int]]:
    """How many ids are new, and the people whose ids are now in several people, with their number."""
    connection = space.connection
    connection.execute(
        """create or replace temporary table moved as
           select before, after, count(*) as ids from moves where before is distinct from after group by all"""
    )
    # Whoever kept its global_user_id kept its oldest id, so it is one of the parts itself.
    split = connection.execute(
        """select before, count(*) + (before in (select global_user_id from new_people))::integer as parts
           from moved where before is not null group by before having parts > 1 order by 2 desc, 1"""
    ).fetchall()
    return space.number("select sum(ids) from moved where before is null"), dict(split)


def summarise(space: Workspace, work: Work, touched: int, dry_run: bool) -> StitchResult:
    """The result of a run from the people, moves, redirects and quarantine of its workspace."""
    connection = space.connection
    held = totals(space, "graph")
    counted = ("graph_old", "graph_new", "short_rows", "old_people", "new_people")
    old, new, short, old_people, new_people = (
        space.number(f"select count(*) from {name}") for name in counted
    )
    redirects = [
        space.number(f"select count(*) from {name}") for name in ("merges", "merges_old", "merges_new")
    ]
    new_ids, split = new, dict[str, int]()
    if old or short:
        new_ids, split = _moved(space)
    merged = connection.execute(
        """select old_global_user_id, new_global_user_id from merges_new
           where old_global_user_id not in (select old_global_user_id from merges) order by 1"""
    ).fetchall()
    reasons = dict(connection.execute("select reason, count(*) from quarantine_new group by 1").fetchall())
    return StitchResult(
        ids=held[0] - old + new + space.number("select count(*) from short_rows where before is null"),
        people=held[1] - old_people + new_people,
        people_change=new_people - old_people,
        redirects=redirects[0] - redirects[1] + redirects[2],
        new_ids=new_ids,
        changed_batches=len(work.replaced),
        touched_components=touched,
        merges=len(merged),
        splits=len(split),
        quarantined=sum(reasons.values()),
        giants=reasons.get("giant_component", 0),
        full=work.everything,
        dry_run=dry_run,
        merged=dict(merged[:_LISTED]),
        split=dict(list(split.items())[:_LISTED]),
    )
