"""A bill as people get it: HTML, text, CSV.

Belongs here: wording and layout. Does not belong here: sums, and sending.
"""

from __future__ import annotations

import csv
import io
from decimal import Decimal

from blotout_orchestration.maintenance.billing.bill import Bill, Compared

CHART = "chart"
"""Name under which the HTML expects the picture of the first unit."""
ITEMS_IN_TEXT = 15

_TEMPLATE = """\
<!doctype html>
<html><head><meta charset="utf-8"><title>{{ bill.subject }}</title></head>
<body style="font-family: Helvetica, Arial, sans-serif; color: #222; max-width: 760px">
<h2>{{ bill.subject }}</h2>
{% for unit in units %}
<p><strong>{{ unit.total }}</strong>, {{ unit.change }} ({{ unit.before }} in {{ bill.month.previous.name }}).
{% if unit.corrections %}Apart from usage: {{ unit.corrections }}.{% endif %}</p>
{% if loop.first %}<p><img src="cid:{{ chart }}" alt="Use by item" width="720"></p>{% endif %}
{% for table in unit.tables if table.rows %}
<table style="border-collapse: collapse; width: 100%; font-size: 14px">
<tr>{% for cell in table.header %}<th style="text-align: {{ "left" if loop.first else "right" }}">{{ cell }}</th>{% endfor %}</tr>
{% for row in table.rows %}<tr style="border-top: 1px solid #ddd">{% for cell in row %}\
<td style="text-align: {{ "left" if loop.first else "right" }}">{{ cell }}</td>{% endfor %}</tr>
{% endfor %}</table><br>
{% endfor %}{% else %}<p>Nothing was used.</p>{% endfor %}
{% if stored %}<h3>Stored now</h3>
<table style="border-collapse: collapse; width: 100%; font-size: 14px">
{% for name, size in stored %}<tr style="border-top: 1px solid #ddd"><td>{{ name }}</td>\
<td style="text-align: right">{{ size }}</td></tr>
{% endfor %}</table>{% endif %}
{% if forecast %}<p>{{ forecast }}</p>{% endif %}
<p style="color: #666">The attached CSV holds every day and item.</p>
</body></html>
"""


def html(bill: Bill) -> str:
    """The bill for mail readers; names of services and jobs are escaped."""
    from jinja2 import Environment

    environment = Environment(autoescape=True, trim_blocks=False)
    return environment.from_string(_TEMPLATE).render(
        bill=bill,
        chart=CHART,
        units=[_shown_unit(bill, unit) for unit in bill.units],
        stored=[(name, amount(Decimal(size), "bytes")) for name, size in bill.stored],
        forecast=forecast(bill),
    )


def text(bill: Bill) -> str:
    """The bill for readers without HTML."""
    lines = [bill.subject, "=" * len(bill.subject)]
    for unit in bill.units:
        total, before = bill.total(unit), bill.total(unit, month=bill.month.previous)
        lines += ["", f"{amount(total, unit)}, {change(total, before)} ({amount(before, unit)} before)"]
        if corrections(bill, unit):
            lines.append(f"Apart from usage: {corrections(bill, unit)}")
        rows = bill.by_item(unit)[:ITEMS_IN_TEXT]
        width = max((len(row.item) for row in rows), default=0)
        lines += [
            f"  {row.item:{width}}  {amount(row.amount, unit):>18}  {change(row.amount, row.before)}"
            for row in rows
        ]
    if bill.stored:
        total_stored = sum(size for _, size in bill.stored)
        lines += ["", f"Stored now: {amount(Decimal(total_stored), 'bytes')} in {len(bill.stored)} tables"]
    if forecast(bill):
        lines += ["", forecast(bill)]
    return "\n".join(lines) + "\n"


def as_csv(bill: Bill) -> bytes:
    """Every line of the month: day, account, item, kind, amount, unit."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer)
    writer.writerow(["day", "account", "item", "kind", "amount", "unit"])
    for line in sorted(
        bill.lines, key=lambda line: (line.day, line.account, line.kind, line.item, line.unit)
    ):
        if bill.month.holds(line.day):
            writer.writerow([line.day, line.account, line.item, line.kind, f"{line.amount:f}", line.unit])
    return buffer.getvalue().encode()


def amount(value: Decimal, unit: str) -> str:
    """A number with its unit: money to the cent, bytes in the next greater unit, seconds as hours."""
    if unit.startswith("bytes"):
        return _in_bytes(value)
    if unit.endswith("seconds"):
        return f"{value / 3600:,.2f} h"
    return f"{value:,.2f} {unit}"


def change(now: Decimal, before: Decimal) -> str:
    """The relative change in words."""
    if not before:
        return "new" if now else "none"
    share = (now - before) / before
    return "unchanged" if abs(share) < Decimal("0.0005") else f"{share:+.1%}"


def corrections(bill: Bill, unit: str) -> str:
    """Credits, refunds and taxes of the month, which are in the total and not in the usage."""
    parts = []
    for kind, name in (("credit", "credits"), ("refund", "refunds"), ("tax", "tax")):
        value = bill.total(unit, kind)  # type: ignore[arg-type]
        if value:
            parts.append(f"{name} {amount(value, unit)}")
    return ", ".join(parts)


def forecast(bill: Bill) -> str:
    """What the running month is expected to come to; empty when nobody asked."""
    expected = bill.forecast
    if expected is None:
        return ""
    if expected.amount is None:
        return f"No forecast for {expected.month.name}: {expected.reason}."
    return f"Forecast for the rest of {expected.month.name}: {amount(expected.amount, expected.unit)}."


def _shown_unit(bill: Bill, unit: str) -> dict[str, object]:
    total, before = bill.total(unit), bill.total(unit, month=bill.month.previous)
    tables = [{"header": _header(bill, "Item"), "rows": _rows(bill.by_item(unit), unit)}]
    if len(bill.accounts) > 1:
        tables.append({"header": _header(bill, "Account"), "rows": _rows(bill.by_account(unit), unit)})
    return {
        "total": amount(total, unit),
        "before": amount(before, unit),
        "change": change(total, before),
        "corrections": corrections(bill, unit),
        "tables": tables,
    }


def _header(bill: Bill, first: str) -> list[str]:
    return [first, bill.month.name, bill.month.previous.name, "Change"]


def _rows(rows: list[Compared], unit: str) -> list[list[str]]:
    return [
        [row.item, amount(row.amount, unit), amount(row.before, unit), change(row.amount, row.before)]
        for row in rows
    ]


def _in_bytes(value: Decimal) -> str:
    size = float(value)
    for name in ("B", "KiB", "MiB", "GiB"):
        if abs(size) < 1024:
            return f"{size:,.0f} {name}" if name == "B" else f"{size:,.1f} {name}"
        size /= 1024
    return f"{size:,.1f} TiB"
