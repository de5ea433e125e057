"""Pictures of segments and funnels as PNG bytes: sizes over time, and the steps with their drop-offs.

Belongs here: drawing. What is drawn is read from the lake tables, as everybody else reads them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa

from blotout_orchestration.entities.contract import SEGMENT_MEMBERSHIP
from blotout_orchestration.lake import Lake
from blotout_orchestration.platform.figures import PALETTE, new_figure, png, say_instead

MAXIMUM_SEGMENTS = 8
MAXIMUM_FUNNELS = 6
Sizes = dict[str, list[tuple[datetime, int]]]


def sizes_over_time(lake: Lake) -> Sizes:
    """Members of each segment after every change, oldest first, from the stays in `segment_membership`."""
    import duckdb

    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        lake.register(connection, "stays", SEGMENT_MEMBERSHIP)
        rows = connection.execute(
            "with moves as (select segment, entered_at as moved_at, 1 as change from stays"
            " union all select segment, left_at, -1 from stays where left_at is not null)"
            " select segment, moved_at, sum(sum(change)) over (partition by segment order by moved_at)::bigint"
            " from moves group by segment, moved_at order by segment, moved_at"
        ).fetchall()
    found: Sizes = {}
    for segment, at, members in rows:
        found.setdefault(segment, []).append((at, members))
    return found


def segment_sizes(sizes: Sizes, as_of: datetime) -> bytes:
    """Steps of size over time, the biggest segments; `as_of` is where the lines end."""
    from matplotlib.ticker import MaxNLocator

    if not sizes:
        figure, axes = new_figure(6, 2)
        say_instead(axes, "no segment has members yet")
        return png(figure)
    figure, axes = new_figure(8, 4)
    shown = sorted(sizes, key=lambda name: (-sizes[name][-1][1], name))[:MAXIMUM_SEGMENTS]
    for colour, name in zip(PALETTE, shown, strict=False):
        moments = [at for at, _ in sizes[name]] + [max(as_of, sizes[name][-1][0])]
        members = [number for _, number in sizes[name]] + [sizes[name][-1][1]]
        label = f"{name} ({members[-1]:,})"
        axes.step(moments, members, where="post", color=colour, label=label)
        axes.plot(moments[:-1], members[:-1], "o", color=colour, markersize=4)
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylabel("people in the segment")
    axes.tick_params(axis="x", rotation=30, labelsize=8)
    title = (
        "Segments by size"
        if len(shown) == len(sizes)
        else f"The {len(shown)} biggest of {len(sizes)} segments"
    )
    axes.set_title(f"{title}, data of {as_of:%Y-%m-%d %H:%M} UTC", fontsize=11, loc="left")
    axes.legend(fontsize=8, frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return png(figure)


def funnel_bars(report: pa.Table) -> bytes:
    """A row of bars for each funnel: who reached the step, in colour, and who was lost before it, in grey."""
    funnels: dict[str, list[dict[str, Any]]] = {}
    for row in report.to_pylist():
        funnels.setdefault(row["funnel"], []).append(row)
    shown = sorted(funnels)[:MAXIMUM_FUNNELS]
    rows: list[tuple[str, dict[str, Any]]] = [
        (name, row) for name in shown for row in sorted(funnels[name], key=lambda row: row["step"])
    ]
    if not rows:
        figure, axes = new_figure(6, 2)
        say_instead(axes, "no funnel yet")
        return png(figure)
    figure, axes = new_figure(8, 1.2 + 0.42 * len(rows))
    for place, (name, row) in enumerate(rows):
        colour = PALETTE[shown.index(name) % len(PALETTE)]
        axes.barh(place, row["reached"] + row["dropped"], color="#dddddd", height=0.7)
        axes.barh(place, row["reached"], color=colour, height=0.7)
        axes.text(row["reached"] + row["dropped"], place, "  " + _label(row), va="center", fontsize=8)
    axes.set_yticks(
        range(len(rows)),
        [_step_label(name, row, rows, place) for place, (name, row) in enumerate(rows)],
        fontsize=8,
    )
    axes.invert_yaxis()
    widest = max(row["reached"] + row["dropped"] for _, row in rows)
    axes.set_xlim(0, 1.5 * max(widest, 1))
    axes.set_xlabel("persons or sessions; grey: lost before the step")
    axes.set_title("Funnels", fontsize=11, loc="left")
    return png(figure)


def _step_label(name: str, row: dict[str, Any], rows: Sequence[tuple[str, Any]], place: int) -> str:
    first = place == 0 or rows[place - 1][0] != name
    return f"{name} · {row['step_name']}" if first else row["step_name"]


def _label(row: dict[str, Any]) -> str:
    if row["step"] == 1 or row["conversion"] is None:
        return f"{row['reached']:,}"
    share = f"{100 * row['conversion']:.1f} %"
    waited = "" if row["seconds_p50"] is None else f", median {_duration(row['seconds_p50'])}"
    return f"{row['reached']:,} ({share}{waited})"


def _duration(seconds: float) -> str:
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"
