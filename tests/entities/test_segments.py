"""Segments on a warehouse in memory: every operator means what it says, and NOT is the complement."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blotout_orchestration.entities.fields import DefinitionError, Operator
from tests.entities import warehouse as made

PEOPLE: list[dict[str, Any]] = [
    {"global_user_id": "ann", "last_country": "DE", "orders": 9, "revenue": Decimal("9.5"), "emails": ["Ann@x.org", "a@y.org"],
     "accepts_marketing": True, "birth_date": date(1990, 5, 1), "last_order_at": made.AS_OF - timedelta(days=10)},
    {"global_user_id": "bob", "last_country": "at", "orders": 10, "revenue": Decimal("100"), "emails": [],
     "accepts_marketing": False, "birth_date": date(1985, 1, 31), "last_order_at": made.AS_OF - timedelta(days=40)},
    {"global_user_id": "cyd", "last_country": "50%_off\\", "orders": 0, "revenue": Decimal("0"), "emails": None},
    {"global_user_id": "dan", "orders": 2},
    {"global_user_id": "robot", "last_country": "DE", "orders": 99, "is_bot": True, "emails": ["ann@x.org"]},
]  # fmt: skip
EVERYBODY = {"ann", "bob", "cyd", "dan"}


def _found(column: str, operator: str, **values: Any) -> set[str]:
    with made.warehouse(PEOPLE) as connection:
        return made.members(connection, {"profile": column, "operator": operator, **values})


@pytest.mark.parametrize(
    ("column", "operator", "value", "expected"),
    [
        ("last_country", "EQUAL", "de", {"ann"}),
        ("last_country", "IN", ["de", "AT"], {"ann", "bob"}),
        ("last_country", "STARTS_WITH", "A", {"bob"}),
        ("last_country", "END_WITH", ["E", "T"], {"ann", "bob"}),
        ("last_country", "CONTAINS", "%_", {"cyd"}),
        ("last_country", "END_WITH", "\\", {"cyd"}),
        ("last_country", "LIKE", "_e", {"ann"}),
        ("last_country", "LIKE", "50\\%%", {"cyd"}),
        ("orders", "GREATER_THAN", 9, {"bob"}),
        ("orders", "GREATER_THAN", "9", {"bob"}),
        ("orders", "GREATER_THAN_OR_EQUAL_TO", 9, {"ann", "bob"}),
        ("revenue", "LESS_THAN", 9.6, {"ann", "cyd"}),
        ("revenue", "LESS_THAN_OR_EQUAL_TO", "9.5", {"ann", "cyd"}),
        ("revenue", "EQUAL", 100, {"bob"}),
        ("accepts_marketing", "EQUAL", True, {"ann"}),
        ("birth_date", "LESS_THAN", "1990-05-01", {"bob"}),
        ("birth_date", "EQUAL", date(1990, 5, 1), {"ann"}),
        ("last_order_at", "GREATER_THAN", "2026-03-10T00:00:00+02:00", {"ann"}),
        ("emails", "EQUAL", "ann@X.ORG", {"ann"}),
        ("emails", "END_WITH", "y.org", {"ann"}),
    ],
)
def test_an_operator_and_its_negation_divide_everybody(column, operator, value, expected):
    """Nulls and empty lists match no operator and every negation; robots are in neither."""
    given_values = {"values": value} if isinstance(value, list) else {"value": value}
    assert _found(column, operator, **given_values) == expected
    with made.warehouse(PEOPLE) as connection:
        condition = {"profile": column, "operator": operator, **given_values}
        assert made.members(connection, {"not": condition}) == EVERYBODY - expected
    if operator in {"EQUAL", "IN", "CONTAINS", "LIKE"}:
        assert _found(column, f"NOT_{operator}", **given_values) == EVERYBODY - expected


def test_a_negated_list_excludes_each_of_its_values():
    """The defect of the original: NOT_IN ('a', 'b') joined by OR is always true."""
    assert _found("last_country", "NOT_IN", values=["DE", "AT"]) == {"cyd", "dan"}
    assert _found("last_country", "NOT_EQUAL", values=["de", "at", "50%_OFF\\"]) == {"dan"}


def test_set_and_not_set_tell_nulls_and_empty_lists():
    assert _found("last_country", "IS_SET") == {"ann", "bob", "cyd"}
    assert _found("last_country", "IS_NOT_SET") == {"dan"}
    assert _found("emails", "IS_SET") == {"ann"}
    assert _found("emails", "IS_NOT_SET") == {"bob", "cyd", "dan"}


def test_recency_is_judged_by_the_state_of_the_data():
    with made.warehouse(PEOPLE) as connection:
        assert made.members(connection, {"recency": "last_order_at", "within": "30 days"}) == {"ann"}
        assert made.members(connection, {"recency": "last_order_at", "older_than": "10 days"}) == {
            "ann",
            "bob",
        }
        window = {"recency": "last_order_at", "within": "60 days", "older_than": "30 days"}
        assert made.members(connection, window) == {"bob"}
        later = made.AS_OF + timedelta(days=25)
        assert made.members(connection, window, as_of=later) == {"ann"}


DAY = 86_400
DEEDS = [
    made.event("ann", "Add_To_Cart", 0, item_price=Decimal("5")),
    made.event("ann", "add_to_cart", 29 * DAY, item_price=Decimal("15")),
    made.event("bob", "add_to_cart", DAY, item_price=Decimal("25")),
    made.event("cyd", "purchase", 2 * DAY),
    made.event("robot", "add_to_cart", DAY),
    made.event("dan", "add_to_cart", DAY, is_bot=True),
    made.event("dan", "add_to_cart", 31 * DAY),
]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"event": "add_to_cart"}, {"ann", "bob"}),
        ({"event": ["ADD_TO_CART", "purchase"]}, {"ann", "bob", "cyd"}),
        ({"event": "add_to_cart", "count": {"operator": "GREATER_THAN_OR_EQUAL_TO", "value": 2}}, {"ann"}),
        ({"event": "add_to_cart", "count": {"operator": "EQUAL", "value": 0}}, {"cyd", "dan"}),
        ({"event": "add_to_cart", "count": {"operator": "LESS_THAN", "value": 2}}, {"bob", "cyd", "dan"}),
        ({"event": "add_to_cart", "within": "7 days"}, {"ann"}),
        ({"event": "add_to_cart", "older_than": "7 days"}, {"ann", "bob"}),
        ({"event": "add_to_cart", "after_profile": "last_order_at"}, {"ann", "bob"}),
        ({"event": "add_to_cart", "where": {"property": "item_price", "operator": "GREATER_THAN", "value": 9}}, {"ann", "bob"}),
        ({"where": {"not": {"property": "item_price", "operator": "LESS_THAN", "value": 20}}}, {"bob", "cyd"}),
    ],
)  # fmt: skip
def test_events_are_counted_by_name_columns_and_time(condition, expected):
    """Bob ordered before his cart, ann between hers; events of robots and of the future are not there."""
    with made.warehouse(PEOPLE, DEEDS) as connection:
        assert made.members(connection, condition) == expected
        assert made.members(connection, {"not": condition}) == EVERYBODY - expected


leaves = st.one_of(
    st.builds(
        lambda operator, value: {"profile": "orders", "operator": operator, "value": value},
        st.sampled_from(["EQUAL", "NOT_EQUAL", "GREATER_THAN", "LESS_THAN_OR_EQUAL_TO"]),
        st.integers(0, 10),
    ),
    st.builds(
        lambda operator, values: {"profile": "last_country", "operator": operator, "values": values},
        st.sampled_from(["IN", "NOT_IN", "STARTS_WITH", "NOT_CONTAINS"]),
        st.lists(st.sampled_from(["d", "DE", "at", "%"]), min_size=1, max_size=3),
    ),
    st.builds(lambda days: {"recency": "last_order_at", "within": f"{days} days"}, st.integers(1, 60)),
    st.builds(
        lambda number: {"event": "add_to_cart", "count": {"operator": "LESS_THAN", "value": number}},
        st.integers(0, 3),
    ),
)
trees = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(lambda parts: {"all": parts}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda parts: {"any": parts}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda part: {"not": part}, inner),
    ),
    max_leaves=6,
)


@given(trees, trees)
@settings(max_examples=40, deadline=None)
def test_groups_are_the_algebra_of_sets(left, right):
    with made.warehouse(PEOPLE, DEEDS) as connection:
        one, other = made.members(connection, left), made.members(connection, right)
        assert made.members(connection, {"all": [left, right]}) == one & other
        assert made.members(connection, {"any": [left, right]}) == one | other
        assert made.members(connection, {"not": left}) == EVERYBODY - one


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ({"profile": "last_contry", "operator": "EQUAL", "value": "x"}, "no column last_contry; did you mean last_country"),
        ({"profile": "last_country", "operator": "GREATER_THAN", "value": "5"}, "is a text and takes no GREATER_THAN"),
        ({"profile": "last_country", "operator": "EQUAL", "value": False}, "put the value False in quotes"),
        ({"profile": "orders", "operator": "CONTAINS", "value": "5"}, "is a number and takes no CONTAINS"),
        ({"profile": "orders", "operator": "EQUAL", "value": "many"}, "'many' is none"),
        ({"profile": "orders", "operator": "EQUAL", "value": True}, "'True' is none"),
        ({"profile": "revenue", "operator": "EQUAL", "value": "1e400"}, "out of range"),
        ({"profile": "revenue", "operator": "EQUAL", "value": "NaN"}, "out of range"),
        ({"profile": "birth_date", "operator": "EQUAL", "value": "31.1.1990"}, "write 2026-03-31"),
        ({"profile": "last_country", "operator": "CONTAINS", "value": ""}, "would match everything"),
        ({"profile": "last_country", "operator": "LIKE", "value": "50\\"}, "a backslash stands before"),
        ({"recency": "orders", "within": "3 days"}, "how long ago needs a moment"),
    ],
)  # fmt: skip
def test_what_a_column_cannot_mean_is_refused_by_name(condition, said):
    with made.warehouse() as connection, pytest.raises(DefinitionError, match="segment tried: ") as refused:
        made.members(connection, {"all": [condition, {"profile": "nothing", "operator": "IS_SET"}]})
    assert said in str(refused.value)
    assert "no column nothing" in str(refused.value)


def test_every_operator_is_tried_here():
    source = Path(__file__).read_text()
    assert [operator for operator in Operator if operator.positive.value not in source] == []
