"""Which components the rules may cut: told from the counts of id_graph, without a look at any edge.

Counts are upper bounds: a person has at most the ids of its component, an id at most as many neighbours as
rows of evidence. Whatever is no suspect is one person, under these rules and whatever its edges are.

Belongs here: finding suspects. What is really cut is told from their edges, in people.py.
"""

from __future__ import annotations

import pyarrow as pa

from blotout_orchestration.id_graph.rules import Rules
from blotout_orchestration.id_graph.workspace import Workspace


def find_suspects(space: Workspace, counts: str, rules: Rules) -> None:
    """Make the table `suspects` (key) from a query of counts.

    The query gives, for each key, id_type and provider: `ids`, how many there are; `links`, the most rows of
    evidence that one of them has; `plain`, whether no rule has cut the key until now.
    """
    connection = space.connection
    connection.execute(f"create or replace temporary table counts as {counts}")
    kinds = connection.execute("select distinct id_type, provider from counts").fetchall()
    limits = pa.table(
        {
            "id_type": pa.array([kind[0] for kind in kinds], pa.string()),
            "provider": pa.array([kind[1] for kind in kinds], pa.string()),
            "ids_limit": pa.array([rules.limit(*kind) for kind in kinds], pa.int64()),
            "links_limit": pa.array([rules.maximum_links.get(kind[0]) for kind in kinds], pa.int64()),
        }
    )
    maximum = "null" if rules.maximum_ids_per_person is None else rules.maximum_ids_per_person
    connection.register("kind_limits", limits)
    connection.execute(
        f"""create or replace temporary table suspects as
            select key from counts as c join kind_limits as k
              on c.id_type = k.id_type and c.provider is not distinct from k.provider
            where not plain or ids > ids_limit or links > links_limit
            union
            select key from counts group by key having sum(ids) > {maximum}"""
    )
    connection.unregister("kind_limits")


def find_components_of_new_rules(space: Workspace, rules: Rules) -> None:
    """Make `suspects` (key: component_id) of the components whose people may differ under new rules.

    Those are the components that the old rules have cut, and those that the new ones may cut. The old rules
    need not be known: what they have cut is in id_graph and in id_graph_quarantine.
    """
    find_suspects(space, _COMPONENT_COUNTS, rules)
    space.connection.execute(
        """insert into suspects select distinct component_id from quarantine
           where component_id is not null and component_id not in (select key from suspects)"""
    )


_COMPONENT_COUNTS = """
    select component_id as key, id_type, provider, count(*) as ids, max(links) as links,
           bool_and(global_user_id = component_id) as plain
    from graph group by all
"""
