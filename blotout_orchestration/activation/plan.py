"""What a sync will do: the rules of the modes as SQL over `audience`, `suppressed` and `ledger`.

Belongs here: the rules only. Does not belong here: where the tables come from (staging.py, ledger.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from blotout_orchestration.activation.channel import Operation, Row
from blotout_orchestration.activation.definition import Definition

Kind = Literal["create", "update", "remove"]


@dataclass(frozen=True)
class Counts:
    """What a plan comes to, in rows. `held`: people that the destination has of us before the sync."""

    withheld: int
    source_rows: int
    creates: int
    updates: int
    removals: int
    unchanged: int
    invalid: int
    held: int

    @property
    def due(self) -> int:
        """Rows of the audience that will be sent."""
        return self.creates + self.updates


@dataclass(frozen=True)
class Planned:
    """A row to be sent. `earlier_batch` is the batch in which a killed sync may have sent it."""

    row: Row
    operation: Operation
    kind: Kind
    size: int
    earlier_batch: str | None


_HELD = "(ledger.held_hash is not null or ledger.state = 'unknown')"


def plan_sql(definition: Definition, *, replay: bool, maximum_attempts: int) -> list[str]:
    """Statements that mark the audience's rows and make the tables `plan` and `counts`."""
    return [
        *_JUDGED_TOGETHER,
        _given_up(definition, maximum_attempts),
        _plan(definition, replay=replay, maximum_attempts=maximum_attempts),
        _COUNTS,
    ]


_JUDGED_TOGETHER = (
    "update audience set state = 'withheld', reason = 'suppressed'"
    " where state <> 'withheld' and suppression in (from suppressed)",
    # One row of a person that withholds consent speaks for all rows of that person.
    "update audience set state = 'withheld', reason = 'no_consent' where state <> 'withheld'"
    " and key_hash in (select key_hash from audience where state = 'withheld' and key_hash is not null)",
    "create table twice as select key_hash, count(distinct payload_hash) as payloads, min(row_number) as chosen"
    " from audience where state = 'ready' group by key_hash having count(*) > 1",
    # Equal copies: one is sent. Copies that differ: none, since nothing says which of them is right.
    "update audience set state = 'invalid',"
    " reason = case when twice.payloads > 1 then 'duplicate_key: rows that differ' else 'duplicate_key' end"
    " from twice where audience.key_hash = twice.key_hash and audience.state = 'ready'"
    " and (twice.payloads > 1 or audience.row_number <> twice.chosen)",
    "create table present as select distinct key_hash from audience"
    " where state <> 'withheld' and key_hash is not null",
    "create table withheld as select distinct key_hash from audience"
    " where state = 'withheld' and key_hash is not null",
)


def _due(definition: Definition, *, replay: bool) -> str:
    if definition.mode == "delete":
        return "true" if replay else "(ledger.key_hash is null or ledger.state <> 'removed')"
    if definition.mode == "create" and not replay:
        return "(ledger.key_hash is null or ledger.held_hash is null or ledger.state = 'unknown')"
    if replay:
        return "true"
    return (
        "(ledger.key_hash is null or ledger.state = 'unknown'"
        " or ledger.held_hash is distinct from audience.payload_hash)"
    )


def _given_up(definition: Definition, maximum_attempts: int) -> str:
    """Rows that the destination rejected too often as they are; other values make them new."""
    return (
        f"update audience set state = 'invalid', reason = 'given_up: rejected {maximum_attempts} times;"
        " reset the channel or mend the row' from ledger"
        " where audience.key_hash = ledger.key_hash and audience.state = 'ready' and ledger.state = 'rejected'"
        f" and ledger.operation = '{definition.operation}' and ledger.attempts >= {maximum_attempts}"
        " and ledger.tried_hash = audience.payload_hash"
    )


def _plan(definition: Definition, *, replay: bool, maximum_attempts: int) -> str:
    operation = definition.operation
    kind = "'remove'" if definition.mode == "delete" else f"case when {_HELD} then 'update' else 'create' end"
    sending = (
        f"select 1 as part, {kind} as kind, '{operation}' as operation, audience.key_hash,"
        " audience.payload_hash, audience.payload, audience.size, audience.removal_key,"
        f" case when ledger.state = 'unknown' and ledger.operation = '{operation}'"
        " and ledger.tried_hash is not distinct from audience.payload_hash then ledger.batch end as earlier_batch"
        " from audience left join ledger on audience.key_hash = ledger.key_hash"
        f" where audience.state = 'ready' and {_due(definition, replay=replay)}"
    )
    return (
        "create table plan as select row_number() over (order by part, earlier_batch nulls last, key_hash) as place,"
        f" * from ({sending}{_removing(definition, maximum_attempts)})"
    )


def _removing(definition: Definition, maximum_attempts: int) -> str:
    """Who is removed: in mode mirror all who left; otherwise who withdrew consent or was suppressed."""
    if definition.mode in ("delete", "append"):
        return ""
    gone = "present" if definition.mirrors else "withheld"
    negated = "not " if definition.mirrors else ""
    return (
        " union all select 2, 'remove', 'delete', ledger.key_hash, null, null, 64, ledger.removal_key,"
        " case when ledger.state = 'unknown' and ledger.operation = 'delete' then ledger.batch end"
        f" from ledger where {_HELD} and {negated}exists (select 1 from {gone} where"
        f" {gone}.key_hash = ledger.key_hash) and not (ledger.state = 'rejected' and"
        f" ledger.operation = 'delete' and ledger.attempts >= {maximum_attempts})"
    )


_COUNTS = """
create table counts as select
    (select count(*) from audience where state = 'withheld') as withheld,
    (select count(*) from audience where state <> 'withheld') as source_rows,
    (select count(*) from plan where part = 1 and kind = 'create') as creates,
    (select count(*) from plan where part = 1 and kind <> 'create') as updates,
    (select count(*) from plan where part = 2) as removals,
    (select count(*) from audience where state = 'ready')
        - (select count(*) from plan where part = 1) as unchanged,
    (select count(*) from audience where state = 'invalid') as invalid,
    (select count(*) from ledger where held_hash is not null or state = 'unknown') as held
"""
