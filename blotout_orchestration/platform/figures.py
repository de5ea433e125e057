"""What all pictures share: a figure without global state, its PNG bytes, colours that everybody can tell apart.

Belongs here: what no domain owns. Matplotlib is imported inside the functions and used without its global
state, so that runs can draw in parallel. Colours: Okabe and Ito (2008), Color Universal Design.
"""

from __future__ import annotations

from io import BytesIO
from typing import Any

PALETTE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#000000", "#F0E442")
"""Okabe-Ito colours, in an order whose neighbours differ in lightness too."""


def png(figure: Any) -> bytes:
    """The figure as PNG bytes, the same for the same figure."""
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
    return buffer.getvalue()


def new_figure(width: float, height: float) -> tuple[Any, Any]:
    """A figure of this size in inches, and its axes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.add_subplot()


def say_instead(axes: Any, text: str) -> None:
    """A sentence where there is nothing to draw."""
    axes.text(0.5, 0.5, text, ha="center", va="center", transform=axes.transAxes, fontsize=12)
    axes.set_axis_off()
