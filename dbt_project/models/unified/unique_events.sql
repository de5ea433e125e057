{{ config(materialized='incremental', incremental_strategy='append',
          pre_hook="{{ delete_touched([('event_id', 'select event_id from ' ~ ref('touched_events'))]) }}") }}
with deliveries as (
    select
        events.*,
        {{ known_id('events.user_id') }} as known_user_id,
        row_number() over (partition by event_id order by {{ delivery_order() }}) as delivery,
        count(*) over (partition by event_id) as deliveries
    from {{ ref('stg_core_events') }} as events
    {{ only_touched('events.event_id', 'select event_id from ' ~ ref('touched_events')) }}
),

first_arrivals as (select * from deliveries where delivery = 1),

{# The first requests of a new browser carry no user id, and those of a broken site junk (`undefined`); the rest of
   their SDK session tells it, when it is one. #}
session_users as (
    select sdk_session_key, min(user_id) as user_id
    from {{ ref('stg_core_events') }}
    where {{ known_id('user_id') }} is not null
        and sdk_session_key in (select sdk_session_key from first_arrivals where known_user_id is null)
    group by sdk_session_key
    having count(distinct user_id) = 1
)

select
    {% for column in core_event_columns() -%}
    events.{{ 'known_user_id as user_id' if column == 'user_id' else column }},
    {% endfor -%}
    case
        when events.known_user_id is not null then 'user:' || events.known_user_id
        when session_users.user_id is not null then 'user:' || session_users.user_id
        when events.sdk_session_key is not null then 'sdk_session:' || events.sdk_session_key
        else 'event:' || events.event_id
    end as visitor_key,
    coalesce(events.known_user_id, session_users.user_id) as visitor_user_id,
    events.sdk_session_key,
    case
        when events.event_datetime is null or coalesce(events.is_clock_skewed, false) then events.received_at
        else events.event_datetime
    end as occurred_at,
    cast(events.deliveries as bigint) as deliveries
from first_arrivals as events
left join session_users
    on events.known_user_id is null and session_users.sdk_session_key = events.sdk_session_key
