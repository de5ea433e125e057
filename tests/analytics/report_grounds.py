"""A warehouse of a few rows on each ground: the published copy, or a service that answers from it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pytest

from blotout_orchestration.lake import Lake
from tests.analytics.services import AthenaService, Service, TrinoService, serving

SCHEMA = "shop_test"
NAMES = ["Email", "Spring, sale", 'say "hi"', "a > b", "Ünï", ""]
TABLES = (
    "create table conversion_paths (channel_path varchar[], campaign_path varchar[], touch_count bigint,"
    " is_converted boolean, revenue decimal(18, 4), currency varchar)",
    "create table attribution (model varchar, currency varchar, attributed_revenue decimal(18, 4), touch_number int)",
    "create table sessions (is_bot boolean)",
    "create table conversions (is_bot boolean, revenue decimal(18, 4))",
    "insert into sessions values (false), (false), (true)",
    "insert into conversions values (false, 100), (false, 11.9901), (true, 50)",
    "create table attribution_report (currency varchar, model varchar, channel varchar,"
    " attributed_revenue decimal(18, 4))",
    "create table retention_report (cohort_start date, period_number bigint, cohort_size bigint, rate double,"
    " is_complete boolean, granularity varchar, chart varchar, mode varchar, breakdown varchar)",
    "create table duplicate_events (event_id varchar, arrival_hour timestamptz, is_collision boolean)",
    "create table processed_hours (arrival_hour timestamptz)",
    "insert into processed_hours values ('2026-03-05 12:00+00'), ('2026-03-01 12:00+00')",
    "insert into duplicate_events values ('a', '2026-03-05 11:00+00', true), ('a', '2026-03-03 00:00+00', true),"
    " ('b', '2026-03-05 11:00+00', false)",
    "insert into attribution values ('last_touch', 'EUR', 106.9901, 2), ('linear', 'EUR', 1, 1),"
    " ('last_touch', null, 5, 0)",
    "insert into attribution_report values ('EUR', 'linear', 'Email', 9), ('EUR', 'linear', 'Direct', 97.9901)",
    "insert into retention_report select date '2026-03-02', range, 10, 1 / (1 + range), range < 4, 'week',"
    " 'New users only', 'bounded', 'all' from range(5)",
)


def fill(path: Path) -> None:
    """A warehouse of a few rows: names that break careless text, two currencies, orders without a touch."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(str(path)) as connection:
        connection.execute(f'create schema "{SCHEMA}"')
        connection.execute(f'set schema = "{SCHEMA}"')
        for statement in TABLES:
            connection.execute(statement)
        paths: list[tuple[list[str] | None, bool, str | None, str | None]] = [
            ([name, "Direct"], True, "15.2844", "EUR") for name in NAMES[:5]
        ]
        paths += [
            ([NAMES[5]], False, None, None),
            (["Email"], False, None, None),
            ([], False, None, None),
            (None, True, "30.5681", "EUR"),
            (["O'Neil", "Email"], True, "5", None),
        ]
        connection.executemany(
            "insert into conversion_paths values (?, ?, ?, ?, ?, ?)",
            [[names, names, len(names or ()), *rest] for names, *rest in paths],
        )


def on(lake: Lake, warehouse: str, address: str = "") -> Lake:
    """The lake with its reports on another ground."""
    changed: dict[str, Any] = {"warehouse": warehouse}
    if warehouse == "trino":
        changed["trino_uri"] = f"http://dbt@{address}/iceberg"
    return Lake(lake.settings.model_copy(update=changed))


@contextmanager
def served(lake: Lake, ground: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Lake, Any]]:
    """The lake on a ground, with the service that stands for it; the embedded one has none."""
    fill(lake.settings.published_path)
    if ground == "duckdb":
        yield lake, None
        return
    service: Service = {"trino": TrinoService, "athena": AthenaService}[ground](
        lake.settings.published_path, SCHEMA
    )
    with serving(service) as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL_ATHENA", f"http://{address}")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        # Without published.duckdb nothing can be read past the service.
        lake.settings.published_path.rename(lake.settings.published_path.with_name("elsewhere.duckdb"))
        yield on(lake, ground, address), service
