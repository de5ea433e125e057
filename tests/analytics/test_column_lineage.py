"""From which columns each column of a dbt model is made: hand-made queries, then the project's own models."""

from __future__ import annotations

import json
import logging
import re
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import duckdb
import pytest
from dagster import AssetCheckResult, AssetKey, AssetMaterialization, Output, TableColumnLineage
from sqlglot.errors import SqlglotError

from blotout_orchestration.analytics import column_lineage
from blotout_orchestration.analytics.assets import Translator
from blotout_orchestration.analytics.column_lineage import (
    CACHE_FILE,
    ModelLineage,
    ProjectLineage,
    declared_schema,
    trace_columns,
)
from blotout_orchestration.analytics.dbt_project import dbt_environment, ensure_manifest, run_dbt
from blotout_orchestration.analytics.lineage_metadata import COLUMN_LINEAGE, with_column_metadata
from blotout_orchestration.settings import Settings

TABLES = {
    '"warehouse"."shop"."orders"': ["id", "person", "paid", "refunded", "placed_at"],
    '"warehouse"."shop"."people"': ["id", "name", "tags"],
}


def _traced(sql: str, dialect: str = "duckdb") -> dict[str, set[str]]:
    lineage = trace_columns(sql, declared_schema(TABLES, dialect), dialect)
    return {column: {f"{origin.table}.{origin.column}" for origin in lineage[column]} for column in lineage}


def test_a_column_is_followed_through_ctes_and_renames() -> None:
    found = _traced(
        """with paid as (select person as who, sum(paid - refunded) as net from "shop"."orders" group by person),
        ranked as (select *, row_number() over (order by net desc) as place from paid)
        select who as buyer, place from ranked"""
    )
    assert found == {"buyer": {"shop.orders.person"}, "place": {"shop.orders.paid", "shop.orders.refunded"}}


def test_a_star_is_the_declared_columns_of_its_table_and_of_no_other() -> None:
    found = _traced(
        'select o.*, p.name from "shop"."orders" as o left join "shop"."people" as p on p.id = o.person'
    )
    assert found == {
        **{column: {f"shop.orders.{column}"} for column in TABLES['"warehouse"."shop"."orders"']},
        "name": {"shop.people.name"},
    }


def test_each_branch_of_a_union_counts_by_its_position() -> None:
    found = _traced(
        """select id, paid as amount, 'order' as kind from "shop"."orders"
        union all select person, -refunded, 'refund' from "shop"."orders"
        union all select id, 0, name from "shop"."people" """
    )
    assert found == {
        "id": {"shop.orders.id", "shop.orders.person", "shop.people.id"},
        "amount": {"shop.orders.paid", "shop.orders.refunded"},
        "kind": {"shop.people.name"},
    }


def test_an_unqualified_column_of_a_join_is_found_by_the_declared_columns() -> None:
    sql = 'select name, coalesce(paid, 0) as paid from "shop"."orders" inner join "shop"."people" as p on p.id = person'
    assert _traced(sql) == {"name": {"shop.people.name"}, "paid": {"shop.orders.paid"}}


def test_what_only_filters_joins_or_counts_rows_is_no_origin() -> None:
    sql = """select count(*) as orders, 'eur' as currency, max(o.paid) as highest from "shop"."orders" as o
        where o.refunded = 0 group by o.person having min(o.placed_at) is not null"""
    assert _traced(sql) == {"orders": set(), "currency": set(), "highest": {"shop.orders.paid"}}


def test_a_scalar_subquery_and_an_unnested_list_are_followed() -> None:
    sql = """select (select max(o.paid) from "shop"."orders" as o where o.person = p.id) as highest, tagged.tag
        from "shop"."people" as p cross join unnest(p.tags) as tagged(tag)"""
    assert _traced(sql) == {"highest": {"shop.orders.paid"}, "tag": {"shop.people.tags"}}


def test_a_recursive_cte_is_followed_to_where_it_starts() -> None:
    sql = """with recursive steps as (
            select id, paid as owed from "shop"."orders"
            union all select id, owed - 1 from steps where owed > 0)
        select id, owed from steps"""
    assert _traced(sql) == {"id": {"shop.orders.id"}, "owed": {"shop.orders.paid"}}


