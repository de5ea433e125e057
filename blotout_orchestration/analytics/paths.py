"""Journeys of channels: the input of the data-driven attribution models.

Belongs here: the journey itself, merging equal journeys, reading them from the reports. The
models are in markov.py and shapley.py; what counts as a journey is decided in dbt (`conversion_paths`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from blotout_orchestration.analytics.reports import Reports

Outcome = Literal["conversions", "value"]
"""What a model distributes: the number of conversions, or their value."""

Dimension = Literal["channel", "campaign"]
"""What a journey is a sequence of."""


@dataclass(frozen=True)
class Journey:
    """An ordered sequence of touches and how often it ended in a conversion.

    `touches` are names of channels (or campaigns) in order of time; `conversions` and `nulls` count the
    journeys that converted and that did not; `value` is the value of all those conversions, in one currency.
    """

    touches: tuple[str, ...]
    conversions: float = 0.0
    value: float = 0.0
    nulls: float = 0.0

    def weight(self, outcome: Outcome) -> float:
        """The number, or the value, of the conversions."""
        return self.conversions if outcome == "conversions" else self.value


def merged(journeys: Iterable[Journey]) -> list[Journey]:
    """Equal sequences added up, in order of their touches; so results do not depend on the input's order."""
    sums: dict[tuple[str, ...], list[float]] = {}
    for journey in journeys:
        total = sums.setdefault(journey.touches, [0.0, 0.0, 0.0])
        total[0] += journey.conversions
        total[1] += journey.value
        total[2] += journey.nulls
    return [Journey(touches, *sums[touches]) for touches in sorted(sums)]


def touch_names(journeys: Sequence[Journey]) -> list[str]:
    """The distinct names that occur in any journey, sorted."""
    return sorted({name for journey in journeys for name in journey.touches})


def currencies(reports: Reports) -> list[str | None]:
    """Currencies in which conversions were made; None for conversions that name none."""
    rows = reports.rows("select distinct currency from conversion_paths where is_converted order by 1")
    return [row[0] for row in rows]


def read_journeys(reports: Reports, currency: str | None, dimension: Dimension = "channel") -> list[Journey]:
    """Conversions in one currency and every journey without a conversion, merged.

    Journeys without any touch come back with empty `touches`. Equal journeys are counted where the reports
    lie; only different ones are held here.
    """
    from blotout_orchestration.analytics.reports import literal

    rows = reports.rows(
        f"""
        select
          {reports.list_text(f"{dimension}_path")},
          count_if(is_converted),
          coalesce(sum(revenue), 0),
          count_if(not is_converted)
        from conversion_paths
        where not is_converted or currency is not distinct from {literal(currency)}
        group by {dimension}_path
        """
    )
    return merged(
        Journey(tuple(json.loads(path or "[]")), float(conversions), float(value), float(nulls))
        for path, conversions, value, nulls in rows
    )
