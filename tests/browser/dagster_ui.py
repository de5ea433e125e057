"""A running Dagster UI and a browser on it, for browser tests and for the pictures of docs/."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

BLOTOUT = Path(sys.executable).with_name("blotout")
START_SECONDS = 180
CHROMIUM_OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def environment(home: Path) -> dict[str, str]:
    """The process environment with this home and nothing else of the developer's configuration."""
    return {**os.environ, "BLOTOUT_HOME": str(home)}


def free_port() -> int:
    """A port on the loopback address that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def dagster_ui(home: Path, port: int, log: Path) -> Iterator[str]:
    """`blotout ui` on a home; gives its address, and stops every process of it at the end."""
    address = f"http://127.0.0.1:{port}"
    with log.open("w") as output:
        process = subprocess.Popen(
            [str(BLOTOUT), "ui", "--port", str(port)],
            env=environment(home),
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _wait_until_loaded(address, process, log)
        yield address
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait_until_loaded(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    query = "{ workspaceOrError { ... on Workspace { locationEntries { loadStatus } } } }"
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            entries = graphql(address, query)["workspaceOrError"]["locationEntries"]
        except OSError:
            entries = []
        if entries and all(entry["loadStatus"] == "LOADED" for entry in entries):
            return
        time.sleep(0.5)
    raise AssertionError(f"the UI did not come up:\n{log.read_text()[-4000:]}")


def graphql(address: str, query: str, variables: dict[str, Any] | None = None) -> Any:
    """The data of a GraphQL query to the running UI."""
    import json

    request = urllib.request.Request(
        f"{address}/graphql",
        data=json.dumps({"query": query, "variables": variables or {}}).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)["data"]


@contextmanager
def browser_page(width: int = 1600, height: int = 1000) -> Iterator[Page]:
    """A page of headless Chromium (Debian's package `chromium`)."""
    executable = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert executable, "Chromium is not installed: apt-get install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=CHROMIUM_OPTIONS)
        try:
            yield browser.new_page(viewport={"width": width, "height": height})
        finally:
            browser.close()


def make_small_demo(home: Path, folder: Path) -> None:
    """The demo store at a small size, run end to end."""
    command = [str(BLOTOUT), "demo", "run", "--folder", str(folder)]
    size = ["--people", "120", "--days", "14", "--events", "6000"]
    subprocess.run([*command, *size], env=environment(home), check=True)
