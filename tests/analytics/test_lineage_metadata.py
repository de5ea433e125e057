"""Column lineage on the events of a dbt run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dagster import AssetCheckResult, AssetKey, AssetMaterialization, Output, TableColumnLineage

from blotout_orchestration.analytics.column_lineage import CACHE_FILE
from blotout_orchestration.analytics.lineage_metadata import COLUMN_LINEAGE, with_column_metadata

from .lineage_projects import SUM_OF_PAID, hand_made


def _asset_key(properties: Any) -> AssetKey:
    return AssetKey(properties["name"])


def test_materializations_get_their_lineage_and_every_event_passes_in_its_place(tmp_path: Path) -> None:
    lineage = hand_made(tmp_path, SUM_OF_PAID)
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

    passing = with_column_metadata(failing(), hand_made(tmp_path, SUM_OF_PAID), _asset_key)
    assert COLUMN_LINEAGE in next(passing).metadata
    with pytest.raises(RuntimeError, match="dbt failed"):
        next(passing)
    assert (tmp_path / CACHE_FILE).is_file()
