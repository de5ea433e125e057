{{ config(materialized='table', tags=['campaign']) }}

with by_account as (
  select
    ad_platform,
    campaign_key,
    currency,
    account_time_zone,
    max(campaign_name) as campaign_name,
    min(spend_date) as first_spend_date,
    max(spend_date) as last_spend_date,
    sum(spend) as spend
  from {{ ref('campaign_spend') }}
  group by ad_platform, campaign_key, currency, account_time_zone
),

ranked as (
  select
    by_account.*,
    row_number() over (
      partition by ad_platform, campaign_key
      order by spend desc, currency, account_time_zone
    ) as place
  from by_account
)

select
  ad_platform,
  campaign_key,
  max(case when place = 1 then campaign_name end) as campaign_name,
  max(case when place = 1 then currency end) as currency,
  max(case when place = 1 then account_time_zone end) as account_time_zone,
  count(distinct currency) as currencies,
  count(distinct account_time_zone) as account_time_zones,
  min(first_spend_date) as first_spend_date,
  max(last_spend_date) as last_spend_date
from ranked
group by ad_platform, campaign_key
