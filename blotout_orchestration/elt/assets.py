"""The offline contract tables in the lineage.

Belongs here: what the id graph and dbt read from sources beside the click stream. What fills the tables
reports its materializations on these keys.
"""

from __future__ import annotations

from dagster import AssetSpec

from blotout_orchestration.elt.contract import AD_SPEND, CRM_PROFILES, ID_MAPPINGS, OFFLINE_EVENTS
from blotout_orchestration.lake import Lake
from blotout_orchestration.platform.assets import OWNERS, table_metadata

GROUP = "elt"
TABLES = (ID_MAPPINGS, OFFLINE_EVENTS, CRM_PROFILES, AD_SPEND)


def elt_assets(lake: Lake) -> list[AssetSpec]:
    """The contract tables as external assets: loaded by sources, observed here."""
    return [
        AssetSpec(
            spec.name,
            description=spec.description,
            group_name=GROUP,
            kinds={"iceberg"},
            owners=OWNERS,
            metadata=table_metadata(lake, spec),
        )
        for spec in TABLES
    ]
