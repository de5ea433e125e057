"""Three commands on a running UI: partitions within a minute, green runs within two, nothing restarted."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError

from tests.browser.dagster_ui import browser_page, dagster_ui, free_port, graphql
from tests.browser.newcomer import CUSTOMERS, KEYS, MEMBERS, SECRETS, newcomer, states

pytestmark = [pytest.mark.browser, pytest.mark.heavy]
LONGEST_MS = 300_000
CODE = "{ workspaceOrError { ... on Workspace { locationEntries { updatedTimestamp } } } }"


@pytest.fixture
def page() -> Iterator[Page]:
    with browser_page() as opened:
        opened.set_default_timeout(30_000)
        yield opened


def test_three_commands_and_the_pipelines_are_there_and_green(page, tmp_path, real_data: Path, monkeypatch):
    """The minutes are those of an idle machine; they are printed (`pytest -s`), and not held on a busy one."""
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    home = tmp_path / "home"
    with (
        newcomer(home, tmp_path, real_data) as user,
        dagster_ui(home, free_port(), tmp_path / "ui.log") as address,
    ):
        loaded = graphql(address, CODE)
        user.add()
        added = time.monotonic()
        for asset, key in KEYS.items():
            page.goto(f"{address}/assets/{asset}?view=partitions")
            until_there(page, key)
        print(f"partitions after {time.monotonic() - added:.0f} s")
        page.goto(f"{address}/runs")
        for key in KEYS.values():
            row = page.locator("[data-index], tr", has_text=key).filter(has_text="Success").first
            expect(row).to_be_visible(timeout=LONGEST_MS)
        print(f"green after {time.monotonic() - added:.0f} s")
        assert {key: states(address)[key] for key in KEYS.values()} == dict.fromkeys(KEYS.values(), "SUCCESS")
        assert len(user.klaviyo.members()) == MEMBERS
        page.goto(f"{address}/assets/elt/postgres?view=events")
        expect(page.get_by_text(f"{CUSTOMERS:,}").or_(page.get_by_text(str(CUSTOMERS))).first).to_be_visible()
        assert graphql(address, CODE) == loaded


def until_there(page: Page, key: str) -> None:
    """Look at the page anew until it shows a key."""
    for _ in range(60):
        try:
            page.get_by_text(key, exact=True).first.wait_for(timeout=5_000)
        except PlaywrightTimeoutError:
            page.reload()
        else:
            return
    pytest.fail(f"partition {key} did not appear")
