"""The ledger, runs and outcomes in the lake: what a channel holds of us, and how a journal changes it.

Belongs here: reading and appending them. A journal may be applied again: previous rows are those of lower
versions, so the same journal gives the same rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyiceberg.expressions import And, EqualTo

from blotout_orchestration.activation.contract import ACTIVATION_LEDGER, ACTIVATION_OUTCOMES, ACTIVATION_RUNS
from blotout_orchestration.activation.journal import Header, batches, invalid_rows
from blotout_orchestration.lake import Lake
from blotout_orchestration.lake.reads import quote

CHUNK = 50_000
MAXIMUM_FILES = 64
UNKNOWN = "unknown"
_SENT = pa.schema(
    [
        ("key_hash", pa.string()),
        ("payload_hash", pa.string()),
        ("removal_key", pa.string()),
        ("operation", pa.string()),
        ("outcome", pa.string()),
        ("reason", pa.string()),
        ("batch", pa.string()),
    ]
)


def load_ledger(lake: Lake, connection: Any, channel: str, below: int | None = None) -> None:
    """Make the table `ledger` in a DuckDB connection: the row that holds of every key of a channel.

    `below`: only versions below it.
    """
    where = EqualTo(term="channel", value=channel)
    lake.register(connection, "ledger_log", ACTIVATION_LEDGER, where)
    older = "" if below is None else f" and version < {below}"
    connection.execute(
        f"create or replace table ledger as select * from ledger_log where channel = {quote(channel)}{older}"
        " qualify row_number() over (partition by key_hash order by version desc) = 1"
    )


def next_version(connection: Any, now: datetime) -> int:
    """Number of the sync that is about to begin: above all in the table `ledger`, and the time in milliseconds.

    Idempotency keys carry it: after a reset of the ledger no number must come again.
    """
    rows = connection.execute("select coalesce(max(version), 0) + 1 from ledger").fetchall()
    return max(int(rows[0][0]), int(now.timestamp() * 1000))


def count_held(connection: Any) -> int:
    """People that the destination holds by the table `ledger`."""
    rows = connection.execute(
        "select count(*) from ledger where held_hash is not null or state = 'unknown'"
    ).fetchall()
    return int(rows[0][0])


def any_unknown(connection: Any) -> bool:
    """Whether the table `ledger` has rows whose answer was never seen."""
    rows = connection.execute(f"select count(*) from ledger where state = '{UNKNOWN}'").fetchall()
    return bool(rows[0][0])


def apply_journal(lake: Lake, connection: Any, path: Path, header: Header, now: datetime) -> dict[str, int]:
    """Bring a journal into activation_ledger and activation_outcomes; returns the counts of its answers.

    Afterwards the connection's table `ledger` is the new state.
    """
    load_ledger(lake, connection, header.channel, below=header.version)
    counts = _load_sent(connection, path)
    properties = {"run_id": header.sync_id, "channel": header.channel}
    counts["invalid"] = _write_outcomes(lake, connection, path, header, now, properties)
    connection.execute(_CHANGED, [header.channel, header.version, header.sync_id, now])
    for chunk in _chunks(connection, "changed", "key_hash"):
        lake.append(ACTIVATION_LEDGER, chunk.select(ACTIVATION_LEDGER.arrow_schema.names), properties)
    load_ledger(lake, connection, header.channel)
    _fold(lake, connection, header.channel, properties)
    return counts


def _load_sent(connection: Any, path: Path) -> dict[str, int]:
    """The table `sent`: every sent row of a journal with its outcome."""
    columns = ", ".join(f"{name} varchar" for name in _SENT.names)
    connection.execute(f"create or replace table sent (place bigint, {columns})")
    counts = {"sent": 0, "removed": 0, "accepted": 0, "rejected": 0, "batches": 0, UNKNOWN: 0}
    place = 0
    for batch in batches(path):
        rows = []
        for index, (key_hash, payload_hash, removal_key) in enumerate(batch.rows):
            reason = None if batch.rejected is None else batch.rejected.get(index)
            outcome = UNKNOWN if batch.rejected is None else "rejected" if reason else "accepted"
            values = (key_hash, payload_hash, removal_key, batch.operation, outcome, reason, batch.key)
            rows.append(dict(zip(_SENT.names, values, strict=True)))
            counts[outcome] += 1
            if outcome != UNKNOWN:
                counts["removed" if batch.operation == "delete" and payload_hash is None else "sent"] += 1
        counts["batches"] += batch.rejected is not None
        table = pa.Table.from_pylist(rows, schema=_SENT)
        numbers = pa.array(range(place, place + len(rows)), pa.int64())
        place += len(rows)
        connection.register("arriving", table.add_column(0, "place", numbers))
        connection.execute("insert into sent from arriving")
        connection.unregister("arriving")
    return counts


_CHANGED = """
create or replace table changed as
with last as (
    select * from sent qualify row_number() over (partition by key_hash order by place desc) = 1
)
select $1 as channel, last.key_hash, $2::bigint as version,
    case last.outcome when 'unknown' then 'unknown' when 'rejected' then 'rejected'
        else case when last.operation = 'delete' then 'removed' else 'delivered' end end as state,
    last.operation,
    case when last.outcome = 'accepted' then case when last.operation <> 'delete' then last.payload_hash end
         when last.outcome = 'unknown' and last.operation <> 'delete' then 'unknown'
         else ledger.held_hash end as held_hash,
    last.payload_hash as tried_hash,
    cast(case when last.outcome <> 'rejected' then 0
         when ledger.state = 'rejected' and ledger.operation = last.operation
              and ledger.tried_hash is not distinct from last.payload_hash then ledger.attempts + 1
         else 1 end as integer) as attempts,
    last.reason,
    case when last.outcome = 'accepted' and last.operation = 'delete' then null
         else coalesce(last.removal_key, ledger.removal_key) end as removal_key,
    last.batch, $3 as run_id, $4::timestamptz as recorded_at
