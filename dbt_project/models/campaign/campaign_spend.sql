{{ config(materialized='table', tags=['campaign']) }}
{# The loader may deliver a day again (platforms restate spend for weeks): the newest load of a day wins. #}

with ranked as (
  select
    ad_spend.*,
    dense_rank() over (
      partition by source_name, ad_platform, account_id, date, coalesce(campaign_id, campaign_name)
      order by etl_run_datetime desc nulls last
    ) as load_rank
  from {{ source('lake', 'ad_spend') }} as ad_spend
),

loads as (
  select distinct
    date,
    source_name,
    ad_platform,
    account_id,
    account_time_zone,
    campaign_id,
    campaign_name,
    utm_source,
    utm_medium,
    utm_campaign,
    impressions,
    clicks,
    spend,
    currency,
    platform_conversions,
    platform_conversion_value
  from ranked
  where load_rank = 1
)

select
  date as spend_date,
  source_name,
  coalesce(lower(ad_platform), '(not set)') as ad_platform,
  account_id,
  coalesce({{ known_time_zone('account_time_zone') }}, '{{ var("report_time_zone", "UTC") }}') as account_time_zone,
  campaign_id,
  coalesce(campaign_name, utm_campaign, campaign_id, '(not set)') as campaign_name,
  utm_source,
  utm_campaign,
  coalesce(
    {{ campaign_key('utm_campaign') }}, {{ campaign_key('campaign_name') }}, {{ campaign_key('campaign_id') }}, '(not set)'
  ) as campaign_key,
  coalesce(upper(nullif(trim(currency), '')), '(not set)') as currency,
  coalesce(impressions, 0) as impressions,
  coalesce(clicks, 0) as clicks,
  coalesce(spend, 0) as spend,
  coalesce(platform_conversions, 0) as platform_conversions,
  coalesce(platform_conversion_value, 0) as platform_conversion_value
from loads
