"""The variables of the original, under the names that they had in Airflow.

Belongs here: every variable that `airflow variables export` of the original writes. Does not belong here: what reads them.
"""

from __future__ import annotations

from pydantic import BaseModel

from blotout_orchestration import setting_fields as fields
from blotout_orchestration.setting_fields import cron_setting, image_tag_setting, setting


class AirflowVariables(BaseModel):
    """Schedules, AWS, Superset and the image tags of the original."""

    airflow_start_date: fields.Moment = setting(
        "Schedules",
        "1977-10-01 00:00:00",
        "Assumed start of the cron jobs.",
        "a date and time in ISO 8601",
        "1977-10-01 00:00:00",
        compatibility="Checked and kept, without effect: see EVENTS_START_HOUR.",
    )
    events_incremental_schedule_interval: fields.Cron = cron_setting(
        "0 * * * *", "When the click stream is processed."
    )
    schedule_interval_delete_idle_connections: fields.Cron = cron_setting(
        "0 */3 * * *", "When idle database connections are released."
    )
    user_reporting_schedule_interval: fields.Cron = cron_setting(
        "*/30 * * * *", "When the Superset dashboard automation runs; no job reads it yet."
    )
    aws_region: fields.Region = setting(
        "AWS", "us-west-2", "Region of everything on AWS ground.", "an AWS region", "us-west-2"
    )
    emr_ec2_instance_type: fields.InstanceType = setting(
        "AWS",
        "m4.large",
        "Instance type of EMR clusters, on AWS; no job reads it yet.",
        "an EC2 instance type",
        "m4.large",
    )
    private_subnet: fields.Subnet | None = setting(
        "AWS",
        None,
        "Subnet of the infrastructure, on AWS; no job reads it yet.",
        "`subnet-` and 8 or 17 hexadecimal digits",
        "subnet-048ee3a00944bc2e0",
    )
    superset_username: str = setting(
        "Superset",
        "admin",
        "Superset account.",
        "1 to 64 characters without white space",
        "admin",
        pattern=r"^\S{1,64}$",
    )
    superset_password: fields.Secret | None = setting(
        "Superset",
        None,
        "Password of the Superset account.",
        "a password without white space around it",
        "PASSWORD",
        secret=True,
    )
    superset_user_email: fields.Email | None = setting(
        "Superset", None, "E-mail of the Superset account.", "an e-mail address", "admin@example.com"
    )
    tag_dbt_analytics: fields.DockerTag = image_tag_setting("dbt")
    tag_dbt_code_generator: fields.DockerTag = image_tag_setting("code generator")
    tag_dbt_reverse_el: fields.DockerTag = image_tag_setting("activation")
    tag_superset_automation: fields.DockerTag = image_tag_setting("Superset automation")
