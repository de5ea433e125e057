"""What a data engineer sees and does in the Dagster UI, in a real browser on a real run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.dagster_ui import browser_page, dagster_ui, free_port, graphql, make_small_demo

pytestmark = [pytest.mark.browser, pytest.mark.heavy]
SCHEDULE_STATE = """
query State($name: String!) {
  scheduleOrError(scheduleSelector: {
    repositoryName: "__repository__", repositoryLocationName: "blotout_orchestration", scheduleName: $name
  }) { ... on Schedule { scheduleState { status } } }
}
"""
SCHEDULE = "events_incremental_schedule"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ui")
    make_small_demo(folder / "home", folder / "demo")
    return folder / "home"


@pytest.fixture(scope="module")
def address(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with dagster_ui(home, free_port(), tmp_path_factory.mktemp("log") / "ui.log") as running:
        yield running


@pytest.fixture
def page() -> Iterator[Page]:
    with browser_page() as opened:
        opened.set_default_timeout(30_000)
        yield opened


def test_the_lineage_shows_every_group(page, address):
    page.goto(f"{address}/asset-groups")
    for group in ("elt", "events", "id_graph", "events_unified_view", "attribution", "campaign", "retention"):
        expect(page.get_by_text(group, exact=True).first).to_be_visible()


def test_the_run_of_the_main_job_is_green(page, address):
    page.goto(f"{address}/runs")
    expect(page.get_by_text("clickstream_to_reports").first).to_be_visible()
    expect(page.get_by_text("Success").first).to_be_visible()


@pytest.mark.parametrize("asset", ["bad_events", "id_graph", "attribution_data_driven", "retention_chart"])
def test_an_asset_carries_its_picture(page, address, asset):
    page.goto(f"{address}/assets/{asset}?view=events")
    page.get_by_text("Show Markdown").first.wait_for()
    pictures = 0
    for button in page.get_by_text("Show Markdown").all():
        button.click()
        page.wait_for_timeout(700)
        pictures += page.locator("img[src^='data:image/png']").count()
        page.keyboard.press("Escape")
        page.wait_for_timeout(400)
    assert pictures >= 1


def status(address: str) -> str:
    return graphql(address, SCHEDULE_STATE, {"name": SCHEDULE})["scheduleOrError"]["scheduleState"]["status"]


def test_a_schedule_that_was_switched_off_in_the_ui_stays_off_after_a_restart(page, tmp_path):
    home, port = tmp_path / "home", free_port()
    with dagster_ui(home, port, tmp_path / "first.log") as address:
        assert status(address) == "RUNNING"
        page.goto(f"{address}/locations/blotout_orchestration/schedules/{SCHEDULE}")
        switch = page.locator("input[type=checkbox]").first
        switch.wait_for(state="attached")
        switch.evaluate("element => element.click()")
        page.wait_for_timeout(2_000)
        assert status(address) == "STOPPED"
    with dagster_ui(home, port, tmp_path / "second.log") as address:
        assert status(address) == "STOPPED"
