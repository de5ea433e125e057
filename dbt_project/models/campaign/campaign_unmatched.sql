{{ config(materialized='table', tags=['campaign']) }}

with totals as (
  select
    ad_platform,
    campaign_key,
    max(campaign) as campaign,
    currency,
    min(report_date) as first_date,
    max(report_date) as last_date,
    sum(clicks) as clicks,
    {{ money_sum('spend') }} as spend,
    sum(sessions) as sessions,
    sum(click_id_sessions) as click_id_sessions,
    {{ fraction_sum('conversions') }} as conversions,
    {{ money_sum('revenue') }} as revenue
  from {{ ref('campaign') }}
  where ad_platform <> '(none)'
  group by ad_platform, campaign_key, currency
),

seen as (
  select
    ad_platform,
    campaign_key,
    sum(sessions) as sessions
  from totals
  group by ad_platform, campaign_key
)

select
  case
    when directory.campaign_key is not null then 'spend_without_sessions'
    when totals.ad_platform = '(other)' then 'campaign_of_no_ad_platform'
    when totals.campaign_key = '(not set)' then 'click_id_without_campaign'
    else 'sessions_without_spend'
  end as reason,
  totals.ad_platform,
  totals.campaign_key,
  totals.campaign,
  totals.currency,
  totals.first_date,
  totals.last_date,
  cast(totals.clicks as bigint) as clicks,
  totals.spend,
  cast(totals.sessions as bigint) as sessions,
  cast(totals.click_id_sessions as bigint) as click_id_sessions,
  totals.conversions,
  totals.revenue
from totals
inner join seen on seen.ad_platform = totals.ad_platform and seen.campaign_key = totals.campaign_key
left join {{ ref('campaign_directory') }} as directory
  on directory.ad_platform = totals.ad_platform and directory.campaign_key = totals.campaign_key
where directory.campaign_key is null or seen.sessions = 0
