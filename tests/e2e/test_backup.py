"""A backup of the demo store's home, and the way back."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

from blotout_orchestration.demo.summary import summarise
from blotout_orchestration.platform.backup import back_up, restore
from blotout_orchestration.platform.database import audit
from tests.e2e.conftest import Shop


def test_a_restored_home_gives_the_same_summary_and_goes_on(shop: Shop, tmp_path: Path) -> None:
    audit.record(shop.settings, actor="me", action="backup", target="home", outcome="planned")
    before = summarise(shop.settings)
    archive = tmp_path / "backup.tar.gz"
    back_up(shop.settings, archive, datetime.now(UTC), print)
    shutil.rmtree(shop.settings.blotout_home)
    restore(shop.settings, archive, print)
    assert summarise(shop.settings) == before
    assert [entry["action"] for entry in audit.entries(shop.settings, action="backup")] == ["backup"]
