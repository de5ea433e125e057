{{ config(meta={'dagster': {'ref': {'name': 'campaign'}}}) }}
{# Nothing lost and nothing multiplied: spend, sessions, orders and revenue of the report are the inputs'. #}

with report as (
  select
    {{ money_sum('spend') }} as spend,
    coalesce(sum(sessions), 0) as sessions,
    coalesce({{ fraction_sum('conversions') }}, 0) as conversions,
    {{ money_sum('revenue') }} as revenue,
    count(*) as report_rows
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
      coalesce({{ fraction_sum('credit') }}, 0) as conversions,
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
  {# fraction_sum rounds each row of the report to nine digits. #}
  or abs(report.conversions - inputs.conversions) > 1.0e-6 + 1.0e-9 * report.report_rows
  or report.revenue <> inputs.revenue
