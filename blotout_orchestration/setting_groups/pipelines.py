"""The platform's database with its registries, the ELT pipelines, and the engine of the id graph.

Belongs here: where the registries lie, the defaults of ELT, who stitches ids. Does not belong here: what reads them.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel

from blotout_orchestration import setting_fields as fields
from blotout_orchestration.setting_fields import cron_setting, setting


class PipelineSettings(BaseModel):
    """The platform's database with its registries, and the ELT pipelines."""

    platform_database: fields.DatabaseUri | None = setting(
        "Pipelines",
        None,
        "Database of the registries, the audit log and undelivered alerts; default a SQLite file in BLOTOUT_HOME.",
        "`sqlite:////folder/file` or `postgresql+psycopg2://user:password@host:5432/database`",
        "postgresql+psycopg2://blotout:PASSWORD@db:5432/platform",
        secret=True,
    )
    pipeline_runs_at_once: int = setting(
        "Pipelines",
        4,
        "How many runs of ELT pipelines, and how many of activation channels, may be under way at once.",
        "a whole number from 1 to 1000",
        "8",
        ge=1,
        le=1000,
    )
    stitching_engine: Literal["scipy", "spark"] = setting(
        "Pipelines",
        "scipy",
        "Engine that finds connected ids when the whole id graph is rebuilt: SciPy in process, or Spark.",
        "`scipy` or `spark`; with `spark` SPARK_MASTER is used",
        "spark",
    )
    elt_freshness_schedule_interval: fields.Cron = cron_setting(
        "*/30 * * * *", "When freshness of the ELT pipelines is looked at."
    )
