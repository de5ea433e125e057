"""Assets follow their inputs: once for each update, and never missing one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from dagster import (
    AssetMaterialization,
    DagsterInstance,
    Definitions,
    asset,
    evaluate_automation_conditions,
)

from blotout_orchestration.platform.automation import follows_its_inputs


@asset
def above() -> None:
    return None


@asset(deps=[above], automation_condition=follows_its_inputs())
def below() -> None:
    return None


@pytest.fixture
def instance() -> Iterator[DagsterInstance]:
    with DagsterInstance.ephemeral() as made:
        yield made


def update(instance: DagsterInstance, name: str) -> None:
    instance.report_runless_asset_event(AssetMaterialization(name))


def requested(instance: DagsterInstance, cursor=None):
    return evaluate_automation_conditions(Definitions([above, below]), instance=instance, cursor=cursor)


def test_an_update_is_followed_once(instance):
    first = requested(instance)
    update(instance, "above")
    second = requested(instance, first.cursor)
    update(instance, "below")
    third = requested(instance, second.cursor)
    assert (first.total_requested, second.total_requested, third.total_requested) == (0, 1, 0)


def test_an_update_that_arrives_during_the_run_is_followed_after_it(instance):
    first = requested(instance)
    update(instance, "above")
    second = requested(instance, first.cursor)
    update(instance, "above")
    update(instance, "below")
    third = requested(instance, second.cursor)
    assert (second.total_requested, third.total_requested) == (1, 1)
