{{ config(materialized='view', tags=['retention']) }}

select
  case population when 'new_users' then 'New users only' else 'Everyone' end as chart,
  granularity,
  mode,
  breakdown,
  breakdown_value,
  cohort_start,
  period_number,
  cohort_size,
  retained,
  rate,
  case when is_complete then rate end as complete_rate,
  is_complete
from {{ ref('retention') }}
