"""The data-driven attribution models over all journeys of the warehouse, as one lake table.

Belongs here: from `conversion_paths` to the rows of `attribution_data_driven`, with credit that sums to the
conversions and to the cent to their revenue. The models themselves are in markov.py and shapley.py, the six
rule models in dbt.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import TYPE_CHECKING

from blotout_orchestration.analytics import markov, shapley
from blotout_orchestration.analytics.paths import Dimension, Journey, currencies, read_journeys
from blotout_orchestration.lake import Lake, TableSpec
from blotout_orchestration.lake.tables import Column

if TYPE_CHECKING:
    from blotout_orchestration.analytics.reports import Reports

NO_TOUCH = "(no touch)"
DIMENSIONS: tuple[Dimension, ...] = ("channel", "campaign")
CENT = Decimal("0.0001")
"""The money type's smallest amount."""

ATTRIBUTION_DATA_DRIVEN = TableSpec(
    "attribution_data_driven",
    "Credit of channels and campaigns by the Markov removal effect and by the Shapley value; for each model, "
    "dimension and currency it sums to all conversions and their revenue.",
    (
        Column("model", "string", "`markov` or `shapley`."),
        Column("dimension", "string", "What `name` is: `channel` or `campaign`."),
        Column("name", "string", "Channel or campaign; `(no touch)` for conversions without a touch."),
        Column("currency", "string", "ISO 4217 currency of revenue; `(not set)` when the orders name none."),
        Column("conversions", "double", "Conversions credited; fractions add up to the number of orders."),
        Column("revenue", "money_sum", "Revenue credited, in `currency`."),
        Column("share", "double", "Part of the credit of the conversions that have a touch, 0 to 1."),
        Column(
            "removal_effect",
            "double",
            "Markov: share of the conversions lost without this channel; null for Shapley and without touch.",
        ),
    ),
)


@dataclass(frozen=True)
class DataDrivenCredit:
    """One row of the table; see its columns."""

    model: str
    dimension: str
    name: str
    currency: str
    conversions: float
    revenue: Decimal
    share: float
    removal_effect: float | None


@dataclass(frozen=True)
class DataDrivenResult:
    """What was computed: the rows written, and how many journeys went in."""

    credits: tuple[DataDrivenCredit, ...]
    converted_journeys: int
    open_journeys: int

    def total(self, model: str, dimension: Dimension, currency: str) -> tuple[float, Decimal]:
        """Conversions and revenue that a model distributed."""
        rows = [
            row
            for row in self.credits
            if (row.model, row.dimension, row.currency) == (model, dimension, currency)
        ]
        return sum(row.conversions for row in rows), sum((row.revenue for row in rows), Decimal(0))


def split_exactly(amount: Decimal, shares: Mapping[str, float]) -> dict[str, Decimal]:
    """Parts of `amount` by shares that sum to 1, in the money type, that sum to it exactly.

    The rest of the rounding goes to the biggest share, by name when equal. Without any share above 0 the
    first name takes all; an empty mapping can take nothing and raises ValueError unless the amount is 0.
    """
    if not shares:
        if amount:
            raise ValueError(f"{amount} cannot be split among nobody")
        return {}
    parts = {
        name: (amount * Decimal(repr(share))).quantize(CENT, ROUND_HALF_EVEN)
        for name, share in shares.items()
    }
    biggest = min(shares, key=lambda name: (-shares[name], name))
    parts[biggest] += amount - sum(parts.values(), Decimal(0))
    return parts


def credits_of(
    journeys: Sequence[Journey], revenue: Decimal, dimension: Dimension, currency: str, order: int = 1
) -> Iterator[DataDrivenCredit]:
    """Rows of both models for the journeys of one currency.

    `revenue` is the exact value of the converted journeys that have a touch; `order` the memory of the
    Markov graph. Values without any effect (all orders are worth 0) follow the conversions.
    """
    total = sum(journey.conversions for journey in journeys if journey.touches)
    effects = markov.removal_effects(journeys, order)
    by_number = {
        "markov": markov.shares(effects),
        "shapley": shapley.shares(shapley.values(journeys)),
    }
    by_value = {
        "markov": markov.shares(markov.removal_effects(journeys, order, "value")),
        "shapley": shapley.shares(shapley.values(journeys, "value")),
    }
    for model, shares in by_number.items():
        if not total:
            continue
        worth = by_value[model] if any(by_value[model].values()) else shares
        money = split_exactly(revenue, worth)
        for name, share in shares.items():
            effect = effects[name] if model == "markov" else None
            yield DataDrivenCredit(
                model, dimension, name, currency, share * total, money[name], share, effect
            )


def read_totals(reports: Reports, currency: str | None) -> dict[bool, tuple[int, Decimal]]:
    """Conversions and exact revenue in one currency, by whether they have a touch."""
    from blotout_orchestration.analytics.reports import literal

    rows = reports.rows(
        f"""
        select touch_count > 0, count(*), coalesce(sum(revenue), 0)
        from conversion_paths
        where is_converted and currency is not distinct from {literal(currency)}
        group by touch_count > 0
        """
    )
    return {touched: (number, Decimal(revenue)) for touched, number, revenue in rows}


def compute_credits(reports: Reports, order: int = 1) -> DataDrivenResult:
    """Both models for every currency and dimension, from `conversion_paths` of open reports."""
    credits: list[DataDrivenCredit] = []
    for currency in currencies(reports):
        label = currency or "(not set)"
        totals = read_totals(reports, currency)
        for dimension in DIMENSIONS:
            journeys = read_journeys(reports, currency, dimension)
            revenue = totals.get(True, (0, Decimal(0)))[1]
            credits.extend(credits_of(journeys, revenue, dimension, label, order))
            if False in totals:
                number, worth = totals[False]
                credits.extend(
                    DataDrivenCredit(model, dimension, NO_TOUCH, label, float(number), worth, 0.0, None)
                    for model in ("markov", "shapley")
                )
    converted, unconverted = reports.row(
        "select count(case when is_converted then 1 end), count(case when not is_converted then 1 end)"
        " from conversion_paths"
    )
    return DataDrivenResult(tuple(credits), converted, unconverted)


def compute(lake: Lake, *, order: int = 1, run_id: str = "") -> DataDrivenResult:
    """Compute both models from the reports and replace the lake table in one commit.

    `order` is the number of touches that a state of the Markov graph remembers. The reports are read where
    WAREHOUSE has them; the table is of the lake on every ground. Raises WarehouseError when nothing was
    built yet or the warehouse does not answer.
    """
    import pyarrow as pa
    from pyiceberg.expressions import AlwaysTrue

    from blotout_orchestration.analytics.reports import open_reports

    with open_reports(lake.settings) as reports:
        result = compute_credits(reports, order)
    rows = pa.Table.from_pylist(
        [asdict(credit) for credit in result.credits], schema=ATTRIBUTION_DATA_DRIVEN.arrow_schema
    )
    lake.replace(ATTRIBUTION_DATA_DRIVEN, rows, AlwaysTrue(), {"run_id": run_id})
    return result
