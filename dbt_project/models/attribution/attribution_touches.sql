{{ config(
  materialized='incremental',
  incremental_strategy='append',
  pre_hook="{{ delete_changed_people(ref('attribution_people')) }}",
  tags=['attribution']
) }}

with people as (
  select
    person_key,
    input_fingerprint
  from {{ ref('attribution_people') }} as people
  where conversions > 0 and {{ is_changed_person() }}
),

orders as (
  select
    people.person_key,
    people.input_fingerprint,
    conversions.*
  from {{ ref('conversions') }} as conversions
  inner join people
    on people.person_key = coalesce(conversions.global_user_id, 'transaction:' || conversions.transaction_key)
  where not conversions.is_bot
),

{# The person's visits within the lookback, and the session that the order was placed in, whoever the id graph
takes its browser for: a guest's order, or that of a device's second customer. #}
touched as (
  select
    orders.transaction_key,
    sessions.session_key
  from orders
  inner join {{ ref('sessions') }} as sessions
    on sessions.global_user_id = orders.global_user_id
  where
    sessions.session_started_at <= orders.converted_at
    and sessions.session_started_at
      >= orders.converted_at - interval '{{ var("attribution_lookback_days", 90) }}' day

  union

  select
    transaction_key,
    session_key
  from orders
  where session_key is not null
),

visits as (
  select
    touched.transaction_key,
    sessions.session_key,
    sessions.session_started_at,
    sessions.is_direct,
    sessions.channel,
    sessions.utm_campaign,
    sessions.utm_source,
    sessions.utm_medium,
    sessions.referrer_host,
    sessions.country,
    sessions.browser,
    sessions.os,
    sessions.platform,
    sessions.device_type,
    sessions.click_id_type,
    orders.session_key is not distinct from sessions.session_key as is_converting_session
  from touched
  inner join orders on orders.transaction_key = touched.transaction_key
  inner join {{ ref('sessions') }} as sessions on sessions.session_key = touched.session_key
  where not sessions.is_bot
),

numbered as (
  select
    visits.*,
    row_number() over (partition by transaction_key order by session_started_at, session_key) as touch_number,
    count(*) over (partition by transaction_key) as touch_count
  from visits
)

select
  orders.person_key,
  orders.input_fingerprint,
  orders.transaction_key,
  orders.transaction_id,
  orders.global_user_id,
  orders.converted_at,
  orders.conversion_origin,
  orders.revenue,
  orders.currency,
  coalesce(numbered.touch_number, 0) as touch_number,
  coalesce(numbered.touch_count, 0) as touch_count,
  numbered.session_key,
  numbered.session_started_at as touched_at,
  coalesce(numbered.is_converting_session, false) as is_converting_session,
  case
    when numbered.session_started_at is null then null
    when numbered.session_started_at > orders.converted_at then 0
    else {{ seconds_between('numbered.session_started_at', 'orders.converted_at') }}
  end as seconds_before_conversion,
  coalesce(numbered.is_direct, false) as is_direct,
  case when numbered.session_key is null then '(no touch)' else coalesce(numbered.channel, 'Unassigned') end as channel,
  numbered.utm_campaign as campaign,
  numbered.utm_source as source,
  numbered.utm_medium as medium,
  numbered.referrer_host as referrer,
  numbered.country,
  numbered.browser,
  numbered.os,
  numbered.platform,
  numbered.device_type,
  numbered.click_id_type
from orders
left join numbered on numbered.transaction_key = orders.transaction_key
