"""Asset checks of activation: the sums of every channel and day, and the share of bad rows.

Belongs here: what must hold in production. The equations are those of docs/activation.md.
"""

from __future__ import annotations

from dagster import AssetCheckResult, AssetChecksDefinition, AssetCheckSeverity, MetadataValue, asset_check

from blotout_orchestration.activation.contract import ACTIVATION_STATS
from blotout_orchestration.lake import Lake

EQUATIONS = {
    "source_rows = sent + unchanged + invalid + unsent": "source_rows = sent + unchanged + invalid + unsent",
    "sent + removed = accepted + rejected": "sent + removed = accepted + rejected",
    "accepted rows have an outcome": "accepted = outcome_accepted",
    "rejected rows have an outcome": "rejected = outcome_rejected",
    "invalid rows have an outcome": "invalid = outcome_invalid",
}


def activation_checks(lake: Lake) -> list[AssetChecksDefinition]:
    """The checks of `activation_stats`."""

    @asset_check(
        asset=ACTIVATION_STATS.name,
        name="sums_hold",
        blocking=True,
        description="Of every channel and day: source rows = sent + unchanged + invalid + unsent, "
        "sent + removed = accepted + rejected, and each has its row in activation_outcomes.",
    )
    def sums_hold() -> AssetCheckResult:
        broken = [
            (channel, day, equation)
            for equation, condition in EQUATIONS.items()
            for channel, day in _rows(lake, f"not ({condition})")
        ]
        lines = [f"| {channel} | {day} | {equation} |" for channel, day, equation in broken[:50]]
        table = "\n".join(["| channel | day | what does not hold |", "|---|---|---|", *lines])
        return AssetCheckResult(
            passed=not broken,
            metadata={"broken": len(broken), "where": MetadataValue.md(table if lines else "nowhere")},
        )

    @asset_check(
        asset=ACTIVATION_STATS.name,
        name="few_rows_are_bad",
        description="ACTIVATION_BAD_ROW_SHARE: the share of invalid and rejected rows of a channel and day.",
    )
    def few_rows_are_bad() -> AssetCheckResult:
        share = lake.settings.activation_bad_row_share
        found = _rows(
            lake,
            f"invalid + rejected > {share} * (sent + removed + invalid) and date >= current_date - 7",
        )
        listed = ", ".join(f"{channel} on {day}" for channel, day in found[:20]) or "none"
        return AssetCheckResult(
            passed=not found,
            severity=AssetCheckSeverity.WARN,
            metadata={"channels_and_days": len(found), "which": listed},
        )

    return [sums_hold, few_rows_are_bad]


def _rows(lake: Lake, condition: str) -> list[tuple[str, str]]:
    import duckdb

    with duckdb.connect() as connection:
        lake.register(connection, ACTIVATION_STATS.name, ACTIVATION_STATS)
        found = connection.execute(
            f"select channel, date from {ACTIVATION_STATS.name} where coalesce({condition}, true)"
            " order by date, channel"
        ).fetchall()
    return [(str(channel), str(day)) for channel, day in found]
