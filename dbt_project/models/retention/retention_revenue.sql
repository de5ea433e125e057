{{ config(materialized='table', tags=['retention']) }}
{% set zone = "'" ~ var('retention_time_zone', 'UTC') ~ "'" %}

with payments as (
  select
    orders.global_user_id,
    {{ local_date(until_receipt('orders.converted_at', 'told.received_at'), zone) }} as payment_date,
    coalesce(orders.currency, '(not set)') as currency,
    orders.revenue as amount
  from {{ ref('conversions') }} as orders
  left join {{ ref('unified_events') }} as told
    on told.event_key = orders.online_event_key
    and told.event_origin = 'online'
  where not orders.is_bot and orders.global_user_id is not null

  union all

  select
    global_user_id,
    {{ local_date('occurred_at', zone) }} as payment_date,
    coalesce(currency, '(not set)') as currency,
    -refunded as amount
  from ({{ refunds_by_person() }}) as refunds
),

bucketed as (
  {% for granularity in retention_periods() %}
  select
    '{{ granularity }}' as granularity,
    global_user_id,
    currency,
    {{ period_index(granularity, period_start(granularity, 'payment_date')) }} as period_index,
    sum(amount) as amount
  from payments
  group by global_user_id, currency, {{ period_index(granularity, period_start(granularity, 'payment_date')) }}
  {% if not loop.last %}union all{% endif %}
  {% endfor %}
),

members as (
  {{ cohort_members() }}
),

cohorts as (
  {{ sized_cohorts('members') }}
),

reached as (
  {{ reached_periods('cohorts') }}
),

sums as (
  select
    members.granularity,
    members.population,
    members.cohort_index,
    bucketed.currency,
    bucketed.period_index - members.cohort_index as period_number,
    count(distinct members.global_user_id) as paying_people,
    sum(bucketed.amount) as revenue
  from members
  inner join bucketed
    on bucketed.granularity = members.granularity
    and bucketed.global_user_id = members.global_user_id
    and bucketed.period_index >= members.cohort_index
  group by
    members.granularity,
    members.population,
    members.cohort_index,
    bucketed.currency,
    bucketed.period_index - members.cohort_index
),

cells as (
  select
    reached.*,
    currencies.currency
  from reached
  inner join (
    select distinct {{ cohort_key() | join(', ') }}, currency from sums
  ) as currencies on {{ same_cohort('currencies', 'reached') }}
),

filled as (
  select
    cells.*,
    coalesce(sums.paying_people, 0) as paying_people,
    cast(coalesce(sums.revenue, 0) as {{ money_sum_type() }}) as revenue
  from cells
  left join sums
    on {{ same_cohort('sums', 'cells') }}
    and sums.currency = cells.currency
    and sums.period_number = cells.period_number
)

select
  granularity,
  cohort_start,
  period_number,
  population,
  currency,
  cohort_size,
  paying_people,
  revenue,
  cast(
    sum(revenue) over (
      partition by granularity, population, cohort_start, currency
      order by period_number
      rows between unbounded preceding and current row
    ) as {{ money_sum_type() }}
  ) as cumulative_revenue,
  {{ ratio(
    'revenue',
    'max(case when period_number = 0 then revenue end)'
    ~ ' over (partition by granularity, population, cohort_start, currency)'
  ) }} as revenue_rate,
  {{ is_complete_period() }} as is_complete
from filled
