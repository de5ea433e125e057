"""Asset checks of the ID graph: one person an id, no giant component, redirects that lead somewhere.

Belongs here: what must hold of the graph in production.
"""

from __future__ import annotations

from dagster import AssetCheckResult, AssetChecksDefinition, AssetCheckSeverity, asset_check

from blotout_orchestration.id_graph.contract import ID_GRAPH, ID_GRAPH_MERGES, ID_GRAPH_QUARANTINE
from blotout_orchestration.lake import Lake


def id_graph_checks(lake: Lake) -> list[AssetChecksDefinition]:
    """The checks of `id_graph`."""

    @asset_check(
        asset=ID_GRAPH.name,
        name="an_id_belongs_to_one_person",
        blocking=True,
        description="No id (type, provider, id) stands twice in the graph, and each has a global_user_id.",
    )
    def an_id_belongs_to_one_person() -> AssetCheckResult:
        twice = _count(
            lake,
            "select count(*) - count(distinct (id_type, provider, id)) + count(*) filter (global_user_id is null)"
            " from id_graph",
        )
        return AssetCheckResult(passed=twice == 0, metadata={"ids_wrong": twice})

    @asset_check(
        asset=ID_GRAPH.name,
        name="no_component_is_giant",
        description="No component is in quarantine for its size; see the rules of the id graph.",
    )
    def no_component_is_giant() -> AssetCheckResult:
        giants = _count(
            lake,
            "select count(distinct component_id) from id_graph_quarantine where reason = 'giant_component'",
        )
        return AssetCheckResult(
            passed=giants == 0, severity=AssetCheckSeverity.WARN, metadata={"giant_components": giants}
        )

    @asset_check(
        asset=ID_GRAPH.name,
        name="redirects_lead_to_people",
        description="Every merged global_user_id redirects to one that is in use.",
    )
    def redirects_lead_to_people() -> AssetCheckResult:
        lost = _count(
            lake,
            "select count(*) from id_graph_merges where new_global_user_id is not null"
            " and not exists (select 1 from id_graph where global_user_id = new_global_user_id)",
        )
        return AssetCheckResult(passed=lost == 0, metadata={"redirects_lost": lost})

    return [an_id_belongs_to_one_person, no_component_is_giant, redirects_lead_to_people]


def _count(lake: Lake, query: str) -> int:
    import duckdb

    with duckdb.connect() as connection:
        for spec in (ID_GRAPH, ID_GRAPH_MERGES, ID_GRAPH_QUARANTINE):
            lake.register(connection, spec.name, spec)
        return int(connection.execute(query).fetchall()[0][0])
