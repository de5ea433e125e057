{{ config(meta={'dagster': {'ref': {'name': 'campaign'}}}) }}
{# Nothing lost and nothing multiplied: spend, sessions, orders and revenue of the report are the inputs'. #}

with report as (
  select
    {{ money_sum('spend') }} as spend,
    coalesce(sum(sessions), 0) as sessions,
    coalesce(sum(conversions), 0) as conversions,
    {{ money_sum('revenue') }} as revenue
  from {{ ref('campaign') }}
),

inputs as (
  select
    spent.spend,
    visits.sessions,
    orders.conversions,
    orders.revenue
  from (select {{ money_sum('spend') }} as spend from {{ ref('campaign_spend') }}) as spent
  cross join (select count(*) as sessions from {{ ref('campaign_sessions') }}) as visits
  cross join (
    select
      coalesce(sum(credit), 0) as conversions,
      {{ money_sum('attributed_revenue') }} as revenue
    from {{ ref('campaign_conversions') }}
  ) as orders
)

select
  report.spend as report_spend,
  inputs.spend,
  report.sessions as report_sessions,
  inputs.sessions,
  report.conversions as report_conversions,
  inputs.conversions,
  report.revenue as report_revenue,
  inputs.revenue
from report
cross join inputs
where
  report.spend <> inputs.spend
  or report.sessions <> inputs.sessions
  or abs(report.conversions - inputs.conversions) > 0.000001
  or report.revenue <> inputs.revenue
