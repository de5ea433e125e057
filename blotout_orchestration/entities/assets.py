"""Segments and funnels as Dagster assets.

Belongs here: thin assets over predefined.py, membership.py and funnels.py, and what their pages show. Jobs and
sensors are in automation.py, checks in checks.py.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from dagster import (
    AssetCheckResult,
    AssetCheckSpec,
    AssetExecutionContext,
    AssetKey,
    AssetsDefinition,
    AssetSpec,
    Config,
    MaterializeResult,
    MetadataValue,
    asset,
    multi_asset,
)
from pydantic import Field

from blotout_orchestration.entities.columns import EVENTS, USERS
from blotout_orchestration.entities.contract import FUNNEL_DROPOFFS, FUNNEL_REPORT, SEGMENT_MEMBERSHIP
from blotout_orchestration.errors import BlotoutError, UsageError
from blotout_orchestration.lake import Lake
from blotout_orchestration.platform.assets import OWNERS, table_metadata
from blotout_orchestration.platform.automation import follows_its_inputs
from blotout_orchestration.platform.plots import picture

GROUP = "entities"
DEFINITIONS = "entity_definitions"
POOL = "entities"
COMPUTED = "every_definition_was_computed"


class EntitiesConfig(Config):
    """Options of a run of segments or funnels."""

    as_of: str | None = Field(
        default=None,
        description="Moment to judge recency by, ISO 8601; events after it do not count, profiles are as they are now. "
        "Default: the end of the newest processed hour.",
    )

    def moment(self) -> datetime | None:
        """The moment in UTC. Raises UsageError."""
        if self.as_of is None:
            return None
        try:
            found = datetime.fromisoformat(self.as_of)
        except ValueError:
            raise UsageError(f"as_of = {self.as_of!r} is no ISO 8601 moment") from None
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


class UncomputedError(BlotoutError):
    """Some definitions could not be computed; the others were, and are committed."""


def entities_assets(lake: Lake) -> list[AssetsDefinition]:
    """`entity_definitions`, `segment_membership`, `funnel_report` and `funnel_dropoffs`."""

    @asset(
        name=DEFINITIONS,
        group_name=GROUP,
        description="Segments and funnels of the registry, a row a version. When a Shopify pipeline is there, "
        "the predefined ones are created once; newer releases are offered, and users' own edits stay.",
        kinds={"python"},
        owners=OWNERS,
    )
    def entity_definitions(context: AssetExecutionContext) -> MaterializeResult[None]:
        from blotout_orchestration.entities.predefined import create_entities

        done = create_entities(lake.settings, run_id=context.run_id)
        for label in done.created:
            context.log.info(f"created {label}")
        for label in done.offered:
            context.log.info(f"a newer release of {label} is offered; `accept` takes it")
        return MaterializeResult(metadata=_definitions_metadata(lake, done))

    @asset(
        name=SEGMENT_MEMBERSHIP.name,
        group_name=GROUP,
        deps=[USERS, EVENTS, DEFINITIONS],
        description=SEGMENT_MEMBERSHIP.description,
        kinds={"python", "duckdb", "iceberg"},
        owners=OWNERS,
        metadata=table_metadata(lake, SEGMENT_MEMBERSHIP),
        automation_condition=follows_its_inputs(),
        pool=POOL,
        check_specs=[_computed_spec(SEGMENT_MEMBERSHIP.name, "segment")],
    )
    def segment_membership(context: AssetExecutionContext, config: EntitiesConfig) -> Iterator[Any]:
        from blotout_orchestration.entities.membership import update_membership

        result = update_membership(
            lake, run_id=context.run_id, as_of=config.moment(), progress=context.log.info
        )
        yield MaterializeResult(metadata=_membership_metadata(lake, result))
        yield _computed(SEGMENT_MEMBERSHIP.name, result.failures)
        _end_red(result.failures, "segment")

    tables = (FUNNEL_REPORT, FUNNEL_DROPOFFS)

    @multi_asset(
        name="measure_funnels",
        specs=[
            AssetSpec(
                spec.name,
                deps=[EVENTS, DEFINITIONS],
                description=spec.description,
                group_name=GROUP,
                kinds={"python", "duckdb", "iceberg"},
                owners=OWNERS,
                metadata=table_metadata(lake, spec),
                automation_condition=follows_its_inputs(),
            )
            for spec in tables
        ],
        pool=POOL,
        check_specs=[_computed_spec(FUNNEL_REPORT.name, "funnel")],
        description="Run every funnel: steps, conversion, time to convert, and who dropped off.",
    )
    def measure_funnels(context: AssetExecutionContext, config: EntitiesConfig) -> Iterator[Any]:
        from blotout_orchestration.entities.funnels import update_funnels
        from blotout_orchestration.entities.plots import funnel_bars

        result = update_funnels(lake, run_id=context.run_id, as_of=config.moment(), progress=context.log.info)
        as_of = MetadataValue.timestamp(result.as_of)
        steps = picture(funnel_bars(result.report), "steps of the funnels")
        report = {"dagster/row_count": result.report.num_rows, "as_of": as_of, "steps": steps}
        dropoffs = {"dagster/row_count": result.dropoffs.num_rows, "as_of": as_of}
        yield MaterializeResult(asset_key=FUNNEL_REPORT.name, metadata=report)
        yield _computed(FUNNEL_REPORT.name, result.failures)
        yield MaterializeResult(asset_key=FUNNEL_DROPOFFS.name, metadata=dropoffs)
        _end_red(result.failures, "funnel")

    return [entity_definitions, segment_membership, measure_funnels]


def _computed_spec(key: str, what: str) -> AssetCheckSpec:
    return AssetCheckSpec(
        COMPUTED,
        asset=key,
        description=f"Each live {what} could be computed; a broken one is named and keeps its rows.",
    )


def _computed(key: str, failures: dict[str, str]) -> AssetCheckResult:
    named = {name: MetadataValue.text(text) for name, text in sorted(failures.items())}
    return AssetCheckResult(asset_key=AssetKey(key), check_name=COMPUTED, passed=not failures, metadata=named)


def _end_red(failures: dict[str, str], what: str) -> None:
    if failures:
        lines = [f"{what} {name} was not computed: {text}" for name, text in sorted(failures.items())]
        raise UncomputedError("\n".join([*lines, f"every other {what} is up to date"]))


def _definitions_metadata(lake: Lake, done: Any) -> dict[str, Any]:
    from blotout_orchestration.entities.registry import history, holding, offer

    lines = ["| kind | name | version | origin | offered |", "|---|---|---|---|---|"]
    for (kind, name), versions in sorted(history(lake.settings).items()):
        held, waiting = holding(versions), offer(versions)
        if held is not None and not held.is_deleted:
            release = "" if waiting is None else f"release {waiting.release}"
            lines.append(f"| {kind} | {name} | {held.number} | {held.origin} | {release} |")
    return {
        "shopify_pipelines": ", ".join(done.pipelines) or "none",
        "created": len(done.created),
        "offered": len(done.offered),
        "definitions": MetadataValue.md("\n".join(lines)),
    }


def _membership_metadata(lake: Lake, result: Any) -> dict[str, Any]:
    from blotout_orchestration.entities.plots import segment_sizes, sizes_over_time

    lines = ["| segment | version | people | entered | left |", "|---|---|---|---|---|"]
    lines += [
        f"| {row.segment} | {row.version or 'removed'} | {row.members:,} | {row.entered:,} | {row.left:,} |"
        for row in result.changes
    ]
    return {
        "as_of": MetadataValue.timestamp(result.as_of),
        "segments": len(result.changes),
        "entered": sum(row.entered for row in result.changes),
        "left": sum(row.left for row in result.changes),
        "moved_to_merged_ids": result.moved,
        "changes": MetadataValue.md("\n".join(lines)),
        "sizes": picture(segment_sizes(sizes_over_time(lake), result.as_of), "segments over time"),
    }
