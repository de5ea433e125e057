"""Takes the pictures of these pages: `make screenshots`, after `make demo`, with Chromium installed.

Belongs here: which page of the running Dagster UI becomes which picture.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from playwright.sync_api import Page

from blotout_orchestration.settings import load_settings
from tests.browser.dagster_ui import browser_page, dagster_ui, free_port

IMAGES = Path(__file__).parent / "images"
SETTLE_MS = 6_000


def save(page: Page, name: str) -> None:
    """Write what the page shows as docs/images/NAME.png."""
    page.wait_for_timeout(SETTLE_MS)
    page.screenshot(path=IMAGES / f"{name}.png")
    print(f"wrote {IMAGES / name}.png", flush=True)


def show_picture(page: Page, label: str) -> None:
    """Open the picture that stands beside a metadata label."""
    row = page.locator("tr", has_text=label).first
    row.get_by_text("Show Markdown").first.click()


def main() -> None:
    """Start the UI on the home that the settings name, and take every picture."""
    IMAGES.mkdir(exist_ok=True)
    home = load_settings().blotout_home.absolute()
    log = Path(tempfile.mkdtemp()) / "ui.log"
    with dagster_ui(home, free_port(), log) as address, browser_page(1600, 1000) as page:
        page.goto(f"{address}/asset-groups")
        save(page, "lineage")
        page.goto(f"{address}/automation")
        save(page, "automation")
        page.goto(f"{address}/assets/unified_events?view=lineage&lineageScope=neighbors")
        save(page, "unified_events")
        page.goto(f"{address}/assets/core_events?view=partitions")
        save(page, "core_events_partitions")
        for asset, label in (
            ("retention_chart", "retention_everyone"),
            ("attribution_data_driven", "revenue_by_channel"),
            ("id_graph", "component_sizes"),
        ):
            page.goto(f"{address}/assets/{asset}?view=events")
            page.wait_for_timeout(SETTLE_MS)
            show_picture(page, label)
            save(page, f"{asset}_picture")


if __name__ == "__main__":
    main()
