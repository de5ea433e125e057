"""A sign of life of the daemon, for a watchdog outside: a file, and an address that is requested.

Belongs here: leaving the sign. Does not belong here: missing it, which nothing inside can.
"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from blotout_orchestration.settings import Settings

TIMEOUT_SECONDS: Final = 10.0


def heartbeat_file(settings: Settings) -> Path:
    """The file that says when the daemon was last alive."""
    return settings.blotout_home.absolute() / "heartbeat.json"


def beat(settings: Settings, now: datetime) -> str:
    """Write the file and request HEARTBEAT_ADDRESS; what came of it, in words, without the address."""
    path = heartbeat_file(settings)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps({"alive_at": now.isoformat(timespec="seconds")}), encoding="utf-8")
    temporary.replace(path)
    if settings.heartbeat_address is None:
        return "alive; HEARTBEAT_ADDRESS is not set, so no watchdog outside is told"
    return _told(settings.heartbeat_address.get_secret_value())


def last_beat(settings: Settings) -> datetime | None:
    """When the daemon was last alive; None when it never was."""
    try:
        content = json.loads(heartbeat_file(settings).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return datetime.fromisoformat(content["alive_at"])


def _told(address: str) -> str:
    import httpx

    try:
        answer = httpx.get(address, timeout=TIMEOUT_SECONDS)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return f"alive, but the watchdog was not reached: {type(error).__name__}"
    if answer.status_code // 100 != 2:
        return f"alive, but the watchdog answered {answer.status_code}"
    return "alive, and the watchdog knows"