from last left join ledger on last.key_hash = ledger.key_hash
"""


def _chunks(connection: Any, table: str, order: str) -> Iterator[pa.Table]:
    ((rows,),) = connection.execute(f"select count(*) from {table}").fetchall()
    for start in range(0, rows, CHUNK):
        yield (
            connection.sql(f"from {table} order by {order} limit {CHUNK} offset {start}")
            .to_arrow_table()
            .replace_schema_metadata(None)
        )


def _write_outcomes(
    lake: Lake, connection: Any, path: Path, header: Header, now: datetime, properties: dict[str, str]
) -> int:
    """Replace the sync's outcomes: the first chunk deletes what an earlier try wrote. Returns the invalid rows."""
    connection.execute(
        "create or replace table outcomes as select place, $1 as channel, $2 as run_id, key_hash, operation,"
        " outcome, reason, batch, $3::timestamptz as recorded_at from sent where outcome <> 'unknown'",
        [header.channel, header.sync_id, now],
    )
    schema = pa.schema([("key_hash", pa.string()), ("reason", pa.string())])
    rows, count = invalid_rows(path), 0
    while invalid := [dict(zip(schema.names, row, strict=True)) for row in islice(rows, CHUNK)]:
        count += len(invalid)
        connection.register("arriving", pa.Table.from_pylist(invalid, schema=schema))
        connection.execute(
            "insert into outcomes select -1, $1, $2, key_hash, null, 'invalid', reason, null, $3::timestamptz"
            " from arriving",
            [header.channel, header.sync_id, now],
        )
        connection.unregister("arriving")
    names = ACTIVATION_OUTCOMES.arrow_schema.names
    where = And(EqualTo(term="channel", value=header.channel), EqualTo(term="run_id", value=header.sync_id))
    for number, chunk in enumerate(_chunks(connection, "outcomes", "place, rowid")):
        if number == 0:
            lake.replace(ACTIVATION_OUTCOMES, chunk.select(names), where, properties)
        else:
            lake.append(ACTIVATION_OUTCOMES, chunk.select(names), properties)
    return count


def _fold(lake: Lake, connection: Any, channel: str, properties: dict[str, str]) -> None:
    """Keep only the rows that hold, once a channel's log has become many files."""
    where = EqualTo(term="channel", value=channel)
    if len(lake.plan(ACTIVATION_LEDGER, where).files) <= MAXIMUM_FILES:
        return
    names = ACTIVATION_LEDGER.arrow_schema.names
    rows = connection.sql("from ledger").to_arrow_table().select(names)
    lake.replace(ACTIVATION_LEDGER, rows, where, properties)


def forget_ledger(lake: Lake, channel: str, run_id: str) -> None:
    """Forget what a channel holds of us; the next sync sends everything as if for the first time."""
    empty = ACTIVATION_LEDGER.arrow_schema.empty_table()
    where = EqualTo(term="channel", value=channel)
    lake.replace(ACTIVATION_LEDGER, empty, where, {"run_id": run_id, "channel": channel, "reset": "true"})


def write_run(lake: Lake, row: dict[str, Any]) -> None:
    """One row of activation_runs, instead of an earlier one of the same sync."""
    where = And(EqualTo(term="channel", value=row["channel"]), EqualTo(term="run_id", value=row["run_id"]))
    table = pa.Table.from_pylist([row], schema=ACTIVATION_RUNS.arrow_schema)
    lake.replace(ACTIVATION_RUNS, table, where, {"run_id": row["run_id"], "channel": row["channel"]})


def unused_sync_id(lake: Lake, channel: str, run_id: str) -> str:
    """The run's id, or with a number after it when the same run has synced the channel before (a retry)."""
    where = EqualTo(term="channel", value=channel)
    used = set(lake.read(ACTIVATION_RUNS, where, columns=("run_id",)).column("run_id").to_pylist())
    number, proposal = 1, run_id
    while proposal in used:
        number += 1
        proposal = f"{run_id}-{number}"
    return proposal
