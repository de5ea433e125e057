"""Pictures of the ID graph.

Belongs here: counting component sizes for a picture, and drawing it. Showing it is the asset's matter.
"""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO

from blotout_orchestration.id_graph.contract import ID_GRAPH
from blotout_orchestration.lake import Lake


def component_sizes(lake: Lake) -> dict[int, int]:
    """How many people have so many ids: {ids a person: people}, by size."""
    import duckdb

    with duckdb.connect() as connection:
        lake.register(connection, "id_graph", ID_GRAPH)
        rows = connection.execute(
            """select ids, count(*) from (select count(*) as ids from id_graph group by global_user_id)
               group by 1 order by 1"""
        ).fetchall()
    return {int(ids): int(people) for ids, people in rows}


def largest_people(lake: Lake, number: int = 10) -> list[tuple[str, int]]:
    """The people with the most ids, as (global_user_id, ids), largest first."""
    import duckdb

    with duckdb.connect() as connection:
        lake.register(connection, "id_graph", ID_GRAPH)
        rows = connection.execute(
            "select global_user_id, count(*) from id_graph group by 1 order by 2 desc, 1 limit ?", [number]
        ).fetchall()
    return [(str(person), int(ids)) for person, ids in rows]


def size_histogram(sizes: Mapping[int, int]) -> bytes:
    """A PNG of people by number of ids, in bins that double, people on a logarithmic axis."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    bins: dict[int, int] = {}
    for ids, people in sizes.items():
        exponent = ids.bit_length() - 1
        bins[exponent] = bins.get(exponent, 0) + people
    exponents = range(max(bins, default=0) + 1)
    labels = ["1" if e == 0 else f"{2**e}-{2 ** (e + 1) - 1}" for e in exponents]
    figure = Figure(figsize=(8, 3.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    bars = axes.bar(labels, [bins.get(e, 0) for e in exponents], color="#3867d6")
    axes.bar_label(bars, fmt="{:,.0f}", fontsize=8)
    axes.set_yscale("symlog", linthresh=1)
    axes.set_xlabel("ids of one person")
    axes.set_ylabel("people")
    axes.spines[["top", "right"]].set_visible(False)
    stream = BytesIO()
    figure.savefig(stream, format="png", dpi=110)
    return stream.getvalue()
