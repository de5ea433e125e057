"""The syncs of the channels reconciled by channel and day.

Belongs here: summing activation_runs and holding it against activation_outcomes. Does not belong here: judging
whether the sums hold (checks.py).
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
from pyiceberg.expressions import GreaterThanOrEqual

from blotout_orchestration.activation.contract import ACTIVATION_OUTCOMES, ACTIVATION_RUNS, ACTIVATION_STATS
from blotout_orchestration.lake import Lake

_SUMS = (
    "source_rows", "withheld", "sent", "unchanged", "invalid", "unsent", "removed", "accepted", "rejected",
)  # fmt: skip


def reconcile(lake: Lake, *, days: int, run_id: str, today: date | None = None) -> pa.Table:
    """Write the rows of the last days anew, in one commit, and return the whole table by day and channel.

    Days that were never reconciled are taken too, however old.
    """
    first = _first_day(lake, (today or datetime.now(UTC).date()) - timedelta(days=days - 1))
    rows = _compute(lake, first)
    where = GreaterThanOrEqual(term="date", value=first.isoformat())
    lake.replace(ACTIVATION_STATS, rows, where, {"run_id": run_id, "from": first.isoformat()})
    return lake.read(ACTIVATION_STATS).sort_by([("date", "ascending"), ("channel", "ascending")])


def _first_day(lake: Lake, wanted: date) -> date:
    """The wanted day, or an older one of a sync that is not in the table yet."""
    runs = lake.read(ACTIVATION_RUNS, columns=("started_at",)).column("started_at").to_pylist()
    known = set(lake.read(ACTIVATION_STATS, columns=("date",)).column("date").to_pylist())
    missing: list[date] = [moment.date() for moment in runs if moment.date() not in known]
    return min([wanted, *missing])


def _compute(lake: Lake, first: date) -> pa.Table:
    import duckdb

    sums = ", ".join(f"sum({name})::bigint as {name}" for name in _SUMS)
    columns = ", ".join(column.name for column in ACTIVATION_STATS.columns)
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        lake.register(connection, "runs", ACTIVATION_RUNS)
        lake.register(connection, "outcomes", ACTIVATION_OUTCOMES)
        result = connection.sql(
            f"""
            with syncs as (
                select *, started_at::date as date from runs where started_at::date >= date '{first.isoformat()}'
            ),
            counted as (
                select channel, run_id,
                    count(*) filter (outcome = 'accepted') as accepted,
                    count(*) filter (outcome = 'rejected') as rejected,
                    count(*) filter (outcome = 'invalid') as invalid
                from outcomes where run_id in (select run_id from syncs) group by all
            ),
            summed as (
                select date, channel, max_by(channel_type, finished_at) as channel_type, count(*) as syncs,
                    count(*) filter (state in ('failed', 'held', 'killed')) as failed_syncs, {sums},
                    max_by(matched, finished_at) filter (matched is not null) as matched,
                    max_by(held, finished_at) as held,
                    max_by(matched - held, finished_at) filter (matched is not null) as drift
                from syncs group by date, channel
            ),
            outcome_sums as (
                select syncs.date, syncs.channel,
                    coalesce(sum(counted.accepted), 0)::bigint as outcome_accepted,
                    coalesce(sum(counted.rejected), 0)::bigint as outcome_rejected,
                    coalesce(sum(counted.invalid), 0)::bigint as outcome_invalid
                from syncs left join counted using (channel, run_id) group by all
            )
            select {columns} from summed join outcome_sums using (date, channel) order by date, channel
            """
        )
        return result.to_arrow_table().cast(ACTIVATION_STATS.arrow_schema)


def newest_by_channel(rows: pa.Table) -> str:
    """The newest day of every channel as a Markdown table."""
    newest = {row["channel"]: row for row in rows.to_pylist()}
    shown = ("date", "source_rows", "sent", "unchanged", "invalid", "removed", "accepted", "rejected", "held")
    lines = ["| channel | " + " | ".join(shown) + " | matched | drift |", "|---" * (len(shown) + 3) + "|"]
    for channel, row in sorted(newest.items()):
        told = ["not told" if row[name] is None else str(row[name]) for name in ("matched", "drift")]
        lines.append(f"| {channel} | " + " | ".join([str(row[name]) for name in shown] + told) + " |")
    return "\n".join(lines)
