"""Failed runs, failed checks and late assets, as the sensor of a real instance finds them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from dagster import (
    AssetCheckResult,
    AssetKey,
    DagsterInstance,
    DagsterRun,
    Definitions,
    FreshnessPolicy,
    SensorResult,
    asset,
    asset_check,
    build_sensor_context,
    define_asset_job,
)
from dagster._core.definitions.freshness import FreshnessState, FreshnessStateChange

from blotout_orchestration.platform.alerts import outbox
from blotout_orchestration.platform.alerts.automation import alerts_sensor
from blotout_orchestration.platform.alerts.failed_runs import run_again, without_people
from blotout_orchestration.settings import Settings
from tests.alerts.conftest import Mailbox, mailing


@asset(owners=["team:ads"])
def spend() -> None:
    """Fails with what a careless library says."""
    try:
        raise KeyError("eve@example.com at +49 170 1234567")
    except KeyError as error:
        raise RuntimeError("could not load") from error


@asset(owners=["night@example.com"])
def clicks() -> None:
    """Is made."""


@asset_check(asset=clicks, name="newest_click_is_recent")
def newest_click_is_recent() -> AssetCheckResult:
    """Never."""
    return AssetCheckResult(passed=False, metadata={"age_hours": 5.5, "who": "eve@example.com"})


@asset(freshness_policy=FreshnessPolicy.cron("0 1 * * *", timedelta(hours=1)))
def report() -> None:
    """Is late."""


@asset(deps=[report], freshness_policy=FreshnessPolicy.cron("0 2 * * *", timedelta(hours=1)))
def chart() -> None:
    """Is late when the report is."""


DEFINITIONS = Definitions(
    assets=[spend, clicks, report, chart],
    asset_checks=[newest_click_is_recent],
    jobs=[
        define_asset_job("campaign", selection=["spend"]),
        define_asset_job("stream", selection=["clicks"]),
    ],
)


def tick(settings: Settings, instance: DagsterInstance, cursor: str | None = None) -> SensorResult:
    """One tick of the sensor."""
    repository = DEFINITIONS.get_repository_def()
    context = build_sensor_context(instance, cursor=cursor, repository_def=repository)
    result = alerts_sensor(settings)(context)
    assert isinstance(result, SensorResult)
    return result


def run(instance: DagsterInstance, job: str, **tags: str) -> str:
    """A run of a job, whatever becomes of it."""
    definition = DEFINITIONS.resolve_job_def(job)
    return definition.execute_in_process(instance=instance, raise_on_error=False, tags=tags).run_id


def test_a_failed_run_is_told_with_its_innermost_error_and_without_people(
    settings: Settings, mailbox: Mailbox, instance: DagsterInstance
) -> None:
    ours = mailing(settings, mailbox, alert_team_addresses="ads=ads@example.com")
    run_id = run(instance, "campaign")
    tick(ours, instance)
    [mail] = mailbox.mails
    text = mail.get_content()
    assert mail["To"] == "ads@example.com"
    assert f"/runs/{run_id}" in text
    assert "<address> at <number>" in text
    assert "eve@" not in text
    [row] = outbox.newest(ours, 9)
    assert row.payload["step"] == "spend"


def test_a_run_that_automation_launched_is_told_by_the_job_that_makes_its_assets(
    settings: Settings, mailbox: Mailbox, instance: DagsterInstance
) -> None:
    ours = mailing(settings, mailbox)
    hidden = DEFINITIONS.resolve_implicit_global_asset_job_def()
    hidden.execute_in_process(instance=instance, raise_on_error=False, asset_selection=[AssetKey("spend")])
    tick(ours, instance)
    [mail] = mailbox.mails
    assert mail["Subject"] == "[blotout] failed run: campaign"
    assert "blotout run campaign" in mail.get_content()


def test_a_run_over_the_assets_of_several_jobs_is_named_by_its_assets(
    settings: Settings, mailbox: Mailbox, instance: DagsterInstance
) -> None:
    ours = mailing(settings, mailbox)
    hidden = DEFINITIONS.resolve_implicit_global_asset_job_def()
    hidden.execute_in_process(
        instance=instance, raise_on_error=False, asset_selection=[AssetKey("spend"), AssetKey("report")]
    )
    tick(ours, instance)
    [mail] = mailbox.mails
    assert mail["Subject"] == "[blotout] failed run: report, spend"
    assert "Re-execute" in mail.get_content()
    assert "blotout run" not in mail.get_content()


def test_a_failed_pipeline_is_run_again_by_its_name() -> None:
    load = DagsterRun(job_name="elt_pipelines", tags={"dagster/partition": "shop_orders"})
    assert run_again(load, "elt_pipelines").endswith("blotout run elt_pipelines --partition shop_orders")
    from_asset_page = DagsterRun(job_name="__ASSET_JOB", tags=load.tags)
    assert run_again(from_asset_page, "elt_pipelines").endswith("--partition shop_orders")
    hour = DagsterRun(job_name="events_incremental", tags={"dagster/partition": "2026-03-05-17:00"})
    assert run_again(hour, "events_incremental").endswith("blotout run events_incremental")


def test_a_second_tick_with_the_cursor_tells_nothing_again(
    settings: Settings, mailbox: Mailbox, instance: DagsterInstance
) -> None:
    ours = mailing(settings, mailbox)
    run(instance, "campaign")
    first = tick(ours, instance)
    tick(ours, instance, first.cursor)
    assert len(mailbox.mails) == 1


def test_the_retry_of_a_failed_run_is_not_told(
    settings: Settings, mailbox: Mailbox, instance: DagsterInstance
) -> None:
    ours = mailing(settings, mailbox)
    run(instance, "campaign", **{"dagster/retry_number": "1"})
    tick(ours, instance)
    assert mailbox.mails == []


def test_a_failed_check_on_the_newest_moment_is_late_data(
    settings: Settings, mailbox: Mailbox, instance: DagsterInstance
) -> None:
    ours = mailing(settings, mailbox)
    run(instance, "stream")
    for _ in range(3):
        tick(ours, instance)
    [mail] = mailbox.mails
    assert mail["Subject"] == "[blotout] late data: clicks:newest_click_is_recent"
    assert "age_hours = 5.5" in mail.get_content()
    assert "eve@" not in mail.get_content()


def becomes(instance: DagsterInstance, name: str, state: FreshnessState, at: datetime) -> None:
    """What the freshness daemon notes."""
    change = FreshnessStateChange(
        key=AssetKey(name),
        new_state=state,
        previous_state=FreshnessState.UNKNOWN,
        state_change_timestamp=at.timestamp(),
    )
    instance._report_runless_asset_event(change)


def test_an_asset_that_breaks_its_freshness_policy_is_late_data(
    settings: Settings, mailbox: Mailbox, instance: DagsterInstance
) -> None:
    ours = mailing(settings, mailbox)
    becomes(instance, "report", FreshnessState.FAIL, datetime(2026, 3, 5, tzinfo=UTC))
    tick(ours, instance)
    assert [mail["Subject"] for mail in mailbox.mails] == ["[blotout] late data: report"]


def test_what_is_late_because_its_input_is_late_is_not_told(
    settings: Settings, mailbox: Mailbox, instance: DagsterInstance
) -> None:
    ours, now = mailing(settings, mailbox), datetime.now(UTC)
    for name in ("report", "chart"):
        becomes(instance, name, FreshnessState.FAIL, now - timedelta(hours=3))
    tick(ours, instance)
    assert [mail["Subject"] for mail in mailbox.mails] == ["[blotout] late data: report"]
    becomes(instance, "report", FreshnessState.PASS, now)
    tick(ours, instance)
    assert len(mailbox.mails) == 1


def test_what_does_not_follow_when_its_input_has_come_is_told(
    settings: Settings, mailbox: Mailbox, instance: DagsterInstance
) -> None:
    ours, now = mailing(settings, mailbox), datetime.now(UTC)
    becomes(instance, "report", FreshnessState.PASS, now - timedelta(hours=2))
    becomes(instance, "chart", FreshnessState.FAIL, now - timedelta(hours=1))
    tick(ours, instance)
    assert [mail["Subject"] for mail in mailbox.mails] == ["[blotout] late data: chart"]


def test_a_mail_server_that_is_down_does_not_fail_the_tick(
    settings: Settings, mailbox: Mailbox, instance: DagsterInstance
) -> None:
    ours = mailing(settings, mailbox, smtp_port=1)
    run(instance, "campaign")
    result = tick(ours, instance)
    assert result.skip_reason is not None
    assert "1 waiting" in (result.skip_reason.skip_message or "")


def test_addresses_and_phone_numbers_are_taken_out_and_the_rest_stays() -> None:
    assert (
        without_people("row 17: 'a.b@c.example.org', +1 (555) 010-9999!") == "row 17: '<address>', <number>!"
    )
