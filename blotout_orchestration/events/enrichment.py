"""From the kernel's columns to the contract's: what is parsed in Python, on distinct values only.

Belongs here: choosing between body, header and cookie, and joining parsed user agents, URLs, channels and
countries back to the rows, inside DuckDB: no row passes through Python. The parsers are in user_agents.py,
urls.py, channels.py and countries.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pyarrow as pa

from blotout_orchestration.events.channels import channel_of, parse_referrer
from blotout_orchestration.events.contract import CORE_EVENTS, PROCESSOR_VERSION
from blotout_orchestration.events.countries import country_of_address, named_country
from blotout_orchestration.events.device_sql import ANDROID, DEVICE_COLUMNS, IOS
from blotout_orchestration.events.urls import CLICK_IDS, UTM, Page, parse_page, parse_search
from blotout_orchestration.events.user_agents import Device, parse_user_agent

RAW = "raw"
"""Column beside the contract's: the event as sent, needed until collisions are known."""
KERNEL_SCHEMA = CORE_EVENTS.arrow_schema.append(pa.field(RAW, pa.string()))
Key = tuple[Any, ...]


def enrich(connection: Any) -> None:
    """Over the kernel's `flattened` make the view `enriched`: good events as `KERNEL_SCHEMA` columns.

    The view has the column `event_row` besides, the row's number in `flattened`. Its order is not defined.
    """
    connection.execute(
        """create or replace temporary view chosen as
           select *, coalesce(user_agent_in_body, user_agent_in_headers) as user_agent
           from flattened where reason is null"""
    )
    _look_up(connection, "agents", "chosen", ("user_agent",), _devices)
    _look_up(connection, "pages", "chosen", ("page_url",), _pages)
    _look_up(connection, "nations", "chosen", ("country_named", "forwarded_for"), _countries)
    connection.execute(_LOCATED)
    _look_up(connection, "landings", "located", ("search", "referrer_url", "page_host"), _landings)
    names = ", ".join(KERNEL_SCHEMA.names)
    connection.execute(
        f"create or replace temporary view enriched as select event_row, {names} from ({_ENRICHED})"
    )


_LOCATED = """
    create or replace temporary view located as
    select chosen.*, page_host, page_path, page_origin,
      -- Only the first event of a page may be a landing; later pages keep the landing's `search` in meta.
      coalesce(search_text, case when event_name = 'sdk_start' then page_query end) as search
    from chosen left join pages on chosen.page_url = pages.key_page_url
"""
_ENRICHED = f"""
    select located.* exclude (user_id_in_body), {DEVICE_COLUMNS}, landings.*, nations.country,
      '{PROCESSOR_VERSION}' as processor_version,
      coalesce(user_id_in_body, trends_user_id, edgetag_user_id) as user_id,
      -- Browsers send the text `null` as the origin that they hide.
      coalesce(nullif(origin, 'null'), page_origin) as headers_origin,
      coalesce(page_host, app_name) as application_name,
      lower(concat_ws(' ', os_name, agents.os)) as systems,
      case when page_host is not null or origin is not null then 'web'
        when contains(systems, 'android') or platform_code in {ANDROID} then 'android'
        when contains(systems, 'ios') or contains(systems, 'iphone') or contains(systems, 'ipados')
          or platform_code in {IOS} then 'ios'
        else 'other' end as platform
    from located
    left join agents on user_agent is not distinct from key_user_agent
    left join nations on country_named is not distinct from key_country_named
      and forwarded_for is not distinct from key_forwarded_for
    left join landings on search is not distinct from key_search
      and referrer_url is not distinct from key_referrer_url and page_host is not distinct from key_page_host
"""


def _look_up(
    connection: Any,
    name: str,
    relation: str,
    keys: tuple[str, ...],
    parse: Callable[[list[Key]], dict[str, pa.Array]],
) -> None:
    """Make the table `name`: each distinct combination of the key columns, and what `parse` finds in it."""
    distinct = connection.sql(f"select distinct {', '.join(keys)} from {relation}").to_arrow_table()
    combinations = list(zip(*(distinct[key].to_pylist() for key in keys), strict=True))
    columns: dict[str, Any] = {f"key_{key}": distinct[key] for key in keys}
    connection.register("looked_up", pa.table({**columns, **parse(combinations)}))
    connection.execute(f"create or replace temporary table {name} as from looked_up")
    connection.unregister("looked_up")


def _texts(values: Iterable[str | None]) -> pa.Array:
    return pa.array(list(values), pa.string())


def _devices(keys: list[Key]) -> dict[str, pa.Array]:
    devices = [parse_user_agent(text) for (text,) in keys]
    kinds = {name: pa.bool_() if name == "is_bot" else pa.string() for name in Device._fields}
    return {name: pa.array([getattr(device, name) for device in devices], kinds[name]) for name in kinds}


def _pages(keys: list[Key]) -> dict[str, pa.Array]:
    pages = [parse_page(url) for (url,) in keys]
    return {f"page_{name}": _texts(getattr(page, name) for page in pages) for name in Page._fields}


def _countries(keys: list[Key]) -> dict[str, pa.Array]:
    return {"country": _texts(named_country(named) or country_of_address(address) for named, address in keys)}


def _landings(keys: list[Key]) -> dict[str, pa.Array]:
    found = [parse_search(search) for search, _, _ in keys]
    referrers = [parse_referrer(url, host) for _, url, host in keys]
    return {
        **{f"search_{name}": _texts(values.get(name) for values in found) for name in UTM + CLICK_IDS},
        "referrer_host": _texts(referrer.host for referrer in referrers),
        "referrer_medium": _texts(referrer.medium for referrer in referrers),
        "referrer_source": _texts(referrer.source for referrer in referrers),
        "channel": _texts(channel_of(*key) for key in keys),
    }
