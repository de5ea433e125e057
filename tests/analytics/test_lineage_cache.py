"""What was traced is kept for the next run, whatever happens to the file that holds it."""

from __future__ import annotations

import json
import logging
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from blotout_orchestration.analytics.column_lineage import CACHE_FILE, ProjectLineage

from .lineage_projects import FROM_PAID, SUM_OF_PAID, hand_made


def test_other_sql_or_other_declared_columns_are_traced_anew(tmp_path: Path) -> None:
    first = hand_made(tmp_path, SUM_OF_PAID)
    assert first.of("model.p.total") == FROM_PAID
    first.save()
    assert hand_made(tmp_path, 'select max(id) as total from "shop"."orders"').of("model.p.total") == {
        "total": [("source.p.shop.orders", "id")]
    }
    assert hand_made(tmp_path, SUM_OF_PAID, columns=("id",)).of("model.p.total") is None


def test_what_an_earlier_run_left_in_the_models_own_table_is_no_origin(tmp_path: Path) -> None:
    sql = 'select o.paid + coalesce(t.total, 0) as total from "shop"."orders" as o left join "shop"."total" as t on true'
    assert hand_made(tmp_path, sql).of("model.p.total") == FROM_PAID


def test_the_cache_forgets_all_but_the_newest_queries_of_a_model(tmp_path: Path) -> None:
    for number in range(9):
        lineage = hand_made(tmp_path, f'select sum(paid) + {number} as total from "shop"."orders"')
        assert lineage.of("model.p.total") == FROM_PAID
        lineage.save()
    assert len(json.loads((tmp_path / CACHE_FILE).read_text())["model.p.total"]) == 4


@pytest.mark.parametrize("damage", ["", '{"model.p.total": {', "[]", '{"model.p.total": {}}'])
def test_a_damaged_cache_is_replaced(tmp_path: Path, damage: str) -> None:
    (tmp_path / CACHE_FILE).write_text(damage)
    lineage = hand_made(tmp_path, SUM_OF_PAID)
    assert lineage.of("model.p.total") == FROM_PAID
    lineage.save()
    assert len(json.loads((tmp_path / CACHE_FILE).read_text())["model.p.total"]) == 1


def test_many_that_save_at_once_leave_one_whole_cache(tmp_path: Path) -> None:
    def trace_and_save(lineage: ProjectLineage) -> None:
        assert lineage.of("model.p.total") == FROM_PAID
        lineage.save()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(trace_and_save, [hand_made(tmp_path, SUM_OF_PAID) for _ in range(32)]))
    assert len(json.loads((tmp_path / CACHE_FILE).read_text())["model.p.total"]) == 1
    assert {path.name for path in tmp_path.iterdir()} == {"manifest.json", "target", CACHE_FILE}


@pytest.mark.parametrize(
    "sql", ['select colour from "shop"."orders"', "select (", "select * from unknown_table"]
)
def test_a_model_that_cannot_be_resolved_is_left_out_with_a_line_in_the_log(
    tmp_path: Path, sql: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert hand_made(tmp_path, sql).of("model.p.total") is None
    assert re.fullmatch(r"No column lineage of model\.p\.total: \w+: .+", caplog.messages[-1])
