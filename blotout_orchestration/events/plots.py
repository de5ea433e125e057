"""Pictures of the click stream as PNG bytes.

Belongs here: drawing counts that were already read. Reading them belongs to report.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from blotout_orchestration.platform.figures import PALETTE, new_figure, png, say_instead


@dataclass(frozen=True)
class HourVolume:
    """Events of one hour of arrival by where they ended."""

    hour: datetime
    good: int
    bad: int
    duplicate: int


def hourly_volume(hours: Sequence[HourVolume], title: str = "Events by hour of arrival") -> bytes:
    """Stacked bars of good, bad and duplicate events; hours that are missing stay empty."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num

    figure, axes = new_figure(10, 3.2)
    if not hours:
        say_instead(axes, f"{title}: no hour yet")
        return png(figure)
    ordered = sorted(hours, key=lambda volume: volume.hour)
    at = [date2num(volume.hour) for volume in ordered]
    floor = [0] * len(ordered)
    parts = (
        ("good", PALETTE[0], [volume.good for volume in ordered]),
        ("duplicate", PALETTE[1], [volume.duplicate for volume in ordered]),
        ("bad", PALETTE[6], [volume.bad for volume in ordered]),
    )
    for label, colour, counts in parts:
        axes.bar(at, counts, bottom=floor, width=1 / 24, align="edge", label=label, color=colour)
        floor = [low + count for low, count in zip(floor, counts, strict=True)]
    locator = AutoDateLocator()
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    axes.yaxis.set_major_formatter(lambda count, _: f"{count:,.0f}")
    axes.grid(axis="y", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title(f"{title} (UTC)", fontsize=11, loc="left")
    figure.legend(loc="outside upper right", ncols=3, fontsize=8, frameon=False)
    return png(figure)
