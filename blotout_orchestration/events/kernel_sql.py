"""The SQL of the kernel: one landed line in, its events out, as text columns typed by the contract.

Belongs here: where each column of `core_events` is found in each SDK format, and how its text becomes its
type. User agents, URLs and channels are parsed afterwards, on distinct values (enrichment.py).
"""

from __future__ import annotations

import json
from functools import cache

Kind = str
"""`text`, `money`, `double`, `int`, `pixels` (a rounded int), `epoch` (milliseconds), `currency`."""

_REQUEST = {
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
_META_KEYS = (
    "sdkv", "tz_offset", "user_id_created", "plf", "osn", "osv", "appn", "appv", "page_title", "referrer",
    "search", "user_agent",
)  # fmt: skip
_BODY = {
    "meta": dict.fromkeys(_META_KEYS, "VARCHAR"),
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
_EVENT = {
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
_PROPERTIES = {
    "session_id": "VARCHAR",
    "referrer": "VARCHAR",
    "screen": {"width": "VARCHAR", "height": "VARCHAR"},
    "codifiedInfo": "JSON",
}

# Column -> (kind, keys of the event's data that fill it). The first key that is present wins.
_DATA: dict[str, tuple[Kind, tuple[str, ...]]] = {
    "data_map_id": ("text", ("map_id",)),
    "data_map_provider": ("text", ("map_provider",)),
    **{
        f"persona_{name}": ("text", (f"persona_{name}",))
        for name in (
            "id", "firstname", "middlename", "lastname", "username", "dob", "email", "number", "address",
            "city", "state", "zip", "country", "gender",
        )
    },
    "persona_age": ("int", ("persona_age",)),
    **{f"transaction_{name}": ("text", (f"transaction_{name}",)) for name in ("id", "payment")},
    "transaction_currency": ("currency", ("transaction_currency",)),
    **{
        f"transaction_{name}": ("money", (f"transaction_{name}",))
        for name in ("total", "discount", "shipping", "tax")
    },
    **{f"item_{name}": ("text", (f"item_{name}",)) for name in ("id", "name", "sku")},
    "item_category": ("category", ("item_category",)),
    "item_price": ("money", ("item_price",)),
    "item_currency": ("currency", ("item_currency",)),
    "item_quantity": ("double", ("item_quantity",)),
    "object_name": ("text", ("objectName", "obj")),
    "object_title": ("text", ("objectTitle", "objT")),
}  # fmt: skip
# EdgeTag's own names for the same things (its standard events and user keys).
_EDGETAG: dict[str, tuple[str, ...]] = {
    "persona_firstname": ("firstName",),
    "persona_lastname": ("lastName",),
    "persona_dob": ("dateOfBirth",),
    "persona_email": ("email",),
    "persona_number": ("phone",),
    "persona_address": ("address",),
    "persona_city": ("city",),
    "persona_state": ("state",),
    "persona_zip": ("zip",),
    "persona_country": ("country",),
    "persona_gender": ("gender",),
}
_EDGETAG_PURCHASE = {
    "transaction_id": ("orderId",),
    "transaction_total": ("value",),
    "transaction_currency": ("currency",),
}
_EDGETAG_ITEM = {
    "item_name": ("name", "title"),
    "item_sku": ("sku",),
    "item_category": ("category",),
    "item_price": ("price",),
    "item_quantity": ("quantity",),
    "item_currency": ("currency",),
}
_ZERO_OF_TRANSACTION = ("transaction_total", "transaction_discount", "transaction_shipping")
_INTEGER = "^[+-]?[0-9]+(\\.0*)?$"
_NUMBER = "^[+-]?([0-9]+\\.?[0-9]*|\\.[0-9]+)([eE][+-]?[0-9]+)?$"
_LATEST_MS = 7_258_118_400_000
"""1 January 2200 in milliseconds: a client clock beyond it is not a clock."""


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _structure(shape: object) -> str:
    return _quoted(json.dumps(shape))


def _edgetag_keys() -> dict[str, tuple[str, ...]]:
    merged: dict[str, tuple[str, ...]] = {}
    for mapping in (_EDGETAG, _EDGETAG_PURCHASE, _EDGETAG_ITEM):
        for column, keys in mapping.items():
            merged[column] = merged.get(column, ()) + keys
    return merged


def _data_structure() -> str:
    keys = [key for _, names in _DATA.values() for key in names]
    keys += [key for names in _edgetag_keys().values() for key in names]
    return _structure(dict.fromkeys(dict.fromkeys(keys), "VARCHAR"))


def _without(keys: list[str]) -> str:
    """A JSON merge patch that removes the keys (RFC 7386)."""
    return _quoted(json.dumps(dict.fromkeys(dict.fromkeys(keys)), separators=(",", ":")))


_SDK_KEYS = [key for _, names in _DATA.values() for key in names]
_TAG_KEYS = _SDK_KEYS + [key for names in _EDGETAG.values() for key in names]


def _data_source(column: str, keys: tuple[str, ...]) -> str:
    """The SQL of the column's text: the SDK's keys, then EdgeTag's where the event is EdgeTag's."""
    found = [f'd."{key}"' for key in keys]
    conditions = (
        ("is_edgetag", _EDGETAG),
        ("is_purchase", _EDGETAG_PURCHASE),
        ("is_item", _EDGETAG_ITEM),
    )
    for condition, mapping in conditions:
        found += [f'case when {condition} then d."{key}" end' for key in mapping.get(column, ())]
    if column == "data_map_id":
        found.append("mapped_id")
    if column == "data_map_provider":
        found.append("mapped_provider")
    return f"coalesce({', '.join(found)})" if len(found) > 1 else found[0]


def _data_path(column: str, keys: tuple[str, ...]) -> list[str]:
    """Every key that may have filled the column, for looking up the JSON type of a doubtful text."""
    return [*keys, *_edgetag_keys().get(column, ())]


def _doubtful(text: str) -> str:
    return f"({text} ^@ '{{' or {text} ^@ '[' or {text} = 'true' or {text} = 'false')"


def _is_text(text: str, types: str) -> str:
    """Whether a doubtful text was a JSON string; only such rows are looked up again."""
    return f"case when {_doubtful(text)} then coalesce({types}, 'VARCHAR') = 'VARCHAR' else true end"


def _types(document: str, paths: list[str]) -> str:
    looked_up = [f"nullif(json_type({document}, {_quoted('$.' + path)}), 'NULL')" for path in paths]
    return f"coalesce({', '.join(looked_up)})" if len(looked_up) > 1 else looked_up[0]


def typed(text: str, kind: Kind, types: str = "'VARCHAR'") -> str:
    """SQL that turns a column's text into its type; NULL when it does not fit."""
    if kind in ("text", "currency"):
        value = f"upper(trim({text}))" if kind == "currency" else f"trim({text})"
        return f"case when {_is_text(text, types)} then nullif({value}, '') end"
    if kind == "category":
        listed = f"list_filter(try(from_json({text}, '[\"VARCHAR\"]')), lambda x: x is not null and x <> '')"
        joined = f"coalesce(array_to_string({listed}, ' > '), trim({text}))"
        return f"nullif(case when {text} ^@ '[' then {joined} when {text} ^@ '{{' then null else trim({text}) end, '')"
    if kind == "money":
        return (
            f"case when regexp_matches(trim({text}), '{_NUMBER}') then try_cast({text} as decimal(18,4)) end"
        )
    if kind == "double":
        return f"case when regexp_matches(trim({text}), '{_NUMBER}') then try_cast({text} as double) end"
    if kind == "int":
        return f"case when regexp_matches(trim({text}), '{_INTEGER}') then try_cast({text} as integer) end"
    if kind == "pixels":
        return (
            f"case when regexp_matches(trim({text}), '{_NUMBER}') "
            f"then try_cast(try_cast({text} as decimal(18,4)) as integer) end"
        )
    if kind == "epoch":
        ms = f"try_cast({text} as decimal(18,4))"
        return (
            f"case when regexp_matches(trim({text}), '{_NUMBER}') and {ms} >= 0 and {ms} < {_LATEST_MS} "
            f"then make_timestamptz(cast(floor({ms}) as bigint) * 1000) end"
        )
    raise ValueError(f"unknown kind {kind!r}")


def _fields() -> dict[str, tuple[Kind, str, str]]:
    """Column -> (kind, SQL of its text, SQL of its JSON type)."""
    event = _types("event", ["{}"])
    fields: dict[str, tuple[Kind, str, str]] = {
        "event_id": ("text", "coalesce(e.mid, b.eventId)", _types("event", ["mid", "eventId"])),
        "sdk_version": ("text", "b.meta.sdkv", _types("document", ["meta.sdkv"])),
        "event_name": (
            "text",
            "coalesce(e.evn, b.eventName, case when is_edgetag then action end)",
            _types("event", ["evn", "eventName"]),
        ),
        "event_code": ("int", "e.evcs", event),
        "sdk_type": ("text", "e.type", _types("event", ["type"])),
        "timezone_offset_minutes": ("int", "b.meta.tz_offset", event),
        "session_id": (
            "text",
            "coalesce(e.session_id, p.session_id)",
            _types("event", ["session_id", "properties.session_id"]),
        ),
        "user_id_in_body": ("text", "e.userid", _types("event", ["userid"])),
        "user_id_created": ("epoch", "b.meta.user_id_created", event),
        "app_name": ("text", "b.meta.appn", _types("document", ["meta.appn"])),
        "os_name": ("text", "b.meta.osn", _types("document", ["meta.osn"])),
        "platform_code": ("int", "b.meta.plf", event),
        "page_url": ("text", "coalesce(e.scrn, b.pageUrl)", _types("event", ["scrn", "pageUrl"])),
        "page_title": (
            "text",
            "coalesce(b.meta.page_title, b.pageTitle)",
            _types("document", ["meta.page_title", "pageTitle"]),
        ),
        "referrer_url": (
            "text",
            "coalesce(b.meta.referrer, b.referrer, p.referrer)",
            "coalesce(" + _types("document", ["meta.referrer", "referrer"]) + ", 'VARCHAR')",
        ),
        "user_agent_in_body": (
            "text",
            "coalesce(b.meta.user_agent, b.userAgent)",
            _types("document", ["meta.user_agent", "userAgent"]),
        ),
        "screen_width": ("pixels", "coalesce(e.screen.width, p.screen.width)", event),
        "screen_height": ("pixels", "coalesce(e.screen.height, p.screen.height)", event),
    }
    for column, (kind, keys) in _DATA.items():
        types = _types("data", _data_path(column, keys))
        fields[column] = (kind, _data_source(column, keys), types)
    return fields


@cache
def kernel_sql() -> str:
    """The query over a table `lines` (arrival_hour, landing_file, landing_line, line).

    One row an event, and one a line without events. `reason` is NULL for a good event; `raw` is the event
    or, where there is none, the line. Columns that still need enrichment come beside the contract's.
    """
    fields = _fields()
    texts = ",\n    ".join(f"{source} as text_{name}" for name, (_, source, _) in fields.items())
    values = ",\n    ".join(
        f"{typed(f'text_{name}', kind, types)} as value_{name}" for name, (kind, _, types) in fields.items()
    )
    conflicts = [
        f"(value_{name} is null and text_{name} is not null and trim(text_{name}) <> '')" for name in fields
    ]
    entries = ", ".join(
        f"case when value_{name} is null and trim(text_{name}) <> '' "
        f"then {{'key': '{name.removesuffix('_in_body')}', 'value': to_json(text_{name})}} end"
        for name in fields
    )
    zeros = {
        **{
            name: f"coalesce(value_{name}, case when value_event_name = 'transaction' and text_{name} is null "
            f"then 0 end)"
            for name in _ZERO_OF_TRANSACTION
        },
        "item_price": "coalesce(value_item_price, case when value_event_name = 'item' and "
        "text_item_price is null then 0 end)",
    }
    outputs = ",\n  ".join(
        f"{zeros.get(name, f'value_{name}')} as {name}" for name in fields if name != "event_id"
    )
    canonical = dict.fromkeys(HEADERS, "VARCHAR")
    paths = [f'$."{name}"' for header in HEADERS for name in (header, header.lower(), header.title())]
    variants = "[" + ", ".join(_quoted(path) for path in paths) + "]"
    from_variants = ", ".join(
        f"'{header}': coalesce(h[{3 * index + 1}], h[{3 * index + 2}], h[{3 * index + 3}])"
        for index, header in enumerate(HEADERS)
    )
    return f"""
with requests as (
  select *, try(from_json(line, {_structure({**_REQUEST, "headers": canonical})})) as r
  from lines
), documents as (
  select * exclude (r), r.received_at as text_received_at, r.path as path, r.body as body,
    case when r.body is null then line
      when r.body_encoding = 'base64' then try(decode(from_base64(r.body)))
      else r.body end as document,
    r.headers as canonical,
    case when r.headers is not null and r.headers."User-Agent" is null
      then json_extract_string(json_extract(line, '$.headers'), {variants}) end as h
  from requests
), bodies as (
  select * exclude (canonical, h), case when h is null then canonical else {{{from_variants}}} end as headers,
    try(from_json(document, {_structure(_BODY)})) as b
  from documents
), formats as (
  select *,
    case when b.events is not null then null
      when regexp_matches(path, '/(tag|user|data|consent|init)/?([?].*)?$')
        then regexp_extract(path, '/(tag|user|data|consent|init)/?([?].*)?$', 1)
      when b.eventName is not null then 'tag'
      when b.key is not null and b.value is not null then 'user'
      when b.consentString is not null then 'consent'
      when b.pageUrl is not null and b.data is not null then 'data' end as action
  from bodies
), listed as (
  select *,
    case when len(b.events) > 0 or (b.events is null and action is not null and document ^@ '{{') then null
      when document is null or not json_valid(document) then
        case when body is null then 'invalid_json' when json_valid(line) and trim(body) = '' then 'empty_body'
          else 'invalid_body' end
      when json_type(document) <> 'OBJECT' then 'not_an_object'
      when b.events is not null then 'no_events'
      when json_exists(document, '$.events') then 'events_not_a_list'
      else 'unknown_format' end as line_reason
  from formats
), expanded as (
  select * exclude (b, line), b, unnest(events) as event,
    unnest(range(len(events))) as landing_index,
    case when line_reason is not null then line end as line
  from (
    select * exclude (b), struct_pack(meta := b.meta, pageUrl := b.pageUrl, pageTitle := b.pageTitle,
        userAgent := b.userAgent, referrer := b.referrer, search := b.search, eventName := b.eventName,
        eventId := b.eventId, "timestamp" := b."timestamp", "key" := b."key", "value" := b."value",
        "data" := b."data", consentString := b.consentString, storage := b.storage, geo := b.geo) as b,
      case when line_reason is not null then [cast(null as json)]
        when action is null then b.events
        when action = 'data' and json_type(b.data) = 'OBJECT' and len(json_keys(b.data)) > 1
          then list_transform(json_keys(b.data), lambda k: json_object(k, json_extract(b.data, '/' ||
            replace(replace(k, '~', '~0'), '/', '~1'))))
        else [cast(document as json)] end as events
    from listed
  )
), events as (
  select *, action is not null as is_edgetag,
    case when action is null and event ^@ '{{' then from_json(event, {_structure(_EVENT)}) end as e
  from expanded
), properties as (
  select *,
    case when e.properties ^@ '{{' then from_json(e.properties, {_structure(_PROPERTIES)}) end as p
  from events
), named as (
  select *,
    case when is_edgetag then
        case action when 'user' then case when b.key is not null then json_object(trim(b.key), b.value)
              else b.data end
          when 'data' then case when event ^@ '{{"pageUrl"' or json_exists(event, '$.pageUrl')
              or json_exists(event, '$.data') then b.data else event end
          when 'consent' then null
          else b.data end
      when e.additionalData is not null then e.additionalData
      when e.properties ^@ '{{' then json_merge_patch(json_merge_patch(e.properties,
          '{{"codifiedInfo":null,"session_id":null,"screen":null,"referrer":null}}'),
          case when p.codifiedInfo ^@ '{{' then p.codifiedInfo else '{{}}' end)
      end as sent_data,
    coalesce(e.type in ('pii', 'phi'), false) as is_encrypted
  from properties
), read as (
  select *, case when not is_encrypted then sent_data end as data,
    case when not is_encrypted and sent_data ^@ '{{' then from_json(sent_data, {_data_structure()}) end as d,
    is_edgetag and action = 'tag' and b.eventName = 'Purchase' as is_purchase,
    is_edgetag and action = 'tag' and b.eventName in ('ViewContent', 'AddToCart', 'RemoveFromCart',
      'AddToWishlist') as is_item,
    case when action = 'data' and sent_data ^@ '{{' then json_keys(sent_data)[1] end as mapped_key
  from named
), mapped as (
  select *,
    case when mapped_key like '_%::_%' then split_part(mapped_key, '::', 1)
      when mapped_key like '_%\\_id' escape '\\' and mapped_key not like 'persona%'
        and mapped_key <> 'map_id' then left(mapped_key, -3) end as mapped_provider,
    case when mapped_provider is not null then json_extract_string(data, '/' ||
      replace(replace(mapped_key, '~', '~0'), '/', '~1')) end as mapped_id
  from read
), texts as (
  select * exclude (e, d, p),
    coalesce(e.evt, e.tst, case when is_edgetag then b."timestamp" end) as text_event_datetime,
    e.properties is not null or e.evdc is not null or e.evc is not null or e.nmo is not null as is_legacy,
    {texts}
  from mapped
), valued as (
  select *,
    {typed("text_event_datetime", "epoch")} as own_datetime,
    case when try_cast(text_received_at as timestamptz) between timestamptz '2000-01-01' and
      timestamptz '2200-01-01' then try_cast(text_received_at as timestamptz) end as own_received_at,
    {values}
  from texts
), checked as (
  select *,
    coalesce(own_received_at, arrival_hour) as received_at,
    coalesce(own_datetime, own_received_at, arrival_hour) as event_datetime,
    case when is_edgetag and action <> 'data' then md5(document) else md5(cast(event as varchar)) end
      as content_hash,
    case when line_reason is not null then line_reason
      when event is null or not event ^@ '{{' then 'event_not_an_object'
      when own_datetime is null and not (is_edgetag and text_event_datetime is null)
        then 'invalid_event_time' end as reason,
    (text_received_at is not null and own_received_at is null)
      or (data is not null and not data ^@ '{{' and data <> 'null')
      or {" or ".join(conflicts)} as has_conflict,
    case when data ^@ '{{' then
        nullif(case when not is_edgetag then json_merge_patch(data, {_without(_SDK_KEYS)})
          when is_purchase then json_merge_patch(data, {_without(_TAG_KEYS + [k for n in _EDGETAG_PURCHASE.values() for k in n])})
          when is_item then json_merge_patch(data, {_without(_TAG_KEYS + [k for n in _EDGETAG_ITEM.values() for k in n])})
          when mapped_provider is not null then null
          else json_merge_patch(data, {_without(_TAG_KEYS)}) end, '{{}}') end as rest_of_data
  from valued
)
select arrival_hour, received_at, landing_file, landing_line, cast(landing_index as integer) as landing_index,
  reason,
  case reason
    when 'invalid_json' then 'the line is not JSON'
    when 'invalid_body' then 'the body of the request is not JSON' ||
      case when document is null then ' (its base64 does not decode to UTF-8)' else '' end
    when 'empty_body' then 'the body of the request is empty'
    when 'not_an_object' then 'expected a JSON object, found ' || lower(json_type(document))
    when 'no_events' then 'the batch holds no events'
    when 'events_not_a_list' then '`events` should be a list, found ' || lower(json_type(document, '$.events'))
    when 'unknown_format' then 'neither `events` nor a key of EdgeTag was found'
    when 'event_not_an_object' then 'the event should be an object, found ' || lower(coalesce(json_type(event), 'null'))
    when 'invalid_event_time' then case when text_event_datetime is null then '`evt` is missing'
      else '`evt` should be milliseconds since 1970, before the year 2200' end
    end as detail,
  case when line_reason is not null then rtrim(line, chr(10) || chr(13)) else cast(event as varchar) end as raw,
  coalesce(value_event_id, 'made-' || md5(concat_ws('|', content_hash, landing_file, landing_line,
    landing_index))) as event_id,
  content_hash,
  case when is_edgetag then 'edgetag' when is_legacy then 'legacy' else 'batch' end as sdk_format,
  case when is_edgetag then 'edgetag' else value_sdk_type end as event_type,
  event_datetime,
  event_datetime > received_at + interval 2 days or event_datetime < received_at - interval 30 days
    as is_clock_skewed,
  nullif(trim(coalesce(b.meta.search, b.search)), '') as search_text,
  headers."User-Agent" as user_agent_in_headers,
  headers."Origin" as origin,
  nullif(regexp_extract(headers."Cookie", '(?:^|;\\s*)_trends_user_id=([^;]+)', 1), '') as trends_user_id,
  coalesce(nullif(regexp_extract(headers."Cookie", '(?:^|;\\s*)tag_user_id=([^;]+)', 1), ''),
    headers."EdgeTagUserId") as edgetag_user_id,
  headers."X-Forwarded-For" as forwarded_for,
  coalesce(headers."CloudFront-Viewer-Country", headers."CF-IPCountry", headers."X-Vercel-IP-Country",
    headers."X-AppEngine-Country", headers."X-Country-Code", b.geo.couc) as country_named,
  case when is_edgetag then coalesce(cast(b.consentString as varchar),
    cast(b.storage.edgeTag.consent as varchar)) end as consent,
  case when is_edgetag then b.storage.data.googleAdsClicks.gclid end as stored_gclid,
  case when is_edgetag then b.storage.data.facebook.fbclid end as stored_fbclid,
  rest_of_data as additional_data,
  case when is_encrypted then cast(sent_data as varchar) end as encrypted_data,
  case when has_conflict then cast(to_json(map_from_entries(list_filter([
    case when text_received_at is not null and own_received_at is null
      then {{'key': 'received_at', 'value': to_json(text_received_at)}} end,
    case when data is not null and not data ^@ '{{' and data <> 'null'
      then {{'key': 'additional_data', 'value': to_json(cast(data as varchar))}} end,
    {entries}], lambda x: x is not null))) as varchar) end as type_conflicts,
  {outputs}
from checked
"""
