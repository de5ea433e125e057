"""The jobs that keep the platform healthy.

Belongs here: schedules, ages and thresholds of maintenance. Does not belong here: what reads them.
"""

from __future__ import annotations

from pydantic import BaseModel

from blotout_orchestration import setting_fields as fields
from blotout_orchestration.setting_fields import setting

_GROUP = "Maintenance"
_PATTERNS = "names with `*` and `?`, with commas between them"
"""How a list of patterns is written; empty matches nothing."""


def _number(default: int, meaning: str, unit: str, lowest: int, highest: int) -> int:
    expects = f"{unit}, a whole number from {lowest} to {highest}"
    number: int = setting(_GROUP, default, meaning, expects, str(default), ge=lowest, le=highest)
    return number


def _cron(default: str, meaning: str) -> str:
    expects = "a cron expression of five fields, or an alias such as `@hourly`; times are UTC"
    expression: str = setting(_GROUP, default, meaning, expects, default)
    return expression


class MaintenanceSettings(BaseModel):
    """Compaction, cleanup, idle connections, first launch."""

    compression_schedule_interval: fields.Cron = _cron(
        "30 2 * * *", "When small files of the lake are compacted and old snapshots expire."
    )
    cleanup_temp_tables_schedule_interval: fields.Cron = _cron(
        "15 4 * * *", "When temporary tables, query results and build folders are removed."
    )
    compaction_target_megabytes: int = _number(
        128, "Size that compaction packs files to.", "megabytes", 1, 1024
    )
    compaction_minimum_files: int = _number(
        5, "A partition with fewer small files than this is left alone.", "files", 2, 10_000
    )
    compaction_average_megabytes: int = _number(
        64,
        "A partition whose small files are larger than this on average is left alone.",
        "megabytes",
        1,
        512,
    )
    compaction_open_hours: int = _number(
        3,
        "How long after its end a partition of time still counts as open; open ones are skipped.",
        "hours",
        0,
        720,
    )
    snapshot_keep_days: int = _number(
        3,
        "How long a snapshot of a lake table is kept after another one took its place.",
        "days",
        1,
        3650,
    )
    snapshot_minimum: int = _number(
        1, "Newest snapshots of a lake table that are kept whatever their age.", "snapshots", 1, 1000
    )
    unreferenced_grace_hours: int = _number(
        72,
        "Age below which a file that no snapshot refers to is not touched: somebody may be writing it.",
        "hours",
        6,
        8784,
    )
    temporary_table_patterns: str = setting(
        _GROUP,
        "*__dbt_tmp*,*__dbt_backup*,*__tmp_*,tmp_*,temp_*",
        "Tables, views and schemas that are temporary by their name.",
        _PATTERNS,
        "*__dbt_tmp*,tmp_*",
    )
    temporary_table_hours: int = _number(
        24, "Age at which a temporary table or schema is dropped.", "hours", 1, 8784
    )
    query_result_days: int = _number(
        7, "Age at which a result in the athena-logs layer is removed.", "days", 1, 3650
    )
    dbt_target_days: int = _number(
        14, "Age at which the folder that a dbt run compiled into is removed.", "days", 1, 3650
    )
    staging_days: int = _number(
        30,
        "Age at which what a load left behind is removed: `staging/` of the stg layer, BLOTOUT_HOME/elt.",
        "days",
        1,
        3650,
    )
    cleanup_maximum_share: int = _number(
        20,
        "Cleanup refuses a pattern that matches a larger share of the lake's tables than this.",
        "percent",
        1,
        100,
    )
    protected_patterns: str = setting(
        _GROUP,
        "",
        "Names that cleanup must never match, beside the tables that the platform itself declares.",
        _PATTERNS,
        "keep_*,finance_*",
    )
    superset_url: str | None = setting(
        _GROUP,
        None,
        "Address of Superset, which one_time_setup connects to the warehouse; default no Superset.",
        "`http://host:port`, or https",
        "https://superset.example.com",
        pattern=r"^https?://[^\s@]+$",
    )
    idle_connection_minutes: int = _number(
        60, "Idle time after which a database connection is closed.", "minutes", 1, 43_200
    )
    idle_transaction_minutes: int = _number(
        240,
        "Idle time within a transaction after which a connection is closed; IDLE_CONNECTION_MINUTES counts where it is longer.",
        "minutes",
        1,
        43_200,
    )
    idle_connection_applications: str = setting(
        _GROUP, "*", "Applications whose idle connections are closed.", _PATTERNS, "superset*,*"
    )
    idle_connection_users: str = setting(
        _GROUP,
        "*",
        "Database users whose idle connections are closed; a superuser only when its name is spelled out here.",
        _PATTERNS,
        "superset,report_*",
    )
    idle_connection_databases: str = setting(
        _GROUP, "*", "Databases whose idle connections are closed.", _PATTERNS, "superset"
    )
    idle_connections_server: fields.DatabaseUri | None = setting(
        _GROUP,
        None,
        "Postgres server whose idle connections are closed; default the server of PLATFORM_DATABASE.",
        "`postgresql+psycopg2://user:password@host:5432/database`",
        "postgresql+psycopg2://maintenance:PASSWORD@db:5432/postgres",
        secret=True,
    )
