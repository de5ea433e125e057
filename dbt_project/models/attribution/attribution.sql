{{ config(
  materialized='incremental',
  incremental_strategy='append',
  pre_hook="{{ delete_changed_people(ref('attribution_people')) }}",
  tags=['attribution']
) }}

with touches as (
  select
    touches.*,
    touches.transaction_key as conversion_key
  from {{ ref('attribution_touches') }} as touches
  {% if is_incremental() %}
  inner join (
    select people.person_key
    from {{ ref('attribution_people') }} as people
    where people.conversions > 0 and {{ is_changed_person() }}
  ) as changed on changed.person_key = touches.person_key
  {% endif %}
),

real_touches as (
  select * from touches where touch_number > 0
),

credits as (
  {{ rule_model_credits('real_touches') }}

  union all

  select
    touches.conversion_key,
    touches.touch_number,
    models.model,
    1.0e0 as credit
  from touches
  cross join ({{ rule_models() }}) as models
  where touches.touch_number = 0
)

select
  touches.person_key,
  touches.input_fingerprint,
  touches.transaction_key,
  touches.transaction_id,
  touches.global_user_id,
  touches.converted_at,
  {{ utc_date('touches.converted_at') }} as conversion_date,
  touches.conversion_origin,
  touches.revenue,
  touches.currency,
  credits.model,
  touches.touch_number,
  touches.touch_count,
  touches.session_key,
  touches.touched_at,
  touches.seconds_before_conversion,
  touches.is_converting_session,
  touches.channel,
  touches.campaign,
  touches.source,
  touches.medium,
  touches.referrer,
  touches.country,
  touches.browser,
  touches.os,
  touches.platform,
  touches.device_type,
  touches.click_id_type,
  credits.credit,
  {{ split_money(
    'touches.revenue', 'credits.credit', 'touches.transaction_key, credits.model', 'touches.touch_number'
  ) }} as attributed_revenue
from touches
inner join credits
  on credits.conversion_key = touches.conversion_key and credits.touch_number = touches.touch_number
