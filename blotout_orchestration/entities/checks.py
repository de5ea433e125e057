"""Asset checks of segments and funnels: what must hold of their tables in production.

Belongs here: the checks that read the tables. Whether each definition could be computed is said by the assets.
"""

from __future__ import annotations

from dagster import AssetCheckResult, AssetChecksDefinition, asset_check

from blotout_orchestration.entities.contract import FUNNEL_DROPOFFS, FUNNEL_REPORT, SEGMENT_MEMBERSHIP
from blotout_orchestration.lake import Lake


def entities_checks(lake: Lake) -> list[AssetChecksDefinition]:
    """The checks of `segment_membership` and `funnel_report`."""

    @asset_check(
        asset=SEGMENT_MEMBERSHIP.name,
        name="a_person_is_in_a_segment_once",
        blocking=True,
        description="No person has two open stays in a segment, and nobody left before entering.",
    )
    def a_person_is_in_a_segment_once() -> AssetCheckResult:
        twice = _number(
            lake,
            "select count(*) - count(distinct (segment, global_user_id)) from segment_membership where left_at is null",
        )
        backwards = _number(lake, "select count(*) from segment_membership where left_at < entered_at")
        return AssetCheckResult(
            passed=twice == 0 and backwards == 0,
            metadata={"open_stays_too_many": twice, "left_before_entered": backwards},
        )

    @asset_check(
        asset=FUNNEL_REPORT.name,
        additional_deps=[FUNNEL_DROPOFFS.name],
        name="started_is_finished_plus_dropped",
        description="For each funnel: who started = who finished + the drop-off list; no step has more than the one before.",
    )
    def started_is_finished_plus_dropped() -> AssetCheckResult:
        wrong = _number(
            lake,
            "with sums as (select funnel, max(reached) filter (step = 1) as started, min_by(reached, -step) as finished"
            " from funnel_report group by funnel),"
            " lost as (select funnel, count(*) as dropped from funnel_dropoffs group by funnel)"
            " select count(*) from sums left join lost using (funnel)"
            " where started <> finished + coalesce(dropped, 0)",
        )
        growing = _number(lake, "select count(*) from funnel_report where dropped < 0")
        return AssetCheckResult(
            passed=wrong == 0 and growing == 0,
            metadata={"funnels_that_differ": wrong, "steps_that_grow": growing},
        )

    return [a_person_is_in_a_segment_once, started_is_finished_plus_dropped]


def _number(lake: Lake, query: str) -> int:
    import duckdb

    with duckdb.connect() as connection:
        for spec in (SEGMENT_MEMBERSHIP, FUNNEL_REPORT, FUNNEL_DROPOFFS):
            lake.register(connection, spec.name, spec)
        return int(connection.execute(query).fetchall()[0][0])
