"""The chart of a bill as PNG bytes.

Belongs here: drawing. Does not belong here: sums.
"""

from __future__ import annotations

from blotout_orchestration.maintenance.billing.bill import Bill
from blotout_orchestration.platform.figures import PALETTE, new_figure, png, say_instead

ITEMS_SHOWN = 8


def chart(bill: Bill, unit: str) -> bytes:
    """Usage by item, this month beside the one before; the smaller items are one bar."""
    figure, axes = new_figure(8, 3.6)
    rows = [row for row in bill.by_item(unit) if row.amount or row.before]
    if not rows:
        say_instead(axes, f"{bill.month.name}: nothing used")
        return png(figure)
    shown = [(row.item, row.amount, row.before) for row in rows[:ITEMS_SHOWN]]
    rest = rows[ITEMS_SHOWN:]
    if rest:
        amounts = sum(float(row.amount) for row in rest), sum(float(row.before) for row in rest)
        shown.append((f"{len(rest)} more", *amounts))  # type: ignore[arg-type]
    places = range(len(shown))
    axes.barh([at - 0.2 for at in places], [float(now) for _, now, _ in shown], 0.4, color=PALETTE[0])
    axes.barh([at + 0.2 for at in places], [float(before) for _, _, before in shown], 0.4, color=PALETTE[4])
    axes.set_yticks(list(places), [item for item, _, _ in shown], fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel(unit)
    axes.legend([bill.month.name, bill.month.previous.name], frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    return png(figure)
