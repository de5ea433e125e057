"""Takes the pictures of docs/registries.md: `python -m docs.take_pipeline_screenshots`, with Chromium installed.

Belongs here: a newcomer's three commands on a running UI, and which page becomes which picture. The sources and
the destination are those of the browser test; `BLOTOUT_TEST_DATA` names the folder of recorded payloads.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from playwright.sync_api import Page

from docs.take_screenshots import save
from tests.browser.dagster_ui import browser_page, dagster_ui, free_port
from tests.browser.newcomer import KEYS, SECRETS, newcomer, states
from tests.conftest import _data_folder

LONGEST_SECONDS = 600
PICTURES = {
    "pipelines_runs": ("runs", "klaviyo_vips"),
    "pipelines_partitions": ("assets/elt/postgres?view=partitions", "shop_database"),
    "pipelines_load": ("assets/elt/postgres?view=events", "rows_read"),
    "pipelines_sync": ("assets/activation_ledger?view=events", "accepted"),
    "pipelines_sensor": ("locations/blotout_orchestration/sensors/elt_pipelines_sensor", "2 runs requested"),
}
"""Name of the picture: the page, and a text that is there once the page is complete."""


def wait_until_green(page: Page, address: str) -> None:
    """Raises TimeoutError when a run has not succeeded in time."""
    for _ in range(LONGEST_SECONDS):
        found = states(address)
        if all(found.get(key) == "SUCCESS" for key in KEYS.values()):
            return
        page.wait_for_timeout(1_000)
    raise TimeoutError(f"not green after {LONGEST_SECONDS} s: {states(address)}")


def main() -> None:
    """Start the UI on an empty home, add the definitions, and take the pictures once their runs are green."""
    os.environ.update(SECRETS)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        home = folder / "home"
        with (
            newcomer(home, folder, _data_folder()) as user,
            dagster_ui(home, free_port(), folder / "ui.log") as address,
            browser_page() as page,
        ):
            user.add()
            wait_until_green(page, address)
            for picture, (path, text) in PICTURES.items():
                page.goto(f"{address}/{path}")
                page.get_by_text(text).first.wait_for(timeout=120_000)
                save(page, picture)


if __name__ == "__main__":
    main()
