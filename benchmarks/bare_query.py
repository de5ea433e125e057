"""The yardstick of the flatten benchmark: the bare DuckDB query for the columns of core_events.

Belongs here: what an engineer would write in an afternoon for the same output columns, in one statement over
the landed files: read and unpack the lines, check and parse the JSON of request, body and event once each, keep
lines that are none, unnest the events, type every column, hash the event, take host, path, campaign and click
ids out of the URLs by pattern, keep the keys that have no column, write Parquet. Left out is what one such
statement does not do: user agents, channels and kinds of referrer, countries by address, EdgeTag and the older
format, values that do not fit their type, damaged files, repeated deliveries, and the commit.
`NARROW` leaves out besides what is not just a typed key of the document (hash, URLs, unknown keys).
"""

from __future__ import annotations

import json
from pathlib import Path

from blotout_orchestration.events.contract import PROCESSOR_VERSION
from blotout_orchestration.events.fields import EVENT, GROUPS, HEADERS, META_KEYS, REQUEST
from blotout_orchestration.events.urls import CLICK_IDS, UTM

QUERY = """
copy (
  with lines as (
    select content as line, filename from read_csv({files}, columns = {{'content': 'VARCHAR'}}, delim = chr(1),
      quote = '', escape = '', header = false, auto_detect = false, filename = true,
      max_line_size = 10000000, strict_mode = false)
  ), requests as (
    select line, filename, case when json_valid(line) then from_json(line, '{request}') end as r from lines
  ), bodies as (
    select filename, r.received_at as received_at, r.headers as h, line,
      case when json_valid(r.body) then from_json(r.body, '{body}') end as b from requests
  ), events as (
    select * exclude (b), b.meta as m, unnest(b.events) as event, unnest(range(len(b.events))) as landing_index
    from bodies
  ), parsed as (
    select *, from_json(event, '{event}') as e from events
  ), opened as (
    select *, {data} from parsed
  ), typed as (
    select *, {columns} from opened
  )
  select {outputs}, case when event is null then line end as bad_line from typed
) to '{target}' (format parquet, compression zstd, compression_level 1)
"""
CASTS = {
    "int": "try_cast({} as integer)",
    "pixels": "try_cast({} as integer)",
    "money": "try_cast({} as decimal(18,4))",
    "double": "try_cast({} as double)",
    "epoch": "make_timestamptz(try_cast({} as bigint) * 1000)",
}
ENVELOPE = {
    "event_id": ("text", "e.mid"),
    "sdk_version": ("text", "m.sdkv"),
    "event_name": ("text", "e.evn"),
    "event_code": ("int", "e.evcs"),
    "event_type": ("text", "e.type"),
    "event_datetime": ("epoch", "e.evt"),
    "timezone_offset_minutes": ("int", "m.tz_offset"),
    "session_id": ("text", "e.session_id"),
    "user_id_created": ("epoch", "m.user_id_created"),
    "app_name": ("text", "m.appn"),
    "os_name": ("text", "m.osn"),
    "platform_code": ("int", "m.plf"),
    "page_url": ("text", "e.scrn"),
    "page_title": ("text", "m.page_title"),
    "referrer_url": ("text", "m.referrer"),
    "search": ("text", "m.search"),
    "user_agent": ("text", 'coalesce(m.user_agent, h."User-Agent")'),
    "country": ("text", 'coalesce(h."CloudFront-Viewer-Country", h."CF-IPCountry")'),
    "screen_width": ("pixels", "e.screen.width"),
    "screen_height": ("pixels", "e.screen.height"),
}
HOST = "nullif(lower(regexp_extract({}, '^https?://(?:[^/?#@]*@)?([^/?#:]+)', 1)), '')"
DERIVED = {
    "arrival_hour": "date_trunc('hour', try_cast(received_at as timestamptz))",
    "processor_version": f"'{PROCESSOR_VERSION}'",
    "content_hash": "md5(cast(event as varchar))",
    "sdk_format": "'batch'",
    "is_clock_skewed": "event_datetime > try_cast(received_at as timestamptz) + interval 2 days"
    " or event_datetime < try_cast(received_at as timestamptz) - interval 30 days",
    "user_id": "coalesce(e.userid, nullif(regexp_extract(h.\"Cookie\", '_trends_user_id=([^;]+)', 1), ''))",
    "page_host": HOST.format("page_url"),
    "page_path": "nullif(regexp_extract(page_url, '^https?://[^/?#]+([^?#]*)', 1), '')",
    "referrer_host": HOST.format("referrer_url"),
    "application_name": "coalesce(page_host, app_name)",
    "platform": "case when page_host is not null then 'web' else lower(os_name) end",
    "headers_origin": "coalesce(h.\"Origin\", regexp_extract(page_url, '^https?://[^/?#]+'))",
    **{
        f"search_{name}": f"nullif(url_decode(regexp_extract(search, '[?&]{name}=([^&]+)', 1)), '')"
        for name in UTM + CLICK_IDS
    },
}


def bare_query(landing: Path, target: Path, *, narrow: bool = False) -> str:
    """The statement that writes the events below `landing` to the Parquet file `target`."""
    data = {
        column: (kind, own[0])
        for group in GROUPS.values()
        for column, (kind, own, _) in group.columns.items()
    }
    keys = [key for _, key in data.values()]
    typed = {
        **ENVELOPE,
        **{column: (kind, f'd."{key}"') for column, (kind, key) in data.items()},
    }
    columns = {
        "received": "try_cast(received_at as timestamptz)",
        **{name: CASTS.get(kind, "{}").format(source) for name, (kind, source) in typed.items()},
    }
    outputs = ["filename", "landing_index", *columns]
    if not narrow:
        rest = json.dumps(dict.fromkeys(keys))
        columns |= DERIVED | {
            "additional_data": f"case when e.type not in ('pii', 'phi') then"
            f" nullif(json_merge_patch(e.additionalData, '{rest}'), '{{}}') end",
            "encrypted_data": "case when e.type in ('pii', 'phi') then e.additionalData end",
        }
        outputs = ["filename", "landing_index", *columns]
    shape = dict.fromkeys(keys, "VARCHAR")
    event = {**EVENT, "additionalData": shape if narrow else "JSON"}
    data_parsed = "e.additionalData" if narrow else f"from_json(e.additionalData, '{json.dumps(shape)}')"
    return QUERY.format(
        files=sorted(str(path) for path in landing.rglob("*.gz")),
        request=json.dumps({**REQUEST, "headers": dict.fromkeys(HEADERS, "VARCHAR")}),
        body=json.dumps({"meta": dict.fromkeys(META_KEYS, "VARCHAR"), "events": ["JSON"]}),
        event=json.dumps(event),
        data=f"{data_parsed} as d",
        columns=", ".join(f"{text} as {name}" for name, text in columns.items()),
        outputs=", ".join(outputs),
        target=target,
    )
