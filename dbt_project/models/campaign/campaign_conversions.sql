{{ config(materialized='table', tags=['campaign']) }}

with first_orders as (
  select global_user_id, transaction_key
  from (
    select
      global_user_id,
      transaction_key,
      row_number() over (partition by global_user_id order by converted_at, transaction_key) as order_number
    from {{ ref('conversions') }}
    where not is_bot and global_user_id is not null
  ) as ordered
  where order_number = 1
)

select
  attribution.transaction_key,
  attribution.touch_number,
  attribution.session_key,
  attribution.converted_at,
  {{ local_date(
    'attribution.converted_at', "coalesce(visits.account_time_zone, '" ~ var('report_time_zone', 'UTC') ~ "')"
  ) }} as conversion_date,
  coalesce(visits.ad_platform, '(none)') as ad_platform,
  coalesce(visits.campaign_key, case when attribution.touch_number = 0 then '(no touch)' else '(none)' end)
    as campaign_key,
  coalesce(attribution.currency, '(not set)') as currency,
  first_orders.transaction_key is not null as is_new_customer,
  attribution.credit,
  attribution.attributed_revenue
from {{ ref('attribution') }} as attribution
left join {{ ref('campaign_sessions') }} as visits on visits.session_key = attribution.session_key
left join first_orders
  on first_orders.transaction_key = attribution.transaction_key
  and first_orders.global_user_id = attribution.global_user_id
where attribution.model = '{{ var("campaign_attribution_model", "last_touch") }}'
