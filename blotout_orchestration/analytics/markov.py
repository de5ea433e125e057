"""Attribution by removal effect in a Markov graph of touches, solved exactly.

Anderl, Becker, von Wangenheim, Schumann (2016): Mapping the customer journey: Lessons learned from
graph-based online attribution modeling. International Journal of Research in Marketing 33(3), 457-474.
Belongs here: the graph and its solution. Reading journeys and writing results does not.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from blotout_orchestration.analytics.paths import Journey, Outcome, touch_names

State = tuple[str, ...]


@dataclass(frozen=True)
class MarkovGraph:
    """An absorbing Markov chain over the last `order` touches; state 0 is the start of a journey.

    `moves` holds the probability of going from state to state (square, sparse), `reward` the expected
    outcome of leaving a state into a conversion. What is missing to 1 in a row is absorbed, with or
    without a conversion.
    """

    states: list[State]
    moves: Any
    reward: Any


def build_graph(journeys: Sequence[Journey], order: int = 1, outcome: Outcome = "conversions") -> MarkovGraph:
    """Count the transitions of all journeys that have a touch.

    `order` is the number of touches a state remembers. Raises ValueError for an order below 1 and for
    negative counts.
    """
    import numpy as np
    from scipy.sparse import coo_array

    if order < 1:
        raise ValueError(f"order is {order}; a Markov graph remembers at least 1 touch")
    numbers: dict[State, int] = {(): 0}
    moves: dict[tuple[int, int], float] = defaultdict(float)
    leaving: dict[int, float] = defaultdict(float)
    reward: dict[int, float] = defaultdict(float)
    for journey in journeys:
        count = journey.conversions + journey.nulls
        if journey.conversions < 0 or journey.nulls < 0:
            raise ValueError(f"journey {' > '.join(journey.touches)} has a negative count: {journey}")
        if not journey.touches or count == 0:
            continue
        state = 0
        for end in range(1, len(journey.touches) + 1):
            following = numbers.setdefault(journey.touches[max(0, end - order) : end], len(numbers))
            moves[state, following] += count
            leaving[state] += count
            state = following
        leaving[state] += count
        reward[state] += journey.weight(outcome)
    size = len(numbers)
    pairs = list(moves)
    matrix = coo_array(
        (
            [moves[pair] / leaving[pair[0]] for pair in pairs],
            ([pair[0] for pair in pairs], [pair[1] for pair in pairs]),
        ),
        shape=(size, size),
    ).tocsr()
    rewards = np.array([reward[state] / leaving[state] if state in reward else 0.0 for state in range(size)])
    return MarkovGraph(list(numbers), matrix, rewards)


def expected_outcome(graph: MarkovGraph, removed: str | None = None) -> float:
    """Expected outcome of one journey; a journey that would enter a state with `removed` ends without one.

    Solves (I - Q) x = r over the states that are left, by sparse LU.
    """
    import numpy as np
    from scipy.sparse import eye_array
    from scipy.sparse.linalg import spsolve

    kept = [number for number, state in enumerate(graph.states) if removed is None or removed not in state]
    if len(kept) == 1:
        return float(graph.reward[0])
    moves = graph.moves[kept][:, kept]
    solution = spsolve((eye_array(len(kept)) - moves).tocsc(), graph.reward[kept])
    return float(np.atleast_1d(solution)[0])


def removal_effects(
    paths: Sequence[Journey], order: int = 1, outcome: Outcome = "conversions"
) -> dict[str, float]:
    """Share of the expected outcome that is lost when a channel is taken out, by channel.

    Between 0 and 1 for conversions and for values of one sign; all 0 when nothing was ever won. A channel
    in no journey has no entry. Cost: one sparse solve a channel over at most (channels ** order) states,
    of which only observed ones exist.
    """
    names = touch_names(paths)
    graph = build_graph(paths, order, outcome)
    whole = expected_outcome(graph)
    if whole == 0:
        return dict.fromkeys(names, 0.0)
    return {name: 1.0 - expected_outcome(graph, name) / whole for name in names}


def shares(effects: dict[str, float]) -> dict[str, float]:
    """Removal effects scaled to sum 1: a channel's part of the credit.

    An effect below 0 (possible with negative values only) counts as 0. All 0 when no effect is positive.
    """
    positive = {name: max(effect, 0.0) for name, effect in effects.items()}
    total = sum(positive.values())
    return {name: effect / total if total else 0.0 for name, effect in positive.items()}


def values(paths: Sequence[Journey], order: int = 1, outcome: Outcome = "conversions") -> dict[str, float]:
    """Conversions, or value, credited to each channel; sums to those of the journeys that have a touch."""
    total = sum(journey.weight(outcome) for journey in paths if journey.touches)
    parts = shares(removal_effects(paths, order, outcome))
    return {name: part * total for name, part in parts.items()}
