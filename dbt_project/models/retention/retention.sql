{{ config(materialized='table', tags=['retention']) }}
{% set kept = var('retention_breakdown_granularities', ['week', 'month']) %}

with members as (
  {{ cohort_members() }}
),

broken_down as (
  select
    members.*,
    'all' as breakdown,
    '(all)' as breakdown_value
  from members
  {% if kept %}
  {% for breakdown in breakdown_columns() %}
  union all
  select
    members.*,
    '{{ breakdown }}' as breakdown,
    people.{{ breakdown }} as breakdown_value
  from members
  inner join {{ ref('retention_people') }} as people on people.global_user_id = members.global_user_id
  where members.granularity in ({{ literals(kept) }})
  {% endfor %}
  {% endif %}
),

cohorts as (
  select
    granularity,
    population,
    breakdown,
    breakdown_value,
    cohort_start,
    cohort_index,
    max(newest_index) as newest_index,
    count(*) as cohort_size
  from broken_down
  group by granularity, population, breakdown, breakdown_value, cohort_start, cohort_index
),

cells as (
  select
    cohorts.*,
    followed.period_number
  from cohorts
  inner join ({{ followed_periods() }}) as followed
    on followed.granularity = cohorts.granularity
    and cohorts.cohort_index + followed.period_number <= cohorts.newest_index
),

in_period as (
  select
    broken_down.granularity,
    broken_down.population,
    broken_down.breakdown,
    broken_down.breakdown_value,
    broken_down.cohort_index,
    periods.period_index - broken_down.cohort_index as period_number,
    count(*) as retained
  from broken_down
  inner join {{ ref('retention_periods') }} as periods
    on periods.granularity = broken_down.granularity
    and periods.global_user_id = broken_down.global_user_id
  inner join (
    select granularity, max(period_number) as most from ({{ followed_periods() }}) as followed group by granularity
  ) as reach on reach.granularity = broken_down.granularity
  where
    periods.has_return
    and periods.period_index between broken_down.cohort_index and broken_down.cohort_index + reach.most
  group by
    broken_down.granularity,
    broken_down.population,
    broken_down.breakdown,
    broken_down.breakdown_value,
    broken_down.cohort_index,
    periods.period_index - broken_down.cohort_index
),

last_returns as (
  select
    granularity,
    population,
    breakdown,
    breakdown_value,
    cohort_index,
    last_return_index - cohort_index as last_period_number,
    count(*) as people
  from broken_down
  where last_return_index >= cohort_index
  group by
    granularity, population, breakdown, breakdown_value, cohort_index, last_return_index - cohort_index
),

counted as (
  select
    cells.*,
    'bounded' as mode,
    coalesce(in_period.retained, 0) as retained
  from cells
  left join in_period
    on in_period.granularity = cells.granularity
    and in_period.population = cells.population
    and in_period.breakdown = cells.breakdown
    and in_period.breakdown_value = cells.breakdown_value
    and in_period.cohort_index = cells.cohort_index
    and in_period.period_number = cells.period_number

  union all

  select
    cells.granularity,
    cells.population,
    cells.breakdown,
    cells.breakdown_value,
    cells.cohort_start,
    cells.cohort_index,
    cells.newest_index,
    cells.cohort_size,
    cells.period_number,
    'unbounded' as mode,
    cast(coalesce(sum(last_returns.people), 0) as bigint) as retained
  from cells
  left join last_returns
    on last_returns.granularity = cells.granularity
    and last_returns.population = cells.population
    and last_returns.breakdown = cells.breakdown
    and last_returns.breakdown_value = cells.breakdown_value
    and last_returns.cohort_index = cells.cohort_index
    and last_returns.last_period_number >= cells.period_number
  group by
    cells.granularity,
    cells.population,
    cells.breakdown,
    cells.breakdown_value,
    cells.cohort_start,
    cells.cohort_index,
    cells.newest_index,
    cells.cohort_size,
    cells.period_number
)

select
  granularity,
  cohort_start,
  period_number,
  population,
  mode,
  breakdown,
  breakdown_value,
  cohort_size,
  retained,
  {{ ratio('retained', 'cohort_size') }} as rate,
  cohort_index + period_number < newest_index as is_complete
from counted
