"""Where each column of `core_events` is found in what the SDKs send.

Belongs here: declarations only (structures handed to DuckDB's from_json, keys of each column). How they
become SQL is in kernel_sql.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["text", "currency", "category", "money", "double", "int", "pixels", "epoch"]
"""How a column's text becomes its type; `pixels` is a rounded int, `epoch` milliseconds since 1970."""

REQUEST = {
    "received_at": "VARCHAR",
    "path": "VARCHAR",
    "body": "VARCHAR",
    "body_encoding": "VARCHAR",
}
HEADERS = (
    "User-Agent",
    "Origin",
    "Cookie",
    "EdgeTagUserId",
    "X-Forwarded-For",
    "CloudFront-Viewer-Country",
    "CF-IPCountry",
    "X-Vercel-IP-Country",
    "X-AppEngine-Country",
    "X-Country-Code",
)
META_KEYS = (
    "sdkv", "tz_offset", "user_id_created", "plf", "osn", "appn", "page_title", "referrer", "search",
    "user_agent", "osv", "dmft", "dm", "bnme", "appv",
)  # fmt: skip
"""Keys of `meta` that have columns. `appv` is the browser's version beside `bnme`, else the app's, without one."""
META = dict.fromkeys(META_KEYS, "VARCHAR")
BODY = {
    "meta": "JSON",
    "events": ["JSON"],
    "geo": {"couc": "VARCHAR"},
    "pageUrl": "VARCHAR",
    "pageTitle": "VARCHAR",
    "userAgent": "VARCHAR",
    "referrer": "VARCHAR",
    "search": "VARCHAR",
    "eventName": "VARCHAR",
    "eventId": "VARCHAR",
    "timestamp": "VARCHAR",
    "key": "VARCHAR",
    "value": "JSON",
    "data": "JSON",
    "consentString": "JSON",
    "storage": {
        "edgeTag": {"consent": "JSON"},
        "data": {"googleAdsClicks": {"gclid": "VARCHAR"}, "facebook": {"fbclid": "VARCHAR"}},
    },
}
EVENT = {
    "mid": "VARCHAR",
    "userid": "VARCHAR",
    "evn": "VARCHAR",
    "evcs": "VARCHAR",
    "scrn": "VARCHAR",
    "evt": "VARCHAR",
    "tst": "VARCHAR",
    "session_id": "VARCHAR",
    "type": "VARCHAR",
    "screen": {"width": "VARCHAR", "height": "VARCHAR"},
    "additionalData": "JSON",
    "properties": "JSON",
    "evdc": "VARCHAR",
    "evc": "VARCHAR",
    "nmo": "VARCHAR",
}
PROPERTIES = {
    "session_id": "VARCHAR",
    "referrer": "VARCHAR",
    "screen": {"width": "VARCHAR", "height": "VARCHAR"},
    "codifiedInfo": "JSON",
}


@dataclass(frozen=True)
class Field:
    """A column found in the envelope: SQL of its text; (document, path) pairs to look its JSON type up."""

    kind: Kind
    text: str
    paths: tuple[tuple[str, str], ...] = ()


ENVELOPE: dict[str, Field] = {
    "sent_event_id": Field("text", "coalesce(e.mid, b.eventId)", (("event", "mid"), ("event", "eventId"))),
    "sdk_version": Field("text", "m.sdkv", (("document", "meta.sdkv"),)),
    "event_name": Field(
        "text",
        "coalesce(e.evn, b.eventName, case when is_edgetag then action end)",
        (("event", "evn"), ("event", "eventName")),
    ),
    "event_code": Field("int", "e.evcs"),
    "sdk_type": Field("text", "e.type", (("event", "type"),)),
    "timezone_offset_minutes": Field("int", "m.tz_offset"),
    "session_id": Field(
        "text",
        "coalesce(e.session_id, p.session_id)",
        (("event", "session_id"), ("event", "properties.session_id")),
    ),
    "user_id_in_body": Field("text", "e.userid", (("event", "userid"),)),
    "user_id_created": Field("epoch", "m.user_id_created"),
    "app_name": Field("text", "m.appn", (("document", "meta.appn"),)),
    "os_name": Field("text", "m.osn", (("document", "meta.osn"),)),
    "platform_code": Field("int", "m.plf"),
    "sent_os_version": Field("text", "m.osv", (("document", "meta.osv"),)),
    "sent_device_brand": Field("text", "m.dmft", (("document", "meta.dmft"),)),
    "sent_device_model": Field("text", "m.dm", (("document", "meta.dm"),)),
    "sent_browser": Field("text", "m.bnme", (("document", "meta.bnme"),)),
    "sent_version": Field("text", "m.appv", (("document", "meta.appv"),)),
    "page_url": Field("text", "coalesce(e.scrn, b.pageUrl)", (("event", "scrn"), ("event", "pageUrl"))),
    "page_title": Field(
        "text",
        "coalesce(m.page_title, b.pageTitle)",
        (("document", "meta.page_title"), ("document", "pageTitle")),
    ),
    "referrer_url": Field(
        "text",
        "coalesce(m.referrer, b.referrer, p.referrer)",
        (("document", "meta.referrer"), ("document", "referrer"), ("event", "properties.referrer")),
    ),
    "user_agent_in_body": Field(
        "text",
        "coalesce(m.user_agent, b.userAgent)",
        (("document", "meta.user_agent"), ("document", "userAgent")),
    ),
    "screen_width": Field("pixels", "coalesce(e.screen.width, p.screen.width)"),
    "screen_height": Field("pixels", "coalesce(e.screen.height, p.screen.height)"),
}


