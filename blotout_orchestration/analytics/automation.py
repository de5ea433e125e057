"""Jobs of the dbt layers under their DAG names, and the sensors that run them after their inputs.

Belongs here: selections and their automation. What the assets do is in assets.py.
"""

from __future__ import annotations

from dagster import AssetSelection, AutomationConditionSensorDefinition, define_asset_job
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from blotout_orchestration.analytics.assets import REPORTS, UNIFIED
from blotout_orchestration.platform.automation import automation_sensor

DESCRIPTIONS = {
    UNIFIED: "Sessions, unique events, unified events, conversions and users, step by step (dbt).",
    "attribution": "Attribution reporting view: six rule models, Markov and Shapley.",
    "campaign": "Campaign reporting view: spend against sessions and conversions, CAC, ROAS.",
    "retention": "Retention reporting view: cohorts by day, week and month.",
    "derived_views": "The older reporting views. Deprecated in 0.21.0; kept for dashboards that read them.",
}


def analytics_jobs() -> list[UnresolvedAssetJobDefinition]:
    """One job a DAG name; its selection is the asset group of the same name."""
    return [
        define_asset_job(
            name, selection=AssetSelection.groups(name), description=text, tags={"category": "Analytics"}
        )
        for name, text in DESCRIPTIONS.items()
    ]


def analytics_sensors() -> list[AutomationConditionSensorDefinition]:
    """The unified layer follows the lake, the reports follow the unified layer."""
    return [
        automation_sensor(
            f"{UNIFIED}_automation",
            [UNIFIED],
            "Builds the unified layer after new events, ids or offline rows.",
        ),
        automation_sensor(
            "reports_automation", list(REPORTS), "Builds attribution, campaign, retention and derived views."
        ),
    ]
