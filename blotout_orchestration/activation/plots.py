"""Pictures of activation.

Belongs here: drawing. Showing is the asset's matter.
"""

from __future__ import annotations

from io import BytesIO

import pyarrow as pa

_COLOURS = {"accepted": "#20bf6b", "unchanged": "#a5b1c2", "invalid": "#f7b731", "rejected": "#eb3b5a"}
_DAYS, _CHANNELS = 31, 8


def stats_picture(rows: pa.Table) -> bytes:
    """A PNG: for each channel the rows of each day by outcome, and the people held and matched.

    The newest days of the channels with the most rows; how many are left out is written on it.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    channels: dict[str, list[dict[str, object]]] = {}
    for row in rows.to_pylist():
        channels.setdefault(row["channel"], []).append(row)
    by_size = sorted(channels, key=lambda name: -sum(int(row["source_rows"]) for row in channels[name]))  # type: ignore[call-overload]
    drawn = sorted(by_size[:_CHANNELS])
    figure = Figure(figsize=(9, 2.4 * max(1, len(drawn))), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(max(1, len(drawn)), 1, squeeze=False)
    for axes, name in zip(grid[:, 0], drawn, strict=False):
        days = channels[name][-_DAYS:]
        labels = [str(row["date"])[5:] for row in days]
        below = [0] * len(days)
        for outcome, colour in _COLOURS.items():
            heights = [int(row[outcome]) for row in days]  # type: ignore[call-overload]
            axes.bar(labels, heights, bottom=below, color=colour, label=outcome, width=0.6)
            below = [one + two for one, two in zip(below, heights, strict=True)]
        axes.plot(labels, [row["held"] for row in days], "k.-", label="held by our ledger")
        told = [
            (label, row["matched"])
            for label, row in zip(labels, days, strict=True)
            if row["matched"] is not None
        ]
        if told:
            axes.plot(*zip(*told, strict=True), "x", color="#8854d0", label="told by the destination")
        axes.set_title(name, fontsize=10, loc="left")
        axes.set_ylabel("rows")
        axes.yaxis.get_major_locator().set_params(integer=True)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(fontsize=7, ncols=6, loc="upper left", frameon=False)
    if not drawn:
        grid[0, 0].text(0.5, 0.5, "no channel was synced yet", ha="center")
        grid[0, 0].set_axis_off()
    if len(by_size) > len(drawn):
        figure.supxlabel(f"{len(by_size) - len(drawn)} smaller channels are not drawn", fontsize=8)
    stream = BytesIO()
    figure.savefig(stream, format="png", dpi=110)
    return stream.getvalue()
