"""Funnel reports and drop-off lists from the warehouse.

Belongs here: running the funnels and counting their steps. The query of a funnel is in funnel_sql.py. A funnel
that cannot be computed keeps its rows of the last run; the others go on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pyarrow as pa
from pyiceberg.expressions import AlwaysTrue, BooleanExpression, NotIn

from blotout_orchestration.entities.contract import FUNNEL_DROPOFFS, FUNNEL_REPORT
from blotout_orchestration.entities.definitions import FunnelDefinition
from blotout_orchestration.entities.fields import DefinitionError
from blotout_orchestration.entities.funnel_sql import compile_funnel
from blotout_orchestration.entities.membership import failure_text
from blotout_orchestration.entities.registry import held_versions
from blotout_orchestration.entities.warehouse import MOMENT, Published, open_published
from blotout_orchestration.lake import Lake
from blotout_orchestration.platform.warehouse_reader import ReaderError

_REACHED = pa.schema(
    [
        ("global_user_id", pa.string()),
        ("session_key", pa.string()),
        ("step", pa.int32()),
        ("started_at", MOMENT),
        ("reached_at", MOMENT),
    ]
)


@dataclass
class FunnelResult:
    """A run's outcome: the rows of both tables, and why some funnels could not be computed."""

    as_of: datetime
    report: pa.Table = field(default_factory=FUNNEL_REPORT.arrow_schema.empty_table)
    dropoffs: pa.Table = field(default_factory=FUNNEL_DROPOFFS.arrow_schema.empty_table)
    failures: dict[str, str] = field(default_factory=dict)


def update_funnels(
    lake: Lake,
    *,
    run_id: str,
    as_of: datetime | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> FunnelResult:
    """Compute all live funnels and replace their rows; rows of removed funnels go. Same data, same rows.

    Rows of a funnel without a trace in the registry stay, and it is a failure: it may be another registry.
    """
    import duckdb

    held = held_versions(lake.settings, "funnel")
    with open_published(lake.settings, as_of) as published:
        result = FunnelResult(published.as_of, failures=_unknown(lake, [version.name for version in held]))
        for version in held:
            if version.is_deleted:
                continue
            try:
                definition = version.definition()
                assert isinstance(definition, FunnelDefinition)
                report, dropoffs = measure(published, definition, version.number)
            except (DefinitionError, ReaderError, duckdb.Error) as error:
                result.failures[version.name] = failure_text(error)
                progress(f"funnel {version.name} could not be computed")
                continue
            result.report = pa.concat_tables([result.report, report])
            result.dropoffs = pa.concat_tables([result.dropoffs, dropoffs])
            progress(f"funnel {version.name}: {dropoffs.num_rows:,} did not finish")
    computed: BooleanExpression = AlwaysTrue()
    if result.failures:
        computed = NotIn("funnel", set(result.failures))  # type: ignore[misc, call-arg]
    proof = {"run_id": run_id, "as_of": result.as_of.isoformat()}
    lake.replace(FUNNEL_DROPOFFS, result.dropoffs, computed, proof)
    lake.replace(FUNNEL_REPORT, result.report, computed, proof)
    return result


def _unknown(lake: Lake, names: Sequence[str]) -> dict[str, str]:
    """Funnels with rows that the registry has never held, and what to do."""
    written: set[str] = set()
    for table in (FUNNEL_REPORT, FUNNEL_DROPOFFS):
        lake.ensure(table)
        written |= set(lake.read(table, columns=("funnel",)).column("funnel").to_pylist())
    advice = (
        "the registry has never held it: its rows are kept; check PLATFORM_DATABASE, or add the funnel again "
        "(and remove it, if they are to go)"
    )
    return dict.fromkeys(sorted(written - set(names)), advice)


def measure(published: Published, definition: FunnelDefinition, version: int) -> tuple[pa.Table, pa.Table]:
    """The rows of `funnel_report` and of `funnel_dropoffs` of one funnel.

    Raises DefinitionError, ReaderError or duckdb.Error.
    """
    connection = published.connection
    published.load("reached", compile_funnel(definition, published.columns, published.as_of), _REACHED)
    names = step_names(definition)
    steps = pa.table({"step": pa.array(range(1, len(names) + 1), pa.int32()), "step_name": names})
    connection.register("steps", steps)
    values = {"funnel": definition.name, "version": version, "as_of": published.as_of}
    report = _table(connection, _REPORT, {**values, "per": definition.per}, FUNNEL_REPORT.arrow_schema)
    seconds = round(definition.window.total_seconds())
    dropoffs = _table(
        connection,
        _DROPOFFS,
        {**values, "seconds": seconds, "steps": len(names)},
        FUNNEL_DROPOFFS.arrow_schema,
    )
    connection.unregister("steps")
    connection.execute("drop table reached")
    return report, dropoffs


def step_names(definition: FunnelDefinition) -> list[str]:
    """What the steps of the report are called."""
    if definition.order != "any_order":
        return [step.step for step in definition.steps]
    numbers = range(1, len(definition.steps) + 1)
    return [f"any {number} step{'s' if number > 1 else ''}" for number in numbers]


def _table(connection: Any, query: str, values: dict[str, Any], schema: pa.Schema) -> pa.Table:
    found = connection.sql(query, params=values).to_arrow_table()
    table: pa.Table = found.select(schema.names).cast(schema)
    return table


_REPORT = """
with taken as (
    select step, count(*) as reached,
        quantile_cont(epoch_us(reached_at) - epoch_us(started_at), [0.5, 0.75, 0.9]) as waited
    from reached group by step
),
counted as (
    select steps.step, steps.step_name, coalesce(taken.reached, 0) as reached, taken.waited,
        first_value(coalesce(taken.reached, 0)) over (order by steps.step) as started,
        lag(coalesce(taken.reached, 0)) over (order by steps.step) as before
    from steps left join taken on taken.step = steps.step
)
select $funnel::varchar as funnel, $version::bigint as version, $as_of::timestamptz as as_of, $per::varchar as per,
    step, step_name, reached, coalesce(before - reached, 0) as dropped,
    reached / nullif(started, 0) as conversion, reached / nullif(coalesce(before, reached), 0) as step_conversion,
    waited[1] / 1e6 as seconds_p50, waited[2] / 1e6 as seconds_p75, waited[3] / 1e6 as seconds_p90
from counted order by step
"""

_DROPOFFS = """
with furthest as (
    select * from reached
    qualify row_number() over (partition by global_user_id, session_key order by step desc) = 1
)
select $funnel::varchar as funnel, $version::bigint as version, $as_of::timestamptz as as_of,
    furthest.global_user_id, furthest.session_key, furthest.step::int as step, steps.step_name,
    following.step_name as next_step_name, furthest.started_at, furthest.reached_at,
    furthest.started_at + to_seconds($seconds) > $as_of as is_window_open
from furthest
join steps on steps.step = furthest.step
join steps as following on following.step = furthest.step + 1
where furthest.step < $steps
order by furthest.global_user_id, furthest.session_key
"""
