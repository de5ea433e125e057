"""When what a schedule makes, or what follows it, is late; and whom that is told of."""

from __future__ import annotations

from datetime import timedelta

import pytest

from blotout_orchestration.platform.automation import FOLLOWING, late_after, longest_pause

HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("cron", "pause"),
    [
        ("0 * * * *", HOUR),
        ("*/20 * * * *", HOUR / 3),
        ("0 */6 * * *", 6 * HOUR),
        ("30 9-17 * * *", 16 * HOUR),
        ("0 6 * * 1-5", timedelta(days=3)),
    ],
)
def test_the_longest_pause_of_a_schedule_is_found(cron: str, pause: timedelta) -> None:
    assert longest_pause(cron) == pause


@pytest.mark.parametrize(
    ("cron", "warn", "fail"),
    [
        ("0 * * * *", 2 * HOUR, 3 * HOUR),
        ("0 */6 * * *", 12 * HOUR, 18 * HOUR),
        ("*/5 * * * *", 2 * HOUR, 3 * HOUR),
    ],
)
def test_two_missed_runs_are_a_warning_and_three_a_failure(
    cron: str, warn: timedelta, fail: timedelta
) -> None:
    policy = late_after(cron)
    assert (policy.warn_window.to_timedelta(), policy.fail_window.to_timedelta()) == (warn, fail)


def test_what_follows_a_schedule_is_late_after_the_schedules_own_asset() -> None:
    assert late_after("0 * * * *", behind=FOLLOWING).warn_window.to_timedelta() == 3 * HOUR
    assert late_after("0 * * * *", behind=FOLLOWING).fail_window.to_timedelta() == 4 * HOUR


def test_one_asset_of_each_step_of_the_main_way_is_watched_by_the_schedule_of_its_events(tmp_path) -> None:
    from blotout_orchestration.definitions import build_defs
    from blotout_orchestration.settings import Settings

    six_hourly = Settings(
        _env_file=None, blotout_home=tmp_path, events_incremental_schedule_interval="0 */6 * * *"
    )
    graph = build_defs(six_hourly).resolve_asset_graph()
    policies = {
        key.to_user_string(): graph.get(key).freshness_policy
        for key in graph.get_all_asset_keys()
        if graph.get(key).freshness_policy
    }
    assert set(policies) == {
        "core_events",
        "id_graph",
        "sessions",
        "attribution_report",
        "campaign",
        "retention_report",
    }
    assert policies.pop("core_events") == late_after("0 */6 * * *")
    assert {policy.fail_window.to_timedelta() for policy in policies.values()} == {19 * HOUR}
