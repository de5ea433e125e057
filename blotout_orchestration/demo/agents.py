"""Browsers, phones and robots of the demo store, with what each SDK version reports about them.

Belongs here: the table of devices. The user agents are real ones; the short fields are what SDK 0.9 derives
from them (`plf`, `osv`, `appv`, `dmft`, `dm`, `bnme`, `osn`).
"""

from __future__ import annotations

from dataclasses import dataclass

_CHROME = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/145.0.0.0"
_WEBKIT = "AppleWebKit/605.1.15 (KHTML, like Gecko)"


@dataclass(frozen=True)
class Agent:
    """One kind of browser or app: its user agent and what SDK 0.9 makes of it."""

    name: str
    user_agent: str
    platform_code: int
    os_name: str
    os_version: str
    browser: str
    browser_version: str
    manufacturer: str
    processor: str
    width: int
    height: int
    weight: int = 1

    @property
    def meta(self) -> dict[str, object]:
        """The device part of `meta` in SDK 0.9, in its order of keys."""
        return {
            "plf": self.platform_code,
            "osv": self.os_version,
            "appv": self.browser_version,
            "dmft": self.manufacturer,
            "dm": self.processor,
            "bnme": self.browser,
            "osn": self.os_name,
        }


_PHONE = ("unknown", "ARM Based")
_MAC = ("Apple", "Intel Based")
_PC = ("Microsoft", "AMD Based")

DESKTOPS = (
    Agent("windows_chrome", f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_CHROME} Safari/537.36",
          26, "Windows", "10", "Chrome", "145.0.0.0", *_PC, 1536, 730, 5),
    Agent("mac_chrome", f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {_CHROME} Safari/537.36",
          27, "Mac OS", "10.15.7", "Chrome", "145.0.0.0", *_MAC, 1440, 789, 3),
    Agent("mac_safari", f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {_WEBKIT} Version/18.3 Safari/605.1.15",
          27, "Mac OS", "10.15.7", "Safari", "18.3", *_MAC, 1512, 860, 2),
    Agent("windows_firefox", "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:147.0) Gecko/20100101 Firefox/147.0",
          26, "Windows", "10", "Firefox", "147.0", *_PC, 1900, 900, 2),
    Agent("windows_edge", f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_CHROME} Safari/537.36 Edg/145.0.0.0",
          26, "Windows", "10", "Edge", "145.0.0.0", *_PC, 1920, 940, 2),
)  # fmt: skip
PHONES = (
    Agent("android_chrome", f"Mozilla/5.0 (Linux; Android 10; K) {_CHROME} Mobile Safari/537.36",
          11, "Android", "10", "Chrome", "145.0.0.0", *_PHONE, 412, 785, 4),
    Agent("iphone_safari", f"Mozilla/5.0 (iPhone; CPU iPhone OS 18_3 like Mac OS X) {_WEBKIT} Version/18.3 "
          "Mobile/15E148 Safari/604.1", 14, "iOS", "18.3", "Mobile Safari", "18.3", *_PHONE, 393, 659, 5),
    Agent("android_samsung", "Mozilla/5.0 (Linux; Android 14; SAMSUNG SM-S921B) AppleWebKit/537.36 (KHTML, "
          "like Gecko) SamsungBrowser/27.0 Chrome/125.0.0.0 Mobile Safari/537.36",
          11, "Android", "14", "Samsung Browser", "27.0", *_PHONE, 360, 660, 2),
)  # fmt: skip
TABLET = Agent("ipad_safari", f"Mozilla/5.0 (iPad; CPU OS 17_6 like Mac OS X) {_WEBKIT} Version/17.6 "
               "Mobile/15E148 Safari/604.1", 15, "iOS", "17.6", "Mobile Safari", "17.6", *_PHONE, 820, 1106)  # fmt: skip
ANDROID_APP = Agent("android_app", "Dalvik/2.1.0 (Linux; U; Android 14; Pixel 8 Build/UQ1A.240205.004)",
                    11, "Android", "14", "", "4.12.0", *_PHONE, 412, 915)  # fmt: skip
IOS_APP = Agent("ios_app", f"Mozilla/5.0 (iPhone; CPU iPhone OS 18_3 like Mac OS X) {_WEBKIT} Mobile/15E148",
                14, "iOS", "18.3", "", "4.12.1", *_PHONE, 393, 852)  # fmt: skip
ROBOTS = (
    Agent("googlebot", "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; Googlebot/2.1; "
          "+http://www.google.com/bot.html) Chrome/145.0.0.0 Safari/537.36",
          28, "Linux", "x86_64", "Chrome", "145.0.0.0", "Ubuntu", "AMD Based", 1024, 768, 3),
    Agent("bingbot", "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; bingbot/2.0; "
          "+http://www.bing.com/bingbot.htm) Chrome/145.0.0.0 Safari/537.36",
          28, "Linux", "x86_64", "Chrome", "145.0.0.0", "Ubuntu", "AMD Based", 1024, 768, 2),
    Agent("ahrefsbot", "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)",
          28, "Linux", "x86_64", "unknown", "7.0", "Ubuntu", "AMD Based", 1024, 768, 1),
)  # fmt: skip
