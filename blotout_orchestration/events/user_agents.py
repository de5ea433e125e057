"""User agents: browser, operating system and device, by ua-parser and its regexes (uap-core).

Belongs here: one function from a user agent's text to its columns. It never raises.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

_TABLET = re.compile(
    r"iPad|Tablet|PlayBook|Silk(?!.*Mobile)|Kindle|^Mozilla/.*Android(?!.*Mobile)", re.IGNORECASE
)
_MOBILE = re.compile(r"Mobi|iPhone|iPod|Android|Windows Phone|BlackBerry", re.IGNORECASE)
_TV = re.compile(r"\bTV\b|SmartTV|SMART-TV|AppleTV|HbbTV|BRAVIA|Roku|CrKey|AFT[A-Z]", re.IGNORECASE)
_ROBOT = re.compile(
    r"Headless|PhantomJS|\b(curl|wget|python-requests|python-urllib|aiohttp|httpx|Go-http-client|Scrapy"
    r"|Puppeteer|Playwright|Selenium|Lighthouse|PTST|GTmetrix)\b|bot\b|crawler|spider",
    re.IGNORECASE,
)
_DESKTOP_SYSTEMS = {"Windows", "Mac OS X", "Linux", "Ubuntu", "Fedora", "Chrome OS", "FreeBSD", "Debian"}
LONGEST = 2048
"""Characters of a user agent that are looked at; no real one is longer."""


class Device(NamedTuple):
    """The columns that a user agent gives."""

    browser: str | None = None
    browser_version: str | None = None
    os: str | None = None
    os_version: str | None = None
    device_type: str | None = None
    device_brand: str | None = None
    device_model: str | None = None
    is_bot: bool = False


@lru_cache(maxsize=65536)
def parse_user_agent(text: str | None) -> Device:
    """Browser, system and device of a user agent.

    Robots are what uap-core calls a Spider, and automated browsers and HTTP libraries by name.
    """
    if not text:
        return Device()
    from ua_parser import parse

    # Android's SDK sends its web view's user agent, two underscores, and the system's.
    text = text.partition("__Dalvik")[0][:LONGEST]
    result = parse(text)
    browser, system, device = result.user_agent, result.os, result.device
    is_bot = bool((device and device.family == "Spider") or _ROBOT.search(text))
    version = ".".join(part for part in (system.major, system.minor) if part) if system else ""
    return Device(
        browser=browser.family if browser else None,
        browser_version=browser.major if browser else None,
        os=system.family if system else None,
        os_version=version or None,
        device_type=_device_type(text, is_bot, system.family if system else None),
        device_brand=device.brand if device else None,
        device_model=device.model if device else None,
        is_bot=is_bot,
    )


def _device_type(text: str, is_bot: bool, system: str | None) -> str:
    if is_bot:
        return "bot"
    if _TV.search(text):
        return "tv"
    if _TABLET.search(text):
        return "tablet"
    if _MOBILE.search(text):
        return "mobile"
    return "desktop" if system in _DESKTOP_SYSTEMS else "other"
