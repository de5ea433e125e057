{{ config(materialized='table', tags=['retention']) }}
{% set zone = "'" ~ var('retention_time_zone', 'UTC') ~ "'" %}
{% set moment = until_receipt('occurred_at', 'received_at') %}
{% set start = var('retention_start_event', '') %}
{% set back = var('retention_return_event', '') %}

with newest_arrival as (
  select max(arrived_at) as arrived_at
  from (
    select max(received_at) as arrived_at from {{ ref('unified_events') }}
    union all
    select loaded_at as arrived_at from {{ ref('newest_load') }}
  ) as arrivals
)

{# What an offline source dates later than anything arrived or was loaded has not happened yet. #}
select
  global_user_id,
  {{ local_date(moment, zone) }} as activity_date,
  count({% if start %}case when event_name = '{{ start }}' then 1 end{% else %}*{% endif %}) as start_events,
  count({% if back %}case when event_name = '{{ back }}' then 1 end{% else %}*{% endif %}) as return_events
from {{ ref('unified_events') }}
cross join newest_arrival
where
  not is_bot and global_user_id is not null and occurred_at is not null
  and coalesce({{ moment }} <= newest_arrival.arrived_at, true)
group by global_user_id, {{ local_date(moment, zone) }}
