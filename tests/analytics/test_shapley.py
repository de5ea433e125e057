"""The Shapley value against its definition over all coalitions."""

from __future__ import annotations

from itertools import combinations
from math import factorial
from pathlib import Path

import pytest
from hypothesis import given, settings

from blotout_orchestration.analytics import shapley
from blotout_orchestration.analytics.paths import Journey

from .journeys import journeys, recorded_journeys


def _by_definition(paths: list[Journey]) -> dict[str, float]:
    """Shapley value as the weighted mean of marginal worth over all 2^n coalitions."""
    players = sorted({name for path in paths for name in path.touches})
    outcomes = shapley.coalition_outcomes(paths)

    def worth(coalition: frozenset[str]) -> float:
        return sum(outcome for members, outcome in outcomes.items() if members <= coalition)

    credit = {}
    for player in players:
        others = [name for name in players if name != player]
        total = 0.0
        for size in range(len(others) + 1):
            weight = factorial(size) * factorial(len(players) - size - 1) / factorial(len(players))
            for chosen in combinations(others, size):
                coalition = frozenset(chosen)
                total += weight * (worth(coalition | {player}) - worth(coalition))
        credit[player] = total
    return credit


def test_two_channels_give_the_values_computed_by_hand() -> None:
    # v(A) = 4, v(B) = 0, v(AB) = 10: A is worth 4 alone and 10 after B, mean 7; B 0 and 6, mean 3.
    paths = [Journey(("A",), 4, 40.0), Journey(("A", "B"), 4, 80.0), Journey(("B", "A", "B"), 2, 10.0, 9)]
    assert shapley.values(paths) == pytest.approx({"A": 7.0, "B": 3.0})
    assert shapley.values(paths, "value") == pytest.approx({"A": 85.0, "B": 45.0})
    assert shapley.shares(shapley.values(paths)) == pytest.approx({"A": 0.7, "B": 0.3})


@settings(max_examples=60)
@given(journeys())
def test_the_simplified_formula_equals_the_definition(paths: list[Journey]) -> None:
    assert shapley.values(paths) == pytest.approx(_by_definition(paths))


@given(journeys())
def test_credit_sums_to_the_total_of_the_journeys_with_a_touch(paths: list[Journey]) -> None:
    total = sum(path.conversions for path in paths if path.touches)
    assert sum(shapley.values(paths).values()) == pytest.approx(total)


@given(journeys())
def test_channels_that_always_occur_together_get_the_same(paths: list[Journey]) -> None:
    paired = [
        Journey((*path.touches, "twin A", "twin B"), path.conversions, path.value, path.nulls)
        for path in paths
    ]
    credit = shapley.values(paired)
    assert credit.get("twin A") == credit.get("twin B")


@given(journeys())
def test_a_channel_without_any_conversion_gets_nothing(paths: list[Journey]) -> None:
    credit = shapley.values([*paths, Journey(("Affiliates", "Email"), 0, 0, 3)])
    assert credit["Affiliates"] == 0
    assert "Display" not in credit


def test_recorded_paths_sum_to_their_conversions_and_value(real_data: Path) -> None:
    paths = recorded_journeys(real_data)
    assert sum(shapley.values(paths).values()) == pytest.approx(19_785)
    assert sum(shapley.values(paths, "value").values()) == pytest.approx(74_802.97, abs=0.01)


def test_sixty_channels_are_no_trouble() -> None:
    channels = [f"channel {number}" for number in range(60)]
    credit = shapley.values([Journey(tuple(channels), 60, 60.0), Journey((channels[0],), 1, 1.0)])
    assert credit["channel 0"] == pytest.approx(2.0)
    assert credit["channel 59"] == pytest.approx(1.0)
