{{ config(materialized='table', tags=['retention']) }}
{% set kept = var('retention_breakdown_granularities', ['week', 'month']) %}
{% set divided_by = ['breakdown', 'breakdown_value'] %}
{% set key = cohort_key(divided_by) %}

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
  {{ sized_cohorts('broken_down', divided_by) }}
),

cells as (
  {{ reached_periods('cohorts') }}
),

in_period as (
  select
    {% for column in key %}broken_down.{{ column }}, {% endfor %}
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
    {% for column in key %}broken_down.{{ column }}, {% endfor %}
    periods.period_index - broken_down.cohort_index
),

last_returns as (
  select
    {{ key | join(', ') }},
    last_return_index - cohort_index as last_period_number,
    count(*) as people
  from broken_down
  where last_return_index >= cohort_index
  group by {{ key | join(', ') }}, last_return_index - cohort_index
),

in_period_or_later as (
  select
    {% for column in key %}cells.{{ column }}, {% endfor %}
    cells.period_number,
    cast(sum(last_returns.people) as bigint) as retained
  from cells
  inner join last_returns
    on {{ same_cohort('last_returns', 'cells', divided_by) }}
    and last_returns.last_period_number >= cells.period_number
  group by
    {% for column in key %}cells.{{ column }}, {% endfor %}
    cells.period_number
),

counted as (
  {% for mode, returns in {'bounded': 'in_period', 'unbounded': 'in_period_or_later'}.items() %}
  select
    cells.*,
    '{{ mode }}' as mode,
    coalesce({{ returns }}.retained, 0) as retained
  from cells
  left join {{ returns }}
    on {{ same_cohort(returns, 'cells', divided_by) }}
    and {{ returns }}.period_number = cells.period_number
  {% if not loop.last %}union all{% endif %}
  {% endfor %}
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
  {{ is_complete_period() }} as is_complete
from counted
