"""What is checked of the warehouse in production, beside the dbt tests."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from dagster import AssetCheckResult, AssetCheckSeverity

from blotout_orchestration.analytics.checks import analytics_checks, collisions
from blotout_orchestration.analytics.warehouse import publish
from blotout_orchestration.lake import Lake
from blotout_orchestration.settings import Settings
from tests.dbt.unified import shop


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Of three events that came twice, one came with other content two days ago."""
    home = tmp_path_factory.mktemp("collisions")
    made = Lake(Settings(_env_file=None, blotout_home=home, organisation="shop", environment="test"))
    shop.land(
        made,
        [
            shop.event("a", 5, content_hash="1"),
            shop.event("a", 5, delay=70, content_hash="2"),
            shop.event("a", 5, delay=130, content_hash="1"),
            shop.event("b", 6, content_hash="3"),
            shop.event("b", 6, delay=70, content_hash="3"),
            shop.event("c", 48 * 60),
        ],
    )
    shop.build(made)
    publish(made.settings)
    return made


def run_check(lake: Lake) -> AssetCheckResult:
    (check,) = [
        check for check in analytics_checks(lake) if "event_ids_keep_their_content" in str(check.check_keys)
    ]
    result = check()
    assert isinstance(result, AssetCheckResult)
    return result


def figures(result: AssetCheckResult) -> Mapping[str, object]:
    return {name: value.value for name, value in result.metadata.items()}


def test_deliveries_with_other_content_are_counted(lake: Lake) -> None:
    assert collisions(lake.settings) == {
        "events_collided": 1,
        "event_ids": 1,
        "events_collided_newest_day": 0,
    }


def test_the_check_warns_of_those_of_the_newest_day_only(lake: Lake) -> None:
    before = run_check(lake)
    assert (before.passed, before.severity) == (True, AssetCheckSeverity.WARN)
    shop.land_hour(lake, shop.at(50 * 60), [shop.event("c", 50 * 60, content_hash="other")])
    shop.build(lake)
    publish(lake.settings)
    after = run_check(lake)
    assert not after.passed
    assert figures(after)["events_collided_newest_day"] == 1
    assert figures(after)["events_collided"] == 2
