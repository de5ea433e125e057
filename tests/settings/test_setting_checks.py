"""Each kind of setting takes what is meant and refuses what cannot be."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from blotout_orchestration import setting_checks as checks

ACCEPTED: list[tuple[Callable[[str], str], str]] = [
    (checks.check_cron, "0 * * * *"),
    (checks.check_cron, "*/30 8-18 * * mon-fri"),
    (checks.check_cron, "@hourly"),
    (checks.check_cron, "0 0 29 2 *"),
    (checks.check_region, "us-west-2"),
    (checks.check_region, "cn-north-1"),
    (checks.check_subnet, "subnet-048ee3a00944bc2e0"),
    (checks.check_subnet, "subnet-1a2b3c4d"),
    (checks.check_instance_type, "m4.large"),
    (checks.check_instance_type, "u-6tb1.112xlarge"),
    (checks.check_instance_type, "m7i.metal-24xl"),
    (checks.check_email, "admin@example.com"),
    (checks.check_email, "reports@warehouse.corp.local"),
    (checks.check_docker_tag, "0.20.0"),
    (checks.check_docker_tag, "v1_rc-2.x"),
    (checks.check_name, "acme_shop2"),
    (checks.check_moment, "1977-10-01 00:00:00"),
    (checks.check_catalog_uri, "glue"),
    (checks.check_catalog_uri, "sqlite:////var/lib/catalog.db"),
    (checks.check_catalog_uri, "postgresql+psycopg2://user:p%40ss@db:5432/catalog"),
    (checks.check_spark_master, "local[*]"),
    (checks.check_spark_master, "spark://one:7077,two:7077"),
    (checks.check_spark_master, "yarn"),
    (checks.check_lake_location, "/data/lake"),
    (checks.check_lake_location, "s3://"),
    (checks.check_lake_location, "s3://my-bucket/some/prefix"),
]
REFUSED: list[tuple[Callable[[str], str], str, str]] = [
    (checks.check_cron, "* * *", "five fields"),
    (checks.check_cron, "0 0 0 * * *", "five fields"),
    (checks.check_cron, "60 * * * *", "not a cron expression"),
    (checks.check_cron, "0 0 31 2 *", "never fires"),
    (checks.check_cron, "@once", "turn the schedule off"),
    (checks.check_cron, "@fortnightly", "not a cron expression"),
    (checks.check_cron, "H * * * *", "differ from start to start"),
    (checks.check_region, "us-wset-2", "did you mean us-west-2"),
    (checks.check_region, "mars", "unknown region"),
    (checks.check_subnet, "subnet-1", "not a subnet id"),
    (checks.check_instance_type, "large", "not an instance type"),
    (checks.check_instance_type, "m4.huge", "not an instance type"),
    (checks.check_email, "admin", "not an e-mail address"),
    (checks.check_docker_tag, "-rc1", "not a Docker tag"),
    (checks.check_docker_tag, "a" * 129, "not a Docker tag"),
    (checks.check_name, "Acme-Shop", "'acme_shop' would do"),
    (checks.check_name, "acme__shop", "not safe"),
    (checks.check_moment, "yesterday", "not a date and time"),
    (checks.check_hour, "2026-03-05T17:30", "not a whole hour"),
    (checks.check_hour, "0001-01-01T00:00+14:00", "not a date and time"),
    (checks.check_catalog_uri, "postgresql://db/catalog", "postgresql+psycopg2://"),
    (checks.check_catalog_uri, "postgresql+psycopg2://db", "cannot be read"),
    (checks.check_catalog_uri, "sqlite://", "in memory"),
    (checks.check_catalog_uri, "mysql://db/catalog", "unknown kind"),
    (checks.check_spark_master, "spark://host", "not a Spark master"),
    (checks.check_lake_location, "s3a://bucket", "only folders and s3://"),
    (checks.check_lake_location, "s3://key:secret@bucket", "credentials"),
    (checks.check_lake_location, "s3://Bad_Bucket/x", "not a bucket name"),
]


@pytest.mark.parametrize(("check", "value"), ACCEPTED)
def test_a_meant_value_is_accepted_and_kept(check: Callable[[str], str], value: str) -> None:
    assert check(value) == value


@pytest.mark.parametrize(("check", "value", "reason"), REFUSED)
def test_a_bad_value_is_refused_with_its_reason(check: Callable[[str], str], value: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason.replace("+", r"\+")):
        check(value)


_FIELD = st.from_regex(r"(\*|\d{1,2}(-\d{1,2})?(,\d{1,2})?)(/\d{1,2})?|[A-Za-z#@?LW]{1,4}", fullmatch=True)


@hypothesis.settings(deadline=None)
@given(
    st.one_of(
        st.lists(_FIELD, min_size=4, max_size=7).map(" ".join),
        st.sampled_from(
            ["@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually", "@once"]
        ),
        st.text(max_size=20),
    )
)
def test_whatever_cron_is_accepted_dagster_can_schedule(expression: str) -> None:
    from dagster._utils.schedules import is_valid_cron_string

    try:
        accepted = checks.check_cron(expression)
    except ValueError:
        return
    assert is_valid_cron_string(accepted)


def test_every_instance_type_that_botocore_knows_is_accepted() -> None:
    from botocore.loaders import create_loader

    known = create_loader().load_service_model("ec2", "service-2")["shapes"]["InstanceType"]["enum"]
    assert len(known) > 500
    assert [name for name in known if checks.check_instance_type(name) != name] == []


@given(
    st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2100, 1, 1)),
    st.integers(min_value=-14, max_value=14),
)
def test_an_hour_means_the_same_moment_in_every_offset(moment: datetime, offset: int) -> None:
    hour = moment.replace(minute=0, second=0, microsecond=0, tzinfo=timezone(timedelta(hours=offset)))
    checked = datetime.fromisoformat(checks.check_hour(hour.isoformat()))
    assert checked == hour
    assert checked.utcoffset() == timedelta(0)


def test_an_hour_without_offset_is_utc() -> None:
    assert checks.check_hour("2026-03-05T17") == "2026-03-05T17:00:00+00:00"


def test_a_secret_with_a_copied_line_end_is_refused() -> None:
    with pytest.raises(ValueError, match="white space"):
        checks.check_secret(SecretStr("hunter2\n"))


@pytest.mark.parametrize(
    "address",
    [
        "https://hooks.example.com/services/KEY",
        "http://127.0.0.1:8000/KEY",
        "http://[::1]:8000/",
        "http://localhost/KEY",
    ],
)
def test_a_secret_address_is_one_that_can_be_requested(address: str) -> None:
    assert checks.check_secret_address(SecretStr(address)).get_secret_value() == address


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("x/y", "not an address"),
        ("???", "not an address"),
        ("https://", "not an address"),
        ("https://host:port/", "not an address"),
        ("https://[::1/", "not an address"),
        ("ftp://hooks.example.com/KEY", "not an address"),
        ("https://hooks.example.com/a b", "not an address"),
        ("https://hooks.example.com/KEY\n", "white space"),
    ],
)
def test_a_secret_address_that_cannot_be_requested_is_refused(address: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        checks.check_secret_address(SecretStr(address))
