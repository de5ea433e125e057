"""The lake tables that dbt reads, where dbt reads them itself: on Trino and Athena.

Belongs here: making sure that they are there. On DuckDB views stand for them (warehouse.py); what they are
is in source_columns.py.
"""

from __future__ import annotations

from blotout_orchestration.analytics.source_columns import SOURCES
from blotout_orchestration.lake import Lake


def ensure_sources(lake: Lake) -> None:
    """Make the source tables that nothing was written to yet, empty, so that models can name them.

    A shop without advertising has no `ad_spend`, and dbt would fail on it. Twice makes nothing new.
    """
    for spec in SOURCES.values():
        lake.ensure(spec)
