-- One landed line in, its events out. A name between comment marks stands for a piece that kernel_sql.py
-- builds from fields.py.
-- Every document is parsed once; TRY and CASE keep one bad line from failing the others.
with requests as (
  select *, try(from_json(line, /*request*/)) as r
  from lines
), documents as (
  select * exclude (r), r.received_at as text_received_at, r.path as path, r.body as body,
    case when r.body is null then line
      when r.body_encoding = 'base64' then try(decode(from_base64(r.body)))
      else r.body end as document,
    r.headers as canonical,
    case when r.headers is not null and r.headers."User-Agent" is null
      then json_extract_string(json_extract(line, '$.headers'), /*header_variants*/) end as h
  from requests
), bodies as (
  select * exclude (canonical, h),
    case when h is null then canonical else /*headers_picked*/ end as headers,
    try(from_json(document, /*body*/)) as b
  from documents
), formats as (
  select *,
    case when b.events is not null then null
      when regexp_matches(path, '/(tag|user|data|consent|init)/?([?].*)?$')
        then regexp_extract(path, '/(tag|user|data|consent|init)/?([?].*)?$', 1)
      when b.eventName is not null then 'tag'
      when b.key is not null and b.value is not null then 'user'
      when b.consentString is not null then 'consent'
      when b.pageUrl is not null and b.data is not null then 'data' end as action,
    case when b.meta ^@ '{' then from_json(b.meta, /*meta*/) end as m
  from bodies
), listed as (
  select *,
    case when b.meta ^@ '{' then nullif(json_merge_patch(b.meta,
      case when m.bnme is null then /*remove_meta_of_app*/ else /*remove_meta*/ end), '{}') end as unknown_meta,
    case when len(b.events) > 0 or (b.events is null and action is not null and ltrim(document) ^@ '{' and json_valid(document)) then null
      when document is null or not json_valid(document) then
        case when body is null then 'invalid_json'
          when trim(body) = '' then 'empty_body'
          else 'invalid_body' end
      when json_type(document) <> 'OBJECT' then 'not_an_object'
      when b.events is not null then 'no_events'
      when json_exists(document, '$.events') then 'events_not_a_list'
      else 'unknown_format' end as line_reason
  from formats
), prepared as (
  select * exclude (b, line), struct_pack(/*body_without_events*/) as b,
    case when unknown_meta is not null then to_json(map_from_entries(list_transform(
      list_distinct(json_keys(unknown_meta)), lambda k: {'key': 'meta_' || k, 'value': json_extract(unknown_meta,
        '/' || replace(replace(k, '~', '~0'), '/', '~1'))}))) end as rest_of_meta,
    case when line_reason is not null then line end as line,
    case when line_reason is not null then [cast(null as json)]
      when action is null then b.events
      -- several ids in one /data request: one event each, so that none is lost
      when action = 'data' and json_type(b.data) = 'OBJECT' and len(json_keys(b.data)) > 1
        then list_transform(json_keys(b.data), lambda k: json_object(k, json_extract(b.data,
          '/' || replace(replace(k, '~', '~0'), '/', '~1'))))
      else [try_cast(document as json)] end as events
  from listed
), expanded as (
  select * exclude (events), unnest(events) as event, unnest(range(len(events))) as landing_index
  from prepared
), events as (
  select *, action is not null as is_edgetag,
    case when action is null and event ^@ '{' then from_json(event, /*event*/) end as e
  from expanded
), properties as (
  select *, case when e.properties ^@ '{' then from_json(e.properties, /*properties*/) end as p
  from events
), named as (
  select *,
    case when is_edgetag then
        case action when 'user' then case when b."key" is not null then json_object(trim(b."key"), b."value")
            else b.data end
          when 'data' then case when json_exists(event, '$.pageUrl') or json_exists(event, '$.data')
            then b.data else event end
          when 'consent' then null
          else b.data end
      when e.additionalData is not null then e.additionalData
      when p is not null then json_merge_patch(json_merge_patch(e.properties,
          '{"codifiedInfo":null,"session_id":null,"screen":null,"referrer":null}'),
          case when p.codifiedInfo ^@ '{' then p.codifiedInfo else '{}' end)
      end as sent_data,
    coalesce(e.type = 'pii' or e.type = 'phi', false) as is_encrypted
  from properties
), kinds as (
  select *, case when not is_encrypted then sent_data end as data,
    is_edgetag and action = 'tag' and b.eventName = 'Purchase' as is_purchase,
    is_edgetag and action = 'tag' and b.eventName in ('ViewContent', 'AddToCart', 'RemoveFromCart',
      'AddToWishlist') as is_item,
    case when action = 'data' and sent_data ^@ '{' then json_keys(sent_data)[1] end as mapped_key
  from named
), mapped as (
  select *,
    case when mapped_key is null then null
      when mapped_key like '_%::_%' then split_part(mapped_key, '::', 1)
      when mapped_key like '_%\_id' escape '\' and mapped_key not like 'persona%' and mapped_key <> 'map_id'
        then left(mapped_key, -3) end as mapped_provider,
    case when mapped_provider is not null then json_extract_string(data,
      '/' || replace(replace(mapped_key, '~', '~0'), '/', '~1')) end as mapped_id
  from kinds
), texts as (
  select * exclude (p, e),
    coalesce(e.evt, e.tst, case when is_edgetag then b."timestamp" end) as text_event_datetime,
    e.properties is not null or e.evdc is not null or e.evc is not null or e.nmo is not null as is_legacy,
    /*parsed_groups*/,
    /*envelope_texts*/
  from mapped
), valued as (
  select *,
    /*event_time*/ as own_datetime,
    try_cast(text_received_at as timestamptz) as parsed_received_at,
    /*group_values*/,
    /*envelope_values*/
  from texts
), checked as (
  select *,
    case when parsed_received_at between timestamptz '2000-01-01' and timestamptz '2200-01-01'
      then parsed_received_at end as own_received_at,
    coalesce(own_received_at, arrival_hour) as received_at,
    coalesce(own_datetime, own_received_at, arrival_hour) as event_datetime,
    case when is_edgetag and action <> 'data' then md5(document) else md5(cast(event as varchar)) end
      as content_hash,
    case when line_reason is not null then line_reason
      when event is null or not ltrim(event) ^@ '{' then 'event_not_an_object'
      when own_datetime is null and not (is_edgetag and text_event_datetime is null)
        then 'invalid_event_time' end as reason,
    coalesce((text_received_at is not null and own_received_at is null)
      or (data is not null and not data ^@ '{' and data <> 'null')
      or /*group_conflicts*/
      or /*envelope_conflicts*/, false) as has_conflict,
    case when not data ^@ '{' then null
      when mapped_provider is not null then null
      else nullif(case
        when /*no_group*/ then data
        when /*only_object*/ then json_merge_patch(data, /*remove_object*/)
        when not is_edgetag then json_merge_patch(data, /*remove_own*/)
        when is_purchase then json_merge_patch(data, /*remove_purchase*/)
        when is_item then json_merge_patch(data, /*remove_item*/)
        else json_merge_patch(data, /*remove_tag*/) end, '{}') end as rest_of_data
  from valued
)
select arrival_hour, received_at, landing_file, landing_line, cast(landing_index as integer) as landing_index,
  reason,
  case reason
    when 'invalid_json' then 'the line is not JSON'
    when 'invalid_body' then 'the body of the request is not JSON' ||
      case when document is null then ': its base64 does not decode to UTF-8' else '' end
    when 'empty_body' then 'the body of the request is empty'
    when 'not_an_object' then 'expected a JSON object, found ' || lower(json_type(document))
    when 'no_events' then 'the batch holds no events'
    when 'events_not_a_list' then '`events` should be a list, found ' || lower(json_type(document, '$.events'))
    when 'unknown_format' then 'neither `events` nor a key of EdgeTag was found'
    when 'event_not_an_object' then 'the event should be an object, found '
      || lower(coalesce(json_type(event), 'null'))
    when 'invalid_event_time' then case when text_event_datetime is null then '`evt` is missing'
      else '`evt` should be milliseconds since 1970, before the year 2200' end
    end as detail,
  case when line_reason is not null then rtrim(line, chr(10) || chr(13))
    when /*raw_kept*/ then cast(event as varchar) end as raw,
  coalesce(sent_event_id, 'made-' || md5(concat_ws('|', content_hash, landing_file, landing_line,
    landing_index))) as event_id,
  content_hash,
  case when is_edgetag then 'edgetag' when is_legacy then 'legacy' else 'batch' end as sdk_format,
  case when is_edgetag then 'edgetag' else sdk_type end as event_type,
  event_datetime,
  event_datetime > received_at + interval 2 days or event_datetime < received_at - interval 30 days
    as is_clock_skewed,
  nullif(coalesce(m.search, b.search), '') as search_text,
  headers."User-Agent" as user_agent_in_headers,
  headers."Origin" as origin,
  case when headers."Cookie" is not null then
    nullif(regexp_extract(headers."Cookie", '(?:^|;\s*)_trends_user_id=([^;]+)', 1), '') end as trends_user_id,
  coalesce(case when headers."Cookie" is not null then
    nullif(regexp_extract(headers."Cookie", '(?:^|;\s*)tag_user_id=([^;]+)', 1), '') end,
    headers."EdgeTagUserId") as edgetag_user_id,
  headers."X-Forwarded-For" as forwarded_for,
  coalesce(headers."CloudFront-Viewer-Country", headers."CF-IPCountry", headers."X-Vercel-IP-Country",
    headers."X-AppEngine-Country", headers."X-Country-Code", b.geo.couc) as country_named,
  case when is_edgetag then coalesce(cast(b.consentString as varchar),
    cast(b.storage.edgeTag.consent as varchar)) end as consent,
  case when is_edgetag then nullif(b.storage.data.googleAdsClicks.gclid, '') end as stored_gclid,
  case when is_edgetag then nullif(b.storage.data.facebook.fbclid, '') end as stored_fbclid,
  case when rest_of_meta is null then rest_of_data
    when rest_of_data is null then rest_of_meta
    else json_merge_patch(rest_of_data, rest_of_meta) end as additional_data,
  case when is_encrypted then cast(sent_data as varchar) end as encrypted_data,
  case when has_conflict then cast(to_json(map_from_entries(list_filter([
    case when text_received_at is not null and own_received_at is null
      then {'key': 'received_at', 'value': to_json(text_received_at)} end,
    case when data is not null and not data ^@ '{' and data <> 'null'
      then {'key': 'additional_data', 'value': to_json(cast(data as varchar))} end,
      /*envelope_entries*/,
      /*group_entries*/
    ], lambda x: x is not null))) as varchar) end as type_conflicts,
  /*envelope_outputs*/,
  /*group_outputs*/
from checked
