"""From the kernel's columns to the contract's: what is parsed in Python, on distinct values only.

Belongs here: choosing between body, header and cookie, and joining parsed user agents, URLs, channels and
countries back to the rows. The parsers are in user_agents.py, urls.py, channels.py and countries.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from blotout_orchestration.events.channels import channel_of, parse_referrer
from blotout_orchestration.events.contract import CORE_EVENTS, PROCESSOR_VERSION
from blotout_orchestration.events.countries import country_of_address, named_country
from blotout_orchestration.events.urls import CLICK_IDS, UTM, parse_page, parse_search
from blotout_orchestration.events.user_agents import Device, parse_user_agent

RAW = "raw"
"""Column beside the contract's: the event as sent, needed until collisions are known."""
KERNEL_SCHEMA = CORE_EVENTS.arrow_schema.append(pa.field(RAW, pa.string()))
_ANDROID_PLATFORM_CODES = frozenset({11})
_IOS_PLATFORM_CODES = frozenset({14, 15})


class Distinct:
    """The distinct combinations of some columns, and the way back to the rows."""

    def __init__(self, columns: Sequence[pa.ChunkedArray | pa.Array]) -> None:
        codes: np.ndarray[Any, Any] | None = None
        dictionaries: list[list[Any]] = []
        for column in columns:
            array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
            encoded = array.dictionary_encode(null_encoding="encode")
            dictionaries.append(encoded.dictionary.to_pylist())
            part = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
            codes = part if codes is None else codes * max(1, len(dictionaries[-1])) + part
        assert codes is not None
        values, self._rows = np.unique(codes, return_inverse=True)
        self.combinations: list[tuple[Any, ...]] = []
        for value in values.tolist():
            combination: list[Any] = []
            for dictionary in reversed(dictionaries):
                value, index = divmod(value, max(1, len(dictionary)))
                combination.append(dictionary[index])
            self.combinations.append(tuple(reversed(combination)))

    def spread(self, values: list[Any], kind: pa.DataType) -> pa.Array:
        """One value a combination, back on the rows."""
        return pa.array(values, kind).take(pa.array(self._rows))


def enrich(rows: pa.Table) -> pa.Table:
    """Good events of the kernel as `KERNEL_SCHEMA` rows, in the same order."""
    columns: dict[str, pa.Array | pa.ChunkedArray] = {name: rows[name] for name in rows.column_names}
    columns["processor_version"] = pa.repeat(pa.scalar(PROCESSOR_VERSION), rows.num_rows)
    columns["user_id"] = pc.coalesce(rows["user_id_in_body"], rows["trends_user_id"], rows["edgetag_user_id"])
    columns["user_agent"] = pc.coalesce(rows["user_agent_in_body"], rows["user_agent_in_headers"])
    _add_device(columns)
    _add_page(columns)
    _add_source(columns)
    _add_platform(columns)
    country = Distinct([rows["country_named"], rows["forwarded_for"]])
    columns["country"] = country.spread(
        [named_country(named) or country_of_address(address) for named, address in country.combinations],
        pa.string(),
    )
    return pa.table([columns[field.name] for field in KERNEL_SCHEMA], schema=KERNEL_SCHEMA)


def _add_device(columns: dict[str, Any]) -> None:
    agents = Distinct([columns["user_agent"]])
    devices = [parse_user_agent(text) for (text,) in agents.combinations]
    for index, name in enumerate(Device._fields):
        kind = pa.bool_() if name == "is_bot" else pa.string()
        columns[name] = agents.spread([device[index] for device in devices], kind)


def _add_page(columns: dict[str, Any]) -> None:
    urls = Distinct([columns["page_url"]])
    pages = [parse_page(url) for (url,) in urls.combinations]
    columns["page_host"] = urls.spread([page.host for page in pages], pa.string())
    columns["page_path"] = urls.spread([page.path for page in pages], pa.string())
    origin = urls.spread([page.origin for page in pages], pa.string())
    query = urls.spread([page.query for page in pages], pa.string())
    columns["headers_origin"] = pc.coalesce(_sent_origin(columns["origin"]), origin)
    columns["application_name"] = pc.coalesce(columns["page_host"], columns["app_name"])
    # Only the first event of a page may be a landing; later pages keep the landing's `search` in meta.
    is_landing = pc.fill_null(pc.equal(columns["event_name"], "sdk_start"), False)
    own_query = pc.if_else(is_landing, query, pa.scalar(None, pa.string()))
    columns["search"] = pc.coalesce(columns["search_text"], own_query)


def _sent_origin(origin: pa.ChunkedArray) -> Any:
    """The `Origin` header; browsers send the text `null` where they hide it."""
    return pc.if_else(pc.equal(origin, "null"), pa.scalar(None, pa.string()), origin)


def _add_source(columns: dict[str, Any]) -> None:
    searches = Distinct([columns["search"]])
    found = [parse_search(text) for (text,) in searches.combinations]
    for name in UTM + CLICK_IDS:
        columns[f"search_{name}"] = searches.spread([values.get(name) for values in found], pa.string())
    # EdgeTag keeps the click ids of earlier landings: good for identity, no evidence for the channel.
    for name in ("gclid", "fbclid"):
        columns[f"search_{name}"] = pc.coalesce(columns[f"search_{name}"], columns[f"stored_{name}"])
    referrers = Distinct([columns["referrer_url"], columns["page_host"]])
    parsed = [parse_referrer(url, host) for url, host in referrers.combinations]
    for index, name in enumerate(("referrer_host", "referrer_medium", "referrer_source")):
        columns[name] = referrers.spread([referrer[index] for referrer in parsed], pa.string())
    landings = Distinct([columns["search"], columns["referrer_url"], columns["page_host"]])
    columns["channel"] = landings.spread(
        [channel_of(search, url, host) for search, url, host in landings.combinations], pa.string()
    )


def _add_platform(columns: dict[str, Any]) -> None:
    has_page = pc.is_valid(columns["page_host"])
    signs = Distinct(
        [
            has_page,
            pc.is_valid(columns["origin"]),
            columns["os_name"],
            columns["platform_code"],
            columns["os"],
        ]
    )
    columns["platform"] = signs.spread([platform_of(*sign) for sign in signs.combinations], pa.string())


def platform_of(
    has_page: bool, has_origin: bool, os_name: str | None, code: int | None, parsed_os: str | None
) -> str:
    """`web` for anything from a browser's page, else `android` or `ios` by system, code or user agent."""
    if has_page or has_origin:
        return "web"
    systems = f"{os_name or ''} {parsed_os or ''}".lower()
    if "android" in systems or code in _ANDROID_PLATFORM_CODES:
        return "android"
    if any(name in systems for name in ("ios", "iphone", "ipados")) or code in _IOS_PLATFORM_CODES:
        return "ios"
    return "other"
