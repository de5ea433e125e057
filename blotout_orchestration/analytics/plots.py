"""Pictures of the reports as PNG bytes, for asset metadata and mails.

Belongs here: drawing rows that were already computed. Reading and computing them does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from blotout_orchestration.platform.figures import PALETTE, new_figure, png, say_instead

MAXIMUM_COHORTS = 24
MAXIMUM_PERIODS = 24
MAXIMUM_CHANNELS = 12


@dataclass(frozen=True)
class RetentionCell:
    """One cell of a cohort table: `rate` between 0 and 1; an incomplete cell's period has not ended yet."""

    cohort_start: date
    period_number: int
    cohort_size: int
    rate: float
    is_complete: bool


@dataclass(frozen=True)
class ChannelCredit:
    """What one attribution model credits to one channel; unit of `amount` is the caller's."""

    model: str
    channel: str
    amount: float


def retention_heat_map(cells: Sequence[RetentionCell], title: str = "Retention") -> bytes:
    """A cohort table as heat map: cohorts down, periods across, unfinished periods hatched.

    The newest `MAXIMUM_COHORTS` cohorts and first `MAXIMUM_PERIODS` periods are drawn. Period 0 is the
    cohort itself: it is labelled, but it does not stretch the colour scale.
    """
    import numpy as np
    from matplotlib.patches import Patch, Rectangle

    cohorts = sorted({cell.cohort_start for cell in cells})[-MAXIMUM_COHORTS:]
    shown = [c for c in cells if c.cohort_start in set(cohorts) and c.period_number < MAXIMUM_PERIODS]
    if not shown:
        figure, axes = new_figure(6, 2)
        say_instead(axes, f"{title}: no cohort yet")
        return png(figure)
    periods = max(cell.period_number for cell in shown) + 1
    figure, axes = new_figure(2.8 + 0.55 * max(periods, 6), 1.5 + 0.32 * max(len(cohorts), 3))
    rates = np.full((len(cohorts), periods), np.nan)
    rows = {cohort: row for row, cohort in enumerate(cohorts)}
    for cell in shown:
        rates[rows[cell.cohort_start], cell.period_number] = cell.rate
    later = rates[:, 1:][~np.isnan(rates[:, 1:])]
    top = float(later.max()) if later.size and later.max() > 0 else 1.0
    image = axes.imshow(rates, cmap="viridis", vmin=0, vmax=top, aspect="auto")
    for cell in shown:
        row, column = rows[cell.cohort_start], cell.period_number
        ink, behind = ("white", "#333333") if cell.rate / top < 0.6 else ("black", "#ffffff")
        label = {"ha": "center", "va": "center", "fontsize": 8, "color": ink}
        if not cell.is_complete:
            label["bbox"] = {"boxstyle": "round,pad=0.15", "facecolor": behind, "edgecolor": "none"}
            corner = (column - 0.5, row - 0.5)
            axes.add_patch(Rectangle(corner, 1, 1, fill=False, hatch="////", edgecolor=ink, lw=0))
        axes.text(column, row, f"{100 * cell.rate:.0f}", **label)
    sizes = {cell.cohort_start: cell.cohort_size for cell in shown}
    axes.set_yticks(range(len(cohorts)), [f"{c.isoformat()}  ({sizes[c]:,})" for c in cohorts], fontsize=8)
    axes.set_xticks(range(periods), [str(period) for period in range(periods)], fontsize=8)
    axes.set_xlabel("periods after the first, cell = % of the cohort that came back")
    axes.set_ylabel("cohort (people)")
    axes.set_title(title, fontsize=11, loc="left", pad=24)
    unfinished = Patch(facecolor="#888888", hatch="///", edgecolor="white", label="period not finished")
    axes.legend(handles=[unfinished], loc="lower left", bbox_to_anchor=(0, 1.0), fontsize=8, frameon=False)
    bar = figure.colorbar(
        image, ax=axes, fraction=0.04, pad=0.02, format=lambda rate, _: f"{100 * rate:.0f} %"
    )
    bar.ax.tick_params(labelsize=8)
    return png(figure)


def attribution_bars(
    credits: Sequence[ChannelCredit], title: str = "Attributed revenue", unit: str = ""
) -> bytes:
    """Models side by side for each channel, the biggest channel first, the rest added up as `(other)`.

    `unit` labels the axis (a currency). Models keep the order in which they first appear.
    """
    models = list(dict.fromkeys(credit.model for credit in credits))
    size: dict[str, float] = {}
    for credit in credits:
        size[credit.channel] = size.get(credit.channel, 0.0) + abs(credit.amount)
    ranked = sorted(size, key=lambda channel: (-size[channel], channel))
    if not ranked:
        figure, axes = new_figure(6, 2)
        say_instead(axes, f"{title}: no conversion yet")
        return png(figure)
    kept = set(ranked if len(ranked) <= MAXIMUM_CHANNELS else ranked[: MAXIMUM_CHANNELS - 1])
    rows = [channel for channel in ranked if channel in kept] + ["(other)"] * (len(kept) < len(ranked))
    amounts = {(model, channel): 0.0 for model in models for channel in rows}
    for credit in credits:
        amounts[credit.model, credit.channel if credit.channel in kept else "(other)"] += credit.amount
    thick = 0.84 / len(models)
    figure, axes = new_figure(9, 1.2 + 0.095 * len(rows) * max(len(models), 4))
    for number, model in enumerate(models):
        axes.barh(
            [row + (number + 0.5) * thick - 0.42 for row in range(len(rows))],
            [amounts[model, channel] for channel in rows],
            height=thick,
            label=model.replace("_", " "),
            color=PALETTE[number % len(PALETTE)],
            edgecolor="white",
            linewidth=0.4,
        )
    axes.set_yticks(range(len(rows)), rows, fontsize=9)
    axes.set_ylim(len(rows) - 0.45, -0.55)
    axes.grid(axis="x", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.xaxis.set_major_formatter(lambda amount, _: f"{amount:,.0f}")
    axes.set_xlabel(unit)
    axes.set_title(title, fontsize=11, loc="left")
    axes.legend(fontsize=8, frameon=False, loc="lower right")
    return png(figure)
