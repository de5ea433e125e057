"""The device's columns: what the user agent says, and what the SDK says where that says too little.

Belongs here: choosing between the two, in SQL. Parsing user agents belongs to user_agents.py. An app's requests
carry the user agent of its HTTP library; SDKs before 0.10 name system and device in `meta` instead.
"""

from __future__ import annotations

ANDROID = "(11, 12, 13, 20, 25, 50)"
"""Codes (`plf`) of Android's SDK: phone, tablet, TV, watch, smart TV, and 50 for all of them, which it sends."""
IOS = "(14, 15, 60)"
"""Codes of the SDK for iOS: iPhone, iPad, and 60 for what it does not know."""
_TABLETS = "(12, 15)"
_DESKTOPS = "(26, 27, 28)"
_TELEVISIONS = "(13, 18, 21, 22, 23, 24, 25, 40)"

_IS_SENT = """((agents.os is null or not starts_with(user_agent, 'Mozilla/'))
        and coalesce(os_name, sent_os_version, sent_device_brand, sent_device_model) is not null)"""


def _known(column: str) -> str:
    """A value that names something: the SDKs send these for what they do not know, browsers a processor's maker."""
    return (
        f"case when lower({column}) not in ('unknown', 'na', '-1') and not suffix({column}, ' Based') "
        f"then {column} end"
    )


# Android's SDK sends the letter of the release (`R`, `S`) as the system's name.
_OS = f"""case when platform_code in {ANDROID} or contains(lower(os_name), 'android') then 'Android'
          when os_name = 'Mac OS' then 'Mac OS X'
          when os_name is null and platform_code in {IOS} then 'iOS'
          else {_known("os_name")} end"""
_DEVICE_TYPE = f"""case when agents.is_bot then 'bot'
          when platform_code in {_TELEVISIONS} then 'tv'
          when platform_code in {_TABLETS} or starts_with(sent_device_model, 'iPad') then 'tablet'
          when platform_code in {_DESKTOPS} then 'desktop'
          when platform_code in {ANDROID} or platform_code in {IOS} then 'mobile'
          when contains(lower(os_name), 'android') or os_name = 'iOS' then 'mobile' end"""


def _chosen(column: str, sent: str) -> str:
    return f"case when {_IS_SENT} then coalesce({sent}, agents.{column}) else agents.{column} end as {column}"


_BROWSER = _known("sent_browser")
DEVICE_COLUMNS = ",\n      ".join(
    [
        _chosen("browser", _BROWSER),
        _chosen(
            "browser_version", f"case when {_BROWSER} is not null then split_part(sent_version, '.', 1) end"
        ),
        _chosen("os", _OS),
        _chosen("os_version", _known("sent_os_version")),
        _chosen("device_type", _DEVICE_TYPE),
        _chosen("device_brand", _known("sent_device_brand")),
        _chosen("device_model", _known("sent_device_model")),
        "agents.is_bot",
    ]
)
"""The device's columns over `agents` (parsed user agents) and the kernel's rows beside it."""