@dataclass(frozen=True)
class Group:
    """Columns filled from the event's data, parsed only for the events whose data may hold them.

    `present` is the SQL that says so. `columns`: column -> (kind, the SDK's key, EdgeTag's keys and the
    SQL condition under which they count).
    """

    present: str
    columns: dict[str, tuple[Kind, tuple[str, ...], tuple[str, ...]]]
    edgetag: str = "false"

    @property
    def keys(self) -> list[str]:
        """Every key of the group."""
        return list(dict.fromkeys(key for _, own, tag in self.columns.values() for key in own + tag))


def _texts(prefix: str, names: str) -> dict[str, tuple[Kind, tuple[str, ...], tuple[str, ...]]]:
    return {f"{prefix}_{name}": ("text", (f"{prefix}_{name}",), ()) for name in names.split()}


def _money(prefix: str, names: str) -> dict[str, tuple[Kind, tuple[str, ...], tuple[str, ...]]]:
    return {f"{prefix}_{name}": ("money", (f"{prefix}_{name}",), ()) for name in names.split()}


GROUPS: dict[str, Group] = {
    "map": Group(
        "contains(data, 'map_') or mapped_provider is not null",
        {
            "data_map_id": ("text", ("map_id",), ()),
            "data_map_provider": ("text", ("map_provider",), ()),
        },
    ),
    "persona": Group(
        "contains(data, 'persona_') or (is_edgetag and data is not null)",
        {
            **_texts("persona", "id middlename username"),
            "persona_firstname": ("text", ("persona_firstname",), ("firstName",)),
            "persona_lastname": ("text", ("persona_lastname",), ("lastName",)),
            "persona_dob": ("text", ("persona_dob",), ("dateOfBirth",)),
            "persona_email": ("text", ("persona_email",), ("email",)),
            "persona_number": ("text", ("persona_number",), ("phone",)),
            "persona_address": ("text", ("persona_address",), ("address",)),
            "persona_city": ("text", ("persona_city",), ("city",)),
            "persona_state": ("text", ("persona_state",), ("state",)),
            "persona_zip": ("text", ("persona_zip",), ("zip",)),
            "persona_country": ("text", ("persona_country",), ("country",)),
            "persona_gender": ("text", ("persona_gender",), ("gender",)),
            "persona_age": ("int", ("persona_age",), ()),
        },
        edgetag="is_edgetag",
    ),
    "transaction": Group(
        "contains(data, 'transaction_') or is_purchase",
        {
            "transaction_id": ("text", ("transaction_id",), ("orderId",)),
            **_texts("transaction", "payment"),
            "transaction_currency": ("currency", ("transaction_currency",), ("currency",)),
            "transaction_total": ("money", ("transaction_total",), ("value",)),
            **_money("transaction", "discount shipping tax"),
        },
        edgetag="is_purchase",
    ),
    "item": Group(
        "contains(data, 'item_') or is_item",
        {
            **_texts("item", "id"),
            "item_name": ("text", ("item_name",), ("name", "title")),
            "item_sku": ("text", ("item_sku",), ("sku",)),
            "item_category": ("category", ("item_category",), ("category",)),
            "item_price": ("money", ("item_price",), ("price",)),
            "item_currency": ("currency", ("item_currency",), ("currency",)),
            "item_quantity": ("double", ("item_quantity",), ("quantity",)),
        },
        edgetag="is_item",
    ),
    "object": Group(
        "contains(data, 'obj')",
        {
            "object_name": ("text", ("objectName", "obj"), ()),
            "object_title": ("text", ("objectTitle", "objT"), ()),
        },
    ),
}

# The SDK leaves out zeros: on its own event, a missing amount is 0.
ZEROS = {
    "transaction_total": "transaction",
    "transaction_discount": "transaction",
    "transaction_shipping": "transaction",
    "item_price": "item",
}
