{{ config(materialized='table', tags=['attribution']) }}
{# The fingerprint covers the settings too: a new lookback or half-life recomputes everybody once. #}
{% set touch = [
  'session_key', 'session_started_at', 'is_direct', 'channel', 'utm_campaign', 'utm_source', 'utm_medium',
  'referrer_host', 'country', 'browser', 'os', 'platform', 'device_type', 'click_id_type'
] %}
{% set order = [
  'transaction_key', 'transaction_id', 'converted_at', 'session_key', 'revenue', 'currency', 'conversion_origin'
] %}
{% set setup = [
  var('attribution_lookback_days', 90), var('attribution_half_life_days', 7), var('attribution_position_weight', 0.4)
] | join('/') %}

with touches as (
  select
    global_user_id as person_key,
    count(*) as sessions,
    {{ rows_checksum(touch) }} as checksum
  from {{ ref('sessions') }}
  where not is_bot and global_user_id is not null
  group by global_user_id
),

orders as (
  select
    coalesce(conversions.global_user_id, 'transaction:' || conversions.transaction_key) as person_key,
    count(*) as conversions,
    {{ rows_checksum(order) }} as checksum
  from {{ ref('conversions') }} as conversions
  where not is_bot
  group by coalesce(conversions.global_user_id, 'transaction:' || conversions.transaction_key)
)

select
  coalesce(touches.person_key, orders.person_key) as person_key,
  coalesce(touches.sessions, 0) as sessions,
  coalesce(orders.conversions, 0) as conversions,
  '{{ setup }}|'
  || coalesce(cast(touches.sessions as varchar) || ':' || touches.checksum, '-') || '|'
  || coalesce(cast(orders.conversions as varchar) || ':' || orders.checksum, '-') as input_fingerprint
from touches
full outer join orders on orders.person_key = touches.person_key
