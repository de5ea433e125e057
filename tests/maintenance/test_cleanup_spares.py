"""Tables that `cleanup_temp_tables` spares although their names are those of temporary ones."""

from __future__ import annotations

from blotout_orchestration.maintenance.cleanup import plan_cleanup
from tests.maintenance.test_cleanup import LATER, real_tables, table


def test_a_stream_that_a_pipeline_loads_stays_whatever_its_source_calls_it(lake):
    real_tables(lake)
    table(lake, "temp_contracts")
    with lake.catalog.load_table("shop_test.temp_contracts").transaction() as transaction:
        transaction.set_properties({"blotout.elt.stream": "temp_contracts"})
    assert plan_cleanup(lake, LATER).items == ()


def test_tables_of_others_in_a_shared_catalog_are_left_alone(lake, tmp_path):
    real_tables(lake)
    mine = lake.catalog.load_table("shop_test.report_0")
    lake.catalog.create_namespace("other_prod")
    place = f"file://{tmp_path}/elsewhere/orders"
    lake.catalog.create_table("other_prod.orders__dbt_tmp", mine.schema(), location=place)
    assert plan_cleanup(lake, LATER).items == ()
