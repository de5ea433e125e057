"""The lake: layers, the Iceberg catalog, tables, atomic commits and engine-neutral reads.

Knows nothing of Dagster and nothing of the domains; they declare their tables and call in here.
"""

from blotout_orchestration.lake.catalog import Lake
from blotout_orchestration.lake.tables import TableSpec

__all__ = ["Lake", "TableSpec"]
