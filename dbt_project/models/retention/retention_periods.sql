{{ config(materialized='table', tags=['retention']) }}
{% set enough = var('retention_minimum_occurrences', 1) %}

with bucketed as (
  {% for granularity in retention_periods() %}
  select
    '{{ granularity }}' as granularity,
    global_user_id,
    {{ period_start(granularity, 'activity_date') }} as period_start,
    sum(start_events) as start_events,
    sum(return_events) as return_events
  from {{ ref('retention_activity') }}
  group by global_user_id, {{ period_start(granularity, 'activity_date') }}
  {% if not loop.last %}union all{% endif %}
  {% endfor %}
),

indexed as (
  select
    granularity,
    global_user_id,
    period_start,
    case granularity
      {% for granularity in retention_periods() %}
      when '{{ granularity }}' then {{ period_index(granularity, 'period_start') }}
      {% endfor %}
    end as period_index,
    start_events > 0 as has_start,
    return_events >= {{ enough }} as has_return
  from bucketed
)

select
  granularity,
  global_user_id,
  period_start,
  period_index,
  has_start,
  has_return,
  has_start and period_index = min(case when has_start then period_index end)
    over (partition by granularity, global_user_id) as is_first_start,
  max(case when has_return then period_index end)
    over (partition by granularity, global_user_id) as last_return_index,
  max(period_index) over (partition by granularity) as newest_index
from indexed
