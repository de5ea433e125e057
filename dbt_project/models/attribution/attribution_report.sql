{{ config(materialized='view', tags=['attribution']) }}

select
  conversion_date,
  model,
  channel,
  campaign,
  source,
  medium,
  referrer,
  country,
  browser,
  os,
  platform,
  currency,
  {{ fraction_sum('credit') }} as conversions,
  {{ money_sum('attributed_revenue') }} as attributed_revenue,
  count(distinct transaction_key) as assisted_conversions,
  count(distinct global_user_id) as users
from {{ ref('attribution') }}
group by
  conversion_date, model, channel, campaign, source, medium, referrer, country, browser, os, platform, currency
