{{ config(
  materialized='incremental',
  incremental_strategy='append',
  pre_hook="{{ delete_changed_people(ref('attribution_people')) }}",
  tags=['attribution']
) }}

with people as (
  select
    person_key,
    input_fingerprint
  from {{ ref('attribution_people') }} as people
  where {{ is_changed_person() }}
),

touches as (
  select touches.*
  from {{ ref('attribution_touches') }} as touches
  inner join people on people.person_key = touches.person_key
),

converted as (
  select
    'conversion:' || transaction_key as journey_key,
    max(person_key) as person_key,
    max(global_user_id) as global_user_id,
    max(transaction_key) as transaction_key,
    true as is_converted,
    max(touch_count) as touch_count,
    array_agg(channel order by touch_number) filter (where touch_number > 0) as channel_path,
    array_agg(coalesce(campaign, '(not set)') order by touch_number)
      filter (where touch_number > 0) as campaign_path,
    min(touched_at) as first_touched_at,
    max(touched_at) as last_touched_at,
    max(converted_at) as converted_at,
    max(revenue) as revenue,
    max(currency) as currency
  from touches
  group by transaction_key
),

visits as (
  select
    people.person_key,
    sessions.*
  from {{ ref('sessions') }} as sessions
  inner join people on people.person_key = sessions.global_user_id
  left join (
    select session_key from touches where session_key is not null
    union
    select session_key from {{ ref('conversions') }} where not is_bot and session_key is not null
  ) as used on used.session_key = sessions.session_key
  where not sessions.is_bot and used.session_key is null
),

spaced as (
  select
    visits.*,
    lag(session_started_at) over (
      partition by person_key
      order by session_started_at, session_key
    ) as previous_started_at
  from visits
),

started as (
  select
    spaced.*,
    previous_started_at is null
    or session_started_at
      > previous_started_at + interval '{{ var("attribution_lookback_days", 90) }}' day as starts_journey
  from spaced
),

chained as (
  select
    started.*,
    count_if(starts_journey) over (
      partition by person_key
      order by session_started_at, session_key
      rows between unbounded preceding and current row
    ) as journey_number
  from started
),

unconverted as (
  select
    'open:' || min(case when starts_journey then session_key end) as journey_key,
    person_key,
    max(global_user_id) as global_user_id,
    cast(null as varchar) as transaction_key,
    false as is_converted,
    count(*) as touch_count,
    array_agg(coalesce(channel, 'Unassigned') order by session_started_at, session_key) as channel_path,
    array_agg(coalesce(utm_campaign, '(not set)') order by session_started_at, session_key) as campaign_path,
    min(session_started_at) as first_touched_at,
    max(session_started_at) as last_touched_at,
    cast(null as {{ timestamp_type() }}) as converted_at,
    cast(null as {{ money_type() }}) as revenue,
    cast(null as varchar) as currency
  from chained
  group by person_key, journey_number
),

journeys as (
  select * from converted
  union all
  select * from unconverted
)

select
  journeys.journey_key,
  journeys.person_key,
  people.input_fingerprint,
  journeys.global_user_id,
  journeys.transaction_key,
  journeys.is_converted,
  journeys.touch_count,
  {{ path_text('journeys.channel_path') }} as path,
  journeys.channel_path,
  journeys.campaign_path,
  journeys.first_touched_at,
  journeys.last_touched_at,
  journeys.converted_at,
  journeys.revenue,
  journeys.currency
from journeys
inner join people on people.person_key = journeys.person_key
