"""From which columns each column of a query is made: hand-made queries."""

from __future__ import annotations

import pytest
from sqlglot.errors import SqlglotError

from blotout_orchestration.analytics.column_lineage import declared_schema, trace_columns

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
