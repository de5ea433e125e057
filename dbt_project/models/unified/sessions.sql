{{ config(materialized='incremental', incremental_strategy='append',
          pre_hook="{{ delete_touched([('visitor_key', visitors_of_touched_sessions())]) }}") }}
-- depends_on: {{ ref('touched_visitors') }} {{ ref('touched_transactions') }}
with events as (
    select unified.*, placed.seconds_since_previous, placed.is_capped
    from {{ ref('unified_events') }} as unified
    inner join {{ ref('session_events') }} as placed on placed.event_id = unified.event_id
    where unified.event_origin = 'online'
    {{ only_touched('unified.visitor_key', visitors_of_touched_sessions(), keyword='and') }}
    {{ only_touched('placed.visitor_key', visitors_of_touched_sessions(), keyword='and') }}
),

{# Currencies are never added up: revenue is that of the session's main currency, and `currencies` tells of others. #}
earned as (
    select
        session_key, currency, count(*) as conversions, {{ money_sum('revenue') }} as revenue,
        row_number() over (partition by session_key order by count(*) desc, currency nulls last) as place
    from {{ ref('conversions') }}
    where session_key is not null
    group by session_key, currency
),

converted as (
    select
        session_key,
        cast(sum(conversions) as bigint) as conversions,
        max(case when place = 1 then revenue end) as revenue,
        max(case when place = 1 then currency end) as currency,
        {{ sorted_distinct('currency') }} as currencies
    from earned
    group by session_key
),

summed as (
    select
        session_key,
        min(visitor_key) as visitor_key,
        min(user_id) as user_id,
        min(global_user_id) as global_user_id,
        bool_or(is_stitched) as is_stitched,
        min(occurred_at) as session_started_at,
        max(occurred_at) as session_ended_at,
        cast(coalesce(sum(case
            when seconds_since_previous > {{ var('engagement_gap_seconds') }} then {{ var('engagement_gap_seconds') }}
            else seconds_since_previous
        end), 0) as bigint) as engaged_seconds,
        count(*) as events,
        count(*) filter (where is_page_view) as page_views,
        bool_or(is_bot) as is_bot,
        bool_or(is_capped) as is_capped,
        {{ first_known('session_id') }} as sdk_session_id,
        count(distinct session_id) as sdk_sessions,
        {% for column in ['page_url', 'page_host', 'page_path'] -%}
        {{ first_known(column) }} as first_{{ column }},
        {% endfor -%}
        {% for column in ['page_url', 'page_path'] -%}
        {{ last_known(column) }} as last_{{ column }},
        {% endfor -%}
        {% for column in ['referrer_url', 'referrer_host', 'referrer_medium', 'referrer_source'] -%}
        {{ of_first_event(column) }} as {{ column }},
        {% endfor -%}
        {% for name in ['source', 'medium', 'campaign', 'term', 'content'] -%}
        {{ of_first_event('search_utm_' ~ name) }} as utm_{{ name }},
        {% endfor -%}
        {% for name in ['gclid', 'fbclid', 'twclid', 'ttclid', 'msclkid'] -%}
        {{ of_first_event('search_' ~ name) }} as {{ name }},
        {% endfor -%}
        coalesce({{ of_first_event('channel') }}, 'Direct') as channel,
        {% for column in ['application_name', 'platform', 'country', 'browser', 'os', 'device_type'] -%}
        {{ first_known(column) }} as {{ column }}{{ ',' if not loop.last }}
        {% endfor %}
    from events
    group by session_key
)

select
    summed.session_key, summed.visitor_key, summed.user_id, summed.global_user_id, summed.is_stitched,
    cast(row_number() over (
        partition by summed.visitor_key order by summed.session_started_at, summed.session_key
    ) as bigint) as visitor_session_number,
    summed.session_started_at, summed.session_ended_at,
    {{ seconds_between('summed.session_started_at', 'summed.session_ended_at') }} as duration_seconds,
    summed.engaged_seconds, summed.events, summed.page_views,
    summed.page_views <= 1 and converted.session_key is null
        and summed.engaged_seconds < {{ var('bounce_engaged_seconds') }} as is_bounce,
    summed.is_bot, summed.is_capped, summed.sdk_session_id, summed.sdk_sessions,
    summed.first_page_url, summed.first_page_host, summed.first_page_path,
    summed.last_page_url, summed.last_page_path,
    summed.referrer_url, summed.referrer_host, summed.referrer_medium, summed.referrer_source,
    summed.utm_source, summed.utm_medium, summed.utm_campaign, summed.utm_term, summed.utm_content,
    summed.gclid, summed.fbclid, summed.twclid, summed.ttclid, summed.msclkid,
    case
        when summed.gclid is not null then 'gclid' when summed.fbclid is not null then 'fbclid'
        when summed.twclid is not null then 'twclid' when summed.ttclid is not null then 'ttclid'
        when summed.msclkid is not null then 'msclkid'
    end as click_id_type,
    summed.channel, summed.channel = 'Direct' as is_direct,
    summed.application_name, summed.platform, summed.country, summed.browser, summed.os, summed.device_type,
    coalesce(converted.conversions, 0) as conversions,
    coalesce(converted.revenue, cast(0 as {{ money_sum_type() }})) as revenue,
    converted.currency, converted.currencies
from summed
left join converted on converted.session_key = summed.session_key
