"""Segments and funnels on Trino and Athena: the same rows in the lake as on DuckDB, and clear refusals."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlglot
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from sqlglot import exp
from typer.testing import CliRunner

from blotout_orchestration.cli import app
from blotout_orchestration.entities import registry
from blotout_orchestration.entities.contract import FUNNEL_DROPOFFS, FUNNEL_REPORT, SEGMENT_MEMBERSHIP
from blotout_orchestration.entities.dialects import written
from blotout_orchestration.entities.funnel_sql import compile_funnel
from blotout_orchestration.entities.funnels import update_funnels
from blotout_orchestration.entities.membership import update_membership
from blotout_orchestration.entities.segment_sql import compile_segment
from blotout_orchestration.entities.warehouse import WarehouseUnavailableError, open_published
from blotout_orchestration.lake import Lake
from blotout_orchestration.platform.warehouse_reader import ReaderError
from blotout_orchestration.settings import Settings
from tests.analytics.report_grounds import on
from tests.entities import warehouse as made
from tests.entities.grounds import behind
from tests.entities.test_quoting import FUNNELS
from tests.entities.test_segments import DEEDS, PEOPLE, trees

SEGMENTS: dict[str, dict[str, Any]] = {
    "german": {"profile": "last_country", "operator": "NOT_IN", "values": ["at", "50%_OFF\\"]},
    "mailed": {"profile": "emails", "operator": "END_WITH", "value": "y.org"},
    "recent": {"recency": "last_order_at", "within": "30 days"},
    "carted": {"all": [{"event": "add_to_cart", "after_profile": "last_order_at"},
                       {"not": {"profile": "revenue", "operator": "GREATER_THAN", "value": 50}}]},
    "born": {"event": "add_to_cart", "after_profile": "birth_date"},
}  # fmt: skip
WALKS = [
    made.event("ann", "view", 0.123456, session_key="s1", item_sku="x"),
    made.event("ann", "cart", 60.5, session_key="s1", item_price=Decimal(9), item_sku="x"),
    made.event("ann", "buy", 90.000001, session_key="s1", item_sku="x"),
    made.event("bob", "view", 5.123456, session_key="s2", item_sku="y"),
    made.event("bob", "cart", 9, session_key="s3", item_price=Decimal(9), item_sku="y"),
    made.event("cyd", "view", 29 * 86_400 + 80_000, session_key="s4"),
]
STEPS = [
    "view",
    {"step": "cart", "where": {"property": "item_price", "operator": "GREATER_THAN", "value": 1}},
    "buy",
]
EVENTS = [*DEEDS, *WALKS]


def _define(settings: Settings) -> None:
    registry.add(settings, [made.segment(where, name) for name, where in SEGMENTS.items()], "me")
    shapes = [made.funnel(STEPS, name=f"funnel_{place}", **options) for place, options in enumerate(FUNNELS)]
    registry.add(settings, shapes, "me")


def _written(lake: Lake) -> list[Any]:
    """Everything that a run of segments and funnels has in the lake."""
    tables = (SEGMENT_MEMBERSHIP, FUNNEL_REPORT, FUNNEL_DROPOFFS)
    return [sorted(map(str, lake.read(table).to_pylist())) for table in tables]


def _run(lake: Lake) -> None:
    assert update_membership(lake, run_id="r").failures == {}
    assert update_funnels(lake, run_id="r").failures == {}


@pytest.mark.parametrize("ground", ["trino", "athena"])
def test_a_run_writes_what_it_writes_on_the_embedded_warehouse(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ground: str
) -> None:
    def lake(name: str) -> Lake:
        made_for = settings.model_copy(update={"blotout_home": tmp_path / name})
        _define(made_for)
        return Lake(made_for)

    embedded, served = lake("embedded"), lake("served")
    made.publish(embedded.settings, PEOPLE, EVENTS)
    _run(embedded)
    with behind(served, ground, monkeypatch, PEOPLE, EVENTS) as (there, service):
        _run(there)
    members, report, dropoffs = _written(served)
    assert [members, report, dropoffs] == _written(embedded)
    assert len(members) > len(SEGMENTS)
    assert len(report) == len(STEPS) * len(FUNNELS)
    assert "123456" in "".join(dropoffs)
    for asked in service.asked:
        (statement,) = sqlglot.parse(asked, dialect="trino")
        assert isinstance(statement, exp.Select)
        assert ("WITH TIME ZONE" in asked) <= (ground == "trino")
    later = [{**user, "last_order_at": None} for user in PEOPLE]
    made.publish(embedded.settings, later, EVENTS, days=31)
    update_membership(embedded, run_id="second")
    with behind(served, ground, monkeypatch, later, EVENTS, days=31) as (there, _):
        assert {change.segment: change.left for change in update_membership(there, run_id="s").changes}[
            "recent"
        ] == 1
    assert _written(served)[0] == _written(embedded)[0]


@pytest.mark.parametrize("ground", ["trino", "athena"])
def test_the_state_of_the_data_is_the_same_with_and_without_processed_hours(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, ground: str
) -> None:
    with (
        behind(lake, ground, monkeypatch, [], [made.event("ann", "view", 0.5)]) as (there, _),
        open_published(there.settings) as opened,
    ):
        assert opened.as_of == made.AS_OF
    monkeypatch.delitem(made.EVENTS, "arrival_hour")
    with (
        behind(lake, ground, monkeypatch, [], [made.event("ann", "view", 0.5)]) as (there, _),
        open_published(there.settings) as opened,
    ):
        assert opened.as_of == made.START + timedelta(seconds=0.5)


@pytest.mark.parametrize("ground", ["trino", "athena"])
def test_a_query_that_the_service_refuses_is_one_segments_failure_and_tells_no_value(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, ground: str
) -> None:
    _define(lake.settings)
    with behind(lake, ground, monkeypatch, PEOPLE, EVENTS) as (there, _):
        _run(there)
    before = _written(lake)
    later = [{**user, "emails": [], "last_order_at": None} for user in PEOPLE]
    with behind(lake, ground, monkeypatch, later, EVENTS, refused='"emails"') as (there, _):
        result = update_membership(there, run_id="second")
    assert list(result.failures) == ["mailed"]
    assert "the query failed in the warehouse (ReaderError)" in result.failures["mailed"]
    assert "ann@" not in str(result)
    mailed = [row for row in before[0] if "'mailed'" in row]
    assert [row for row in _written(lake)[0] if "'mailed'" in row] == mailed != []
    with behind(lake, ground, monkeypatch, PEOPLE, WALKS, refused="funnel") as (there, _):
        assert update_funnels(there, run_id="third").failures == {}


def test_a_server_that_is_away_or_has_nothing_yet_is_told_with_what_to_do(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = on(lake, "trino", "127.0.0.1:1")
    with pytest.raises(ReaderError, match=r"no answer from Trino at 127\.0\.0\.1:1.*see TRINO_URI"):
        update_membership(nowhere, run_id="run")
    with behind(lake, "trino", monkeypatch, [], []) as (there, _):
        other = Lake(there.settings.model_copy(update={"environment": "elsewhere"}))
        with pytest.raises(WarehouseUnavailableError, match="run events_unified_view first"):
            update_funnels(other, run_id="run")


def test_the_commands_check_preview_and_print_on_a_server(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    _define(lake.settings)
    with behind(lake, "trino", monkeypatch, PEOPLE, EVENTS) as (there, _):
        monkeypatch.setattr(
            "blotout_orchestration.commands.entities.current_settings", lambda: there.settings
        )
        ask = CliRunner()
        shown = ask.invoke(app, ["segments", "preview", "recent"])
        assert "1 people" in shown.output
        assert "  ann" in shown.output
        assert "2 buy: 1" in ask.invoke(app, ["funnels", "preview", "funnel_0"]).output
        printed = ask.invoke(app, ["segments", "show", "recent", "--sql", "athena"]).output
        assert "TIMESTAMP(6)" in printed.upper()
        assert "ZONE" not in printed.upper()


@given(trees)
@hypothesis_settings(max_examples=60, deadline=None)
def test_every_segment_finds_the_same_people_in_each_dialect(tree: dict[str, Any]) -> None:
    query = compile_segment(made.segment(tree), made.columns(), made.AS_OF)
    with made.warehouse(PEOPLE, DEEDS) as connection:
        found = {
            warehouse: set(connection.execute(_read_back(query, warehouse)).fetchall())
            for warehouse in ("duckdb", "trino", "athena")
        }
    assert found["duckdb"] == found["trino"] == found["athena"]


@pytest.mark.parametrize("options", FUNNELS, ids=str)
def test_every_funnel_has_the_same_steps_in_each_dialect(options: dict[str, Any]) -> None:
    query = compile_funnel(made.funnel(STEPS, **options), made.columns(), made.AS_OF)
    with made.warehouse(PEOPLE, EVENTS) as connection:
        steps = [
            set(connection.execute(_read_back(query, warehouse)).fetchall())
            for warehouse in ("duckdb", "trino", "athena")
        ]
    assert steps[0] == steps[1] == steps[2] != set()


def _read_back(query: exp.Expr, warehouse: str) -> str:
    """The query as a server would read it, written for DuckDB again."""
    text = written(query, warehouse)
    if warehouse == "duckdb":
        return text
    parsed = sqlglot.parse_one(text, dialect="trino")
    assert parsed.sql("trino") == text
    assert ("TIME ZONE" not in text) or warehouse == "trino"
    return parsed.sql("duckdb")
