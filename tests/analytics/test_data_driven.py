"""The data-driven models over a published warehouse: sums to the cent, currencies apart, one commit."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blotout_orchestration.analytics import data_driven
from blotout_orchestration.lake import Lake

PATHS = [
    (["Email", "Direct"], True, "0.0001", "EUR"),
    (["Email", "Paid Search", "Direct"], True, "99.9900", "EUR"),
    (["Paid Search"], True, "10.0000", "USD"),
    (["Display"], False, None, None),
    (["Email"], False, None, None),
    (None, True, "7.0000", "EUR"),
    (["Display", "Email"], True, "5.0000", None),
]


@pytest.fixture
def published(lake: Lake) -> Lake:
    """A lake with a published warehouse that holds PATHS."""
    path = lake.settings.published_path
    path.parent.mkdir(parents=True)
    with duckdb.connect(str(path)) as connection:
        schema = lake.namespace
        connection.execute(f'create schema "{schema}"')
        connection.execute(
            f'create table "{schema}".conversion_paths (channel_path varchar[], campaign_path varchar[], '
            "touch_count bigint, is_converted boolean, revenue decimal(18, 4), currency varchar)"
        )
        for path_names, converted, revenue, currency in PATHS:
            values: list[Any] = [path_names, path_names, len(path_names or ()), converted, revenue, currency]
            connection.execute(
                f'insert into "{schema}".conversion_paths values (?, ?, ?, ?, ?, ?)',
                values,
            )
    return lake


@pytest.mark.parametrize("model", ["markov", "shapley"])
@pytest.mark.parametrize("dimension", ["channel", "campaign"])
def test_credit_sums_to_all_conversions_and_to_the_cent_of_their_revenue(
    published: Lake, model: str, dimension: Any
) -> None:
    result = data_driven.compute(published)
    for currency, number, revenue in (("EUR", 3, "106.9901"), ("USD", 1, "10"), ("(not set)", 1, "5")):
        conversions, money = result.total(model, dimension, currency)
        assert conversions == pytest.approx(number)
        assert money == Decimal(revenue)


def test_conversions_without_a_touch_stand_apart_and_nulls_only_count_against_channels(
    published: Lake,
) -> None:
    result = data_driven.compute(published)
    rows = {(r.model, r.name, r.currency): r for r in result.credits if r.dimension == "channel"}
    alone = rows["markov", "(no touch)", "EUR"]
    assert (alone.conversions, alone.revenue, alone.removal_effect) == (1, Decimal("7.0000"), None)
    assert rows["markov", "Display", "USD"].conversions == 0
    assert rows["markov", "Display", "USD"].removal_effect == pytest.approx(0)
    assert rows["markov", "Paid Search", "USD"].removal_effect == pytest.approx(1)
    assert (result.converted_journeys, result.open_journeys) == (5, 2)


def test_a_second_computation_leaves_the_same_table(published: Lake) -> None:
    data_driven.compute(published)
    first = published.read(data_driven.ATTRIBUTION_DATA_DRIVEN).to_pylist()
    data_driven.compute(published)
    second = published.read(data_driven.ATTRIBUTION_DATA_DRIVEN).to_pylist()
    assert len(first) > 10
    assert sorted(map(str, first)) == sorted(map(str, second))


@given(
    st.decimals(-10_000, 10_000_000, places=4),
    st.lists(st.floats(0.001, 1), min_size=1, max_size=20),
)
def test_splitting_money_never_loses_any(amount: Decimal, weights: list[float]) -> None:
    shares = {f"channel {n}": weight / sum(weights) for n, weight in enumerate(weights)}
    assert sum(data_driven.split_exactly(amount, shares).values()) == amount


def test_money_cannot_be_split_among_nobody() -> None:
    assert data_driven.split_exactly(Decimal(0), {}) == {}
    with pytest.raises(ValueError, match="cannot be split"):
        data_driven.split_exactly(Decimal(1), {})
