{{ config(materialized='table', tags=['attribution']) }}
{# The fingerprint covers the settings too: a new lookback or half-life recomputes everybody once. An order may be
placed in the session of another person: then it is a touch of the order, and no open journey of its own person. #}
{% set touch = [
  'session_key', 'session_started_at', 'is_direct', 'channel', 'utm_campaign', 'utm_source', 'utm_medium',
  'referrer_host', 'country', 'browser', 'os', 'platform', 'device_type', 'click_id_type'
] %}
{% set order = [
  'transaction_key', 'transaction_id', 'converted_at', 'session_key', 'revenue', 'currency', 'conversion_origin'
] %}
{% set placed = [] %}
{% for column in touch %}{% do placed.append('placed_' ~ column) %}{% endfor %}
{% set setup = [
  var('attribution_lookback_days', 90), var('attribution_half_life_days', 7), var('attribution_position_weight', 0.4)
] | join('/') %}

with placed as (
  select
    coalesce(conversions.global_user_id, 'transaction:' || conversions.transaction_key) as person_key,
    {% for column in touch -%}
    sessions.{{ column }} as placed_{{ column }},
    {% endfor -%}
    {% for column in order -%}
    conversions.{{ column }}{{ ',' if not loop.last }}
    {% endfor %}
  from {{ ref('conversions') }} as conversions
  left join {{ ref('sessions') }} as sessions
    on sessions.session_key = conversions.session_key and not sessions.is_bot
  where not conversions.is_bot
),

visits as (
  select
    sessions.*,
    converting.session_key is not null as is_converting
  from {{ ref('sessions') }} as sessions
  left join (
    select distinct session_key from placed where session_key is not null
  ) as converting on converting.session_key = sessions.session_key
  where not sessions.is_bot and sessions.global_user_id is not null
),

touches as (
  select
    global_user_id as person_key,
    count(*) as sessions,
    {{ rows_checksum(touch + ['is_converting']) }} as checksum
  from visits
  group by global_user_id
),

orders as (
  select
    person_key,
    count(*) as conversions,
    {{ rows_checksum(order + placed) }} as checksum
  from placed
  group by person_key
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