def test_the_layout_that_macros_leave_and_the_case_of_names_do_not_matter() -> None:
    sql = """

    -- depends_on: "shop"."people"
    select

        ORDERS.Paid
    ,   cast(orders.PLACED_AT as date) as "Placed_On"

    from "warehouse"."shop"."orders" as orders
    """
    assert _traced(sql) == {"paid": {"shop.orders.paid"}, "placed_on": {"shop.orders.placed_at"}}


def test_the_same_query_is_traced_in_the_dialect_of_trino() -> None:
    sql = """select date_diff('day', o.placed_at, current_date) as age, t.tag from "shop"."orders" as o
        inner join "shop"."people" as p on p.id = o.person cross join unnest(p.tags) as t (tag)"""
    assert _traced(sql, "trino") == {"age": {"shop.orders.placed_at"}, "tag": {"shop.people.tags"}}


@pytest.mark.parametrize(
    "sql", ['select colour from "shop"."orders"', "select from where", "select * from unknown_table"]
)
def test_sql_that_cannot_be_resolved_is_refused(sql: str) -> None:
    with pytest.raises(SqlglotError):
        _traced(sql)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The manifest of the real project, and a target folder with all its models compiled against an empty warehouse."""
    home = tmp_path_factory.mktemp("home")
    settings = Settings(_env_file=None, blotout_home=home, organisation="shop", environment="test")
    manifest = ensure_manifest(settings)
    Path(dbt_environment(settings)["BLOTOUT_DBT_WAREHOUSE"]).parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(str(settings.warehouse_path)) as warehouse:
        warehouse.execute("create schema lake")
        for source in json.loads(manifest.read_text())["sources"].values():
            columns = ", ".join(
                f'"{name}" {column["data_type"]}' for name, column in source["columns"].items()
            )
            warehouse.execute(f"create table lake.{source['name']} ({columns})")
    run_dbt("compile", settings, target_path=home / "target")
    return manifest, home / "target"


@pytest.fixture
def manifest(project: tuple[Path, Path], tmp_path: Path) -> Path:
    """The manifest in a folder of its own, without a cache."""
    return Path(shutil.copy(project[0], tmp_path / "manifest.json"))


def _models(manifest: Path) -> dict[str, dict[str, Any]]:
    nodes = json.loads(manifest.read_text())["nodes"].values()
    models = (node for node in nodes if node["resource_type"] == "model")
    return {model["unique_id"]: model for model in models if model["config"]["materialized"] != "ephemeral"}


def _all(manifest: Path, target: Path) -> dict[str, ModelLineage | None]:
    lineage = ProjectLineage(manifest, target)
    found = {unique_id: lineage.of(unique_id) for unique_id in _models(manifest)}
    lineage.save()
    return found


def _origins(lineage: ProjectLineage, model: str, column: str) -> set[str]:
    traced = lineage.of(f"model.blotout.{model}")
    assert traced is not None
    return {f"{origin.table.rsplit('.', 1)[-1]}.{origin.column}" for origin in traced[column]}


def test_every_model_of_the_project_is_traced_and_has_the_columns_it_declares(
    project: tuple[Path, Path], manifest: Path
) -> None:
    found = _all(manifest, project[1])
    declared = {unique_id: set(model["columns"]) for unique_id, model in _models(manifest).items()}
    assert {unique_id: set(lineage or ()) for unique_id, lineage in found.items()} == declared


def test_origins_are_declared_columns_of_the_inputs_that_dagster_draws(
    project: tuple[Path, Path], manifest: Path
) -> None:
    content = json.loads(manifest.read_text())
    known = {**content["nodes"], **content["sources"]}
    for unique_id, lineage in _all(manifest, project[1]).items():
        origins = {origin for column in (lineage or {}).values() for origin in column}
        assert all(column in known[table]["columns"] for table, column in origins)
        assert unique_id not in {table for table, _ in origins}


def test_revenue_of_a_session_comes_from_conversions_and_theirs_from_the_unified_events(
    project: tuple[Path, Path], manifest: Path
) -> None:
    lineage = ProjectLineage(manifest, project[1])
    assert _origins(lineage, "sessions", "revenue") == {"conversions.revenue"}
    assert "unified_events.revenue" in _origins(lineage, "conversions", "revenue")
    assert "session_events.seconds_since_previous" in _origins(lineage, "sessions", "engaged_seconds")


def test_sources_are_reached_through_ephemeral_models(project: tuple[Path, Path], manifest: Path) -> None:
    lineage = ProjectLineage(manifest, project[1])
    assert "offline_events.event_id" in _origins(lineage, "stg_offline_events", "event_id")
    assert _origins(lineage, "stg_core_events", "event_id") == {"core_events.event_id"}


def test_every_column_of_attribution_has_an_origin_but_the_name_of_the_model(
    project: tuple[Path, Path], manifest: Path
) -> None:
    traced = ProjectLineage(manifest, project[1]).of("model.blotout.attribution")
    assert traced is not None
    assert {column for column, origins in traced.items() if not origins} == {"model"}


def test_the_cache_gives_what_was_traced_without_tracing_again(
    project: tuple[Path, Path], manifest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    traced = _all(manifest, project[1])

    def refuse(*_: object) -> ModelLineage:
        raise AssertionError("traced again")

    monkeypatch.setattr(column_lineage, "trace_columns", refuse)
    assert _all(manifest, project[1]) == traced


def _hand_made(folder: Path, sql: str, columns: tuple[str, ...] = ("id", "paid")) -> ProjectLineage:
    """A project of one source and one model, and an invocation in which the model compiled to `sql`."""
    common = {"schema": "shop", "package_name": "p", "config": {}}
    orders = {
        **common,
        "unique_id": "source.p.shop.orders",
        "resource_type": "source",
        "identifier": "orders",
        "name": "orders",
        "relation_name": '"w"."shop"."orders"',
        "columns": {name: {} for name in columns},
    }
    total = {
        **common,
        "unique_id": "model.p.total",
        "resource_type": "model",
        "alias": "total",
        "name": "total",
        "relation_name": '"w"."shop"."total"',
        "columns": {"total": {}},
        "original_file_path": "models/total.sql",
        "depends_on": {"nodes": [orders["unique_id"]]},
    }
    manifest = {
        "metadata": {"adapter_type": "duckdb"},
        "nodes": {"model.p.total": total},
        "sources": {"source.p.shop.orders": orders},
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    compiled = folder / "target" / "compiled" / "p" / "models" / "total.sql"
    compiled.parent.mkdir(parents=True, exist_ok=True)
    compiled.write_text(sql)
    return ProjectLineage(folder / "manifest.json", folder / "target")


SUM_OF_PAID = 'select sum(paid) as total from "shop"."orders"'
FROM_PAID = {"total": [("source.p.shop.orders", "paid")]}


def test_other_sql_or_other_declared_columns_are_traced_anew(tmp_path: Path) -> None:
    first = _hand_made(tmp_path, SUM_OF_PAID)
    assert first.of("model.p.total") == FROM_PAID
    first.save()
    assert _hand_made(tmp_path, 'select max(id) as total from "shop"."orders"').of("model.p.total") == {
        "total": [("source.p.shop.orders", "id")]
    }
    assert _hand_made(tmp_path, SUM_OF_PAID, columns=("id",)).of("model.p.total") is None


def test_what_an_earlier_run_left_in_the_models_own_table_is_no_origin(tmp_path: Path) -> None:
    sql = 'select o.paid + coalesce(t.total, 0) as total from "shop"."orders" as o left join "shop"."total" as t on true'
    assert _hand_made(tmp_path, sql).of("model.p.total") == FROM_PAID


def test_the_cache_forgets_all_but_the_newest_queries_of_a_model(tmp_path: Path) -> None:
    for number in range(9):
        lineage = _hand_made(tmp_path, f'select sum(paid) + {number} as total from "shop"."orders"')
        assert lineage.of("model.p.total") == FROM_PAID
        lineage.save()
    assert len(json.loads((tmp_path / CACHE_FILE).read_text())["model.p.total"]) == 4


@pytest.mark.parametrize("damage", ["", '{"model.p.total": {', "[]", '{"model.p.total": {}}'])
def test_a_damaged_cache_is_replaced(tmp_path: Path, damage: str) -> None:
    (tmp_path / CACHE_FILE).write_text(damage)
    lineage = _hand_made(tmp_path, SUM_OF_PAID)
    assert lineage.of("model.p.total") == FROM_PAID
    lineage.save()
    assert len(json.loads((tmp_path / CACHE_FILE).read_text())["model.p.total"]) == 1


def test_many_that_save_at_once_leave_one_whole_cache(tmp_path: Path) -> None:
    def trace_and_save(lineage: ProjectLineage) -> None:
        assert lineage.of("model.p.total") == FROM_PAID
        lineage.save()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(trace_and_save, [_hand_made(tmp_path, SUM_OF_PAID) for _ in range(32)]))
    assert len(json.loads((tmp_path / CACHE_FILE).read_text())["model.p.total"]) == 1
    assert {path.name for path in tmp_path.iterdir()} == {"manifest.json", "target", CACHE_FILE}


@pytest.mark.parametrize(
    "sql", ['select colour from "shop"."orders"', "select (", "select * from unknown_table"]
)
def test_a_model_that_cannot_be_resolved_is_left_out_with_a_line_in_the_log(
    tmp_path: Path, sql: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert _hand_made(tmp_path, sql).of("model.p.total") is None
    assert re.fullmatch(r"No column lineage of model\.p\.total: \w+: .+", caplog.messages[-1])


def _asset_key(properties: Any) -> AssetKey:
    return AssetKey(properties["name"])


def test_materializations_get_their_lineage_and_every_event_passes_in_its_place(tmp_path: Path) -> None:
    lineage = _hand_made(tmp_path, SUM_OF_PAID)
    metadata = {"unique_id": "model.p.total", "Execution Duration": 1.5}
    check = AssetCheckResult(passed=True, asset_key=AssetKey("total"), check_name="unique")
    events = [
        Output(None, "total", metadata=metadata),
        check,
        AssetMaterialization(AssetKey("total"), metadata=metadata),
        AssetMaterialization(AssetKey("seed"), metadata={"unique_id": "seed.p.unknown"}),
        AssetMaterialization(AssetKey("other")),
    ]
    passed = list(with_column_metadata(events, lineage, _asset_key))
    assert [type(event) for event in passed] == [type(event) for event in events]
    assert passed[1] is check
    for event in (passed[0], passed[2]):
        columns = event.metadata[COLUMN_LINEAGE].value
        assert isinstance(columns, TableColumnLineage)
        [origin] = columns.deps_by_column["total"]
        assert (origin.asset_key, origin.column_name) == (AssetKey("orders"), "paid")
        assert event.metadata["Execution Duration"].value == 1.5
    assert COLUMN_LINEAGE not in passed[3].metadata
    assert passed[4] is events[4]


def test_an_event_is_passed_on_before_dbt_has_ended_and_a_failed_dbt_keeps_what_was_traced(
    tmp_path: Path,
) -> None:
    def failing() -> Iterator[Output[None]]:
        yield Output(None, "total", metadata={"unique_id": "model.p.total"})
        raise RuntimeError("dbt failed")

    passing = with_column_metadata(failing(), _hand_made(tmp_path, SUM_OF_PAID), _asset_key)
    assert COLUMN_LINEAGE in next(passing).metadata
    with pytest.raises(RuntimeError, match="dbt failed"):
        next(passing)
    assert (tmp_path / CACHE_FILE).is_file()


def test_a_source_is_the_asset_that_the_translator_names(project: tuple[Path, Path], manifest: Path) -> None:
    lineage = ProjectLineage(manifest, project[1])
    event = Output(None, "known_ids", metadata={"unique_id": "model.blotout.known_ids"})
    [passed] = with_column_metadata([event], lineage, Translator().get_asset_key)
    deps = passed.metadata[COLUMN_LINEAGE].value.deps_by_column
    assert AssetKey("id_graph") in {dep.asset_key for column in deps.values() for dep in column}
