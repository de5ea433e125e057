{{ config(meta={'dagster': {'ref': {'name': 'conversion_paths'}}}) }}
{# One journey an order; a visit that no order's journey holds is in exactly one open journey. #}

select
  journeys.orders as journeys_with_order,
  people.orders,
  journeys.open_touches,
  touched.visits as visits_before_orders,
  people.visits
from (
  select
    count_if(is_converted) as orders,
    coalesce(sum(case when not is_converted then touch_count end), 0) as open_touches
  from {{ ref('conversion_paths') }}
) as journeys
cross join (
  select
    coalesce(sum(conversions), 0) as orders,
    coalesce(sum(sessions), 0) as visits
  from {{ ref('attribution_people') }}
) as people
cross join (
  select count(distinct session_key) as visits from {{ ref('attribution_touches') }}
) as touched
where journeys.orders <> people.orders or journeys.open_touches + touched.visits <> people.visits
