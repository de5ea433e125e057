"""The door in a real browser: Dagster's own UI behind the login, as editor and as viewer."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.dagster_ui import BLOTOUT, START_SECONDS, browser_page, environment, free_port

pytestmark = [pytest.mark.browser, pytest.mark.heavy]
SCHEDULE = "events_incremental_schedule"
SCHEDULE_PAGE = f"/locations/blotout_orchestration/schedules/{SCHEDULE}"
PASSWORD = "a password for the browser"
LOADED = "{ workspaceOrError { ... on Workspace { locationEntries { loadStatus } } } }"
STATE = """
query State($name: String!) {
  scheduleOrError(scheduleSelector: {
    repositoryName: "__repository__", repositoryLocationName: "blotout_orchestration", scheduleName: $name
  }) { ... on Schedule { scheduleState { status } } }
}
"""
PICTURES = os.environ.get("BLOTOUT_LOGIN_PICTURES")
"""Folder for the pictures of docs/login.md; none are taken without it."""


def picture(page: Page, name: str, height: int = 1000) -> None:
    if PICTURES:
        page.wait_for_timeout(1_000)
        clip = {"x": 0, "y": 0, "width": 1600, "height": height}
        page.screenshot(path=Path(PICTURES) / f"{name}.png", clip=clip)


@contextmanager
def web(home: Path, log: Path) -> Iterator[str]:
    """`blotout web` on a home; gives the address of the UI, and stops every process of it at the end."""
    port = free_port()
    with log.open("w") as output:
        process = subprocess.Popen(
            [str(BLOTOUT), "web", "--port", str(port)],
            env={**environment(home), "DAGSTER_PASSWORD": PASSWORD},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while process.poll() is None and time.monotonic() < deadline:
            try:
                urllib.request.urlopen(f"http://localhost:{port}/health", timeout=5).close()
                break
            except OSError:
                time.sleep(0.5)
        else:
            raise AssertionError(f"the door did not come up:\n{log.read_text()[-4000:]}")
        yield f"http://localhost:{port}/dagster"
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("door")
    home = folder / "home"
    for name, role in (("edith", "editor"), ("victor", "viewer")):
        command = [str(BLOTOUT), "users", "add", name, "--role", role, "--password-stdin"]
        subprocess.run(command, env=environment(home), input=PASSWORD, text=True, check=True)
    with web(home, folder / "web.log") as running:
        yield running


@pytest.fixture
def page() -> Iterator[Page]:
    expect.set_options(timeout=60_000)
    with browser_page() as opened:
        opened.set_default_timeout(60_000)
        yield opened
    expect.set_options(timeout=5_000)


def log_in(page: Page, address: str, name: str, path: str = "/") -> None:
    """Go to a page as nobody, and through the login to it."""
    page.goto(f"{address}{path}")
    expect(page).to_have_url(re.compile(re.escape(address) + r"/login\?next=.*"))
    page.get_by_label("User").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(lambda url: "/login" not in url)
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        entries = graphql(page, address, LOADED)["workspaceOrError"]["locationEntries"]
        if entries and all(entry["loadStatus"] == "LOADED" for entry in entries):
            return
        page.wait_for_timeout(500)
    raise AssertionError("the code location did not load")


def graphql(page: Page, address: str, query: str, **variables: Any) -> Any:
    """A query of the logged-in browser, as its own pages send it."""
    answer = page.request.post(f"{address}/graphql", data={"query": query, "variables": variables})
    assert answer.ok, answer.text()
    return answer.json()["data"]


def status(page: Page, address: str) -> str:
    return str(graphql(page, address, STATE, name=SCHEDULE)["scheduleOrError"]["scheduleState"]["status"])


def materialize(page: Page, address: str) -> Locator:
    """The button of a group's graph; its label appears with the graph."""
    page.goto(f"{address}/locations/blotout_orchestration/asset-groups/events/lineage")
    expect(page.get_by_text("core_events").first).to_be_visible()
    return page.get_by_role("button", name="Materialize all").first


def test_an_editor_logs_in_and_sees_the_lineage(page, address):
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.goto(f"{address}/asset-groups")
    expect(page.get_by_label("User")).to_be_focused()
    picture(page, "login")
    log_in(page, address, "edith", "/asset-groups")
    assert page.url == f"{address}/asset-groups"
    for group in ("events", "id_graph", "events_unified_view", "attribution"):
        expect(page.get_by_text(group, exact=True).first).to_be_visible()
    expect(materialize(page, address)).to_be_enabled()
    refused = [text for text in problems if "Content Security Policy" in text or "403" in text]
    assert refused == []


def test_an_editor_toggles_a_schedule(page, address):
    log_in(page, address, "edith", SCHEDULE_PAGE)
    page.goto(f"{address}{SCHEDULE_PAGE}")
    switch = page.locator("input[type=checkbox]").first
    switch.wait_for(state="attached")
    before = status(page, address)
    expect(switch).to_be_enabled()
    switch.evaluate("element => element.click()")
    page.wait_for_timeout(1_000)
    expect(switch).to_be_checked(checked=before == "STOPPED")
    assert status(page, address) != before
    switch.evaluate("element => element.click()")
    page.wait_for_timeout(1_000)
    expect(switch).to_be_checked(checked=before == "RUNNING")
    assert status(page, address) == before


def test_a_viewer_finds_the_switch_and_the_launch_button_disabled(page, address):
    log_in(page, address, "victor", SCHEDULE_PAGE)
    page.goto(f"{address}{SCHEDULE_PAGE}")
    switch = page.locator("input[type=checkbox]").first
    switch.wait_for(state="attached")
    expect(switch).to_be_disabled()
    picture(page, "login-viewer", 430)
    expect(materialize(page, address)).to_be_disabled()


OPEN_A_SOCKET = """path => new Promise(answer => {
  const socket = new WebSocket(`ws://${location.host}${path}`, "graphql-ws")
  socket.onopen = () => answer("open")
  socket.onerror = () => answer("refused")
})"""


def test_the_browser_opens_the_websocket_with_its_session_only(page, address):
    page.goto(f"{address}/login")
    assert page.evaluate(OPEN_A_SOCKET, "/dagster/graphql") == "refused"
    log_in(page, address, "victor", "/runs")
    assert page.evaluate(OPEN_A_SOCKET, "/dagster/graphql") == "open"


def test_after_the_logout_nothing_is_left(page, address):
    log_in(page, address, "edith", "/runs")
    cookie = next(cookie for cookie in page.context.cookies() if cookie["name"] == "blotout_session")
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Lax")
    page.goto(f"{address}/logout")
    expect(page.get_by_text("edith")).to_be_visible()
    picture(page, "logout")
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_label("User")).to_be_visible()
    page.context.add_cookies([cookie])
    page.goto(f"{address}/runs")
    expect(page.get_by_label("User")).to_be_visible()


def test_a_wrong_password_is_told_without_saying_what_was_wrong(page, address):
    page.goto(f"{address}/runs")
    page.get_by_label("User").fill("edith")
    page.get_by_label("Password").fill("not the password")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_have_text("User or password is wrong.")
    assert "edith" not in page.url
