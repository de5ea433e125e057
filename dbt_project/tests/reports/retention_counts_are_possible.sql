{{ config(meta={'dagster': {'ref': {'name': 'retention'}}}) }}
{# Nobody returns who is not in the cohort, and whoever returned in a period returned in it or later. #}

select
  granularity,
  population,
  breakdown,
  breakdown_value,
  cohort_start,
  period_number,
  max(cohort_size) as cohort_size,
  max(case when mode = 'bounded' then retained end) as bounded,
  max(case when mode = 'unbounded' then retained end) as unbounded
from {{ ref('retention') }}
group by granularity, population, breakdown, breakdown_value, cohort_start, period_number
having
  max(retained) > max(cohort_size)
  or min(retained) < 0
  or count(*) <> 2
  or max(case when mode = 'bounded' then retained end) > max(case when mode = 'unbounded' then retained end)
