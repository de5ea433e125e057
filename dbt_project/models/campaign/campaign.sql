{{ config(materialized='table', tags=['campaign']) }}
{# Spend, sessions and conversions are each summed to the grain before they meet, and meet as rows of one
union: a full outer join that cannot multiply rows. #}

with main_currency as (
  select max(currency) as currency
  from (
    select
      currency,
      row_number() over (order by count(*) desc, currency) as place
    from {{ ref('campaign_conversions') }}
    group by currency
  ) as ranked
  where place = 1
),

campaign_currency as (
  select
    ad_platform,
    campaign_key,
    max(currency) as currency
  from (
    select
      ad_platform,
      campaign_key,
      currency,
      row_number() over (partition by ad_platform, campaign_key order by {{ fraction_sum('credit') }} desc, currency) as place
    from {{ ref('campaign_conversions') }}
    group by ad_platform, campaign_key, currency
  ) as ranked
  where place = 1
  group by ad_platform, campaign_key
),

spend as (
  select
    spend_date as report_date,
    ad_platform,
    campaign_key,
    currency,
    sum(impressions) as impressions,
    sum(clicks) as clicks,
    sum(spend) as spend,
    {{ fraction_sum('platform_conversions') }} as platform_conversions,
    sum(platform_conversion_value) as platform_conversion_value
  from {{ ref('campaign_spend') }}
  group by spend_date, ad_platform, campaign_key, currency
),

visits as (
  select
    session_date as report_date,
    ad_platform,
    campaign_key,
    max(campaign) as campaign,
    count(*) as sessions,
    count_if(has_click_id) as click_id_sessions,
    count(distinct global_user_id) as users,
    count(distinct case when is_first_session then global_user_id end) as new_users
  from {{ ref('campaign_sessions') }}
  group by session_date, ad_platform, campaign_key
),

orders as (
  select
    conversion_date as report_date,
    ad_platform,
    campaign_key,
    currency,
    {{ fraction_sum('credit') }} as conversions,
    {{ fraction_sum('case when is_new_customer then credit else 0 end') }} as new_customers,
    sum(attributed_revenue) as revenue
  from {{ ref('campaign_conversions') }}
  group by conversion_date, ad_platform, campaign_key, currency
),

met as (
  select
    report_date, ad_platform, campaign_key, currency, cast(null as varchar) as campaign,
    impressions, clicks, spend, platform_conversions, platform_conversion_value,
    0 as sessions, 0 as click_id_sessions, 0 as users, 0 as new_users,
    0.0e0 as conversions, 0.0e0 as new_customers, 0 as revenue
  from spend

  union all

  {# Sessions have no currency: they stand on the row of their campaign's main currency, once. #}
  select
    visits.report_date, visits.ad_platform, visits.campaign_key,
    coalesce(directory.currency, campaign_currency.currency, main_currency.currency, '(not set)') as currency,
    visits.campaign,
    0 as impressions, 0 as clicks, 0 as spend, 0 as platform_conversions, 0 as platform_conversion_value,
    visits.sessions, visits.click_id_sessions, visits.users, visits.new_users,
    0.0e0 as conversions, 0.0e0 as new_customers, 0 as revenue
  from visits
  cross join main_currency
  left join {{ ref('campaign_directory') }} as directory
    on directory.ad_platform = visits.ad_platform and directory.campaign_key = visits.campaign_key
  left join campaign_currency
    on campaign_currency.ad_platform = visits.ad_platform
    and campaign_currency.campaign_key = visits.campaign_key

  union all

  select
    report_date, ad_platform, campaign_key, currency, cast(null as varchar) as campaign,
    0 as impressions, 0 as clicks, 0 as spend, 0 as platform_conversions, 0 as platform_conversion_value,
    0 as sessions, 0 as click_id_sessions, 0 as users, 0 as new_users,
    conversions, new_customers, revenue
  from orders
),

summed as (
  select
    report_date,
    ad_platform,
    campaign_key,
    currency,
    max(campaign) as campaign,
    sum(impressions) as impressions,
    sum(clicks) as clicks,
    {{ money_sum('spend') }} as spend,
    {{ fraction_sum('platform_conversions') }} as platform_conversions,
    {{ money_sum('platform_conversion_value') }} as platform_conversion_value,
    sum(sessions) as sessions,
    sum(click_id_sessions) as click_id_sessions,
    sum(users) as users,
    sum(new_users) as new_users,
    {{ fraction_sum('conversions') }} as conversions,
    {{ fraction_sum('new_customers') }} as new_customers,
    {{ money_sum('revenue') }} as revenue
  from met
  group by report_date, ad_platform, campaign_key, currency
)

select
  summed.report_date,
  summed.ad_platform,
  summed.campaign_key,
  coalesce(directory.campaign_name, summed.campaign, summed.campaign_key) as campaign,
  summed.currency,
  coalesce(directory.account_time_zone, '{{ var("report_time_zone", "UTC") }}') as account_time_zone,
  '{{ var("campaign_attribution_model", "last_touch") }}' as attribution_model,
  cast(summed.impressions as bigint) as impressions,
  cast(summed.clicks as bigint) as clicks,
  summed.spend,
  cast(summed.sessions as bigint) as sessions,
  cast(summed.users as bigint) as users,
  cast(summed.new_users as bigint) as new_users,
  cast(summed.users - summed.new_users as bigint) as returning_users,
  summed.conversions,
  summed.new_customers,
  summed.revenue,
  cast(summed.platform_conversions as double) as platform_conversions,
  summed.platform_conversion_value,
  cast(summed.click_id_sessions as bigint) as click_id_sessions,
  {{ ratio('summed.click_id_sessions', 'summed.clicks') }} as click_id_match_rate,
  {{ ratio('summed.spend', 'summed.clicks') }} as cpc,
  {{ ratio('summed.spend', 'summed.conversions') }} as cpa,
  {{ ratio('summed.spend', 'summed.new_customers') }} as cac,
  {{ ratio('summed.revenue', 'summed.spend') }} as roas
from summed
left join {{ ref('campaign_directory') }} as directory
  on directory.ad_platform = summed.ad_platform and directory.campaign_key = summed.campaign_key
