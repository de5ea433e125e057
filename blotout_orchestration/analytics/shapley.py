"""Attribution by Shapley value over the sets of channels that journeys went through.

Zhao, Mahboobi, Bagheri (2018): Shapley Value Methods for Attribution Modeling in Online Advertising,
arXiv:1804.05327, section 3 (the simplified formula). Belongs here: the formula and nothing else.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from blotout_orchestration.analytics.paths import Journey, Outcome, touch_names


def coalition_outcomes(
    paths: Sequence[Journey], outcome: Outcome = "conversions"
) -> dict[frozenset[str], float]:
    """Outcome of the journeys that went through exactly this set of channels, whatever order and repeats."""
    outcomes: dict[frozenset[str], float] = defaultdict(float)
    for journey in paths:
        if journey.touches:
            outcomes[frozenset(journey.touches)] += journey.weight(outcome)
    return dict(outcomes)


def values(paths: Sequence[Journey], outcome: Outcome = "conversions") -> dict[str, float]:
    """Conversions, or value, credited to each channel by its Shapley value.

    The worth of a coalition S is the outcome of all journeys whose channels lie within S. For that game the
    sum over all 2^n coalitions collapses: each observed set's outcome is divided equally among its members.
    The result is exact, costs one pass over the journeys for any number of channels, and sums to the total
    of the journeys that have a touch. A channel that only occurs in journeys without conversion gets 0.
    """
    credit = dict.fromkeys(touch_names(paths), 0.0)
    outcomes = coalition_outcomes(paths, outcome)
    for coalition in sorted(outcomes, key=sorted):
        part = outcomes[coalition] / len(coalition)
        for name in sorted(coalition):
            credit[name] += part
    return credit


def shares(credit: dict[str, float]) -> dict[str, float]:
    """Credits scaled to sum 1; all 0 when the total is 0."""
    total = sum(credit.values())
    return {name: part / total if total else 0.0 for name, part in credit.items()}
