{{ config(materialized='incremental', incremental_strategy='append', pre_hook="{{ forget_completed_builds() }}") }}
{% if keeps_rows() %}
with changed_hours as (select arrival_hour from {{ ref('changed_hours') }}),

{# What arrives in the changed hours, and what an earlier build took from them. #}
direct as (
    select arriving.event_id, {{ sdk_session_key('arriving') }} as sdk_session_key
    from {{ source('lake', 'core_events') }} as arriving
    where arriving.arrival_hour in (select arrival_hour from changed_hours)
    union all
    select event_id, sdk_session_key from {{ earlier('unique_events') }}
    where arrival_hour in (select arrival_hour from changed_hours)
    union all
    select event_id, sdk_session_key from {{ earlier('duplicate_events') }}
    where arrival_hour in (select arrival_hour from changed_hours)
),

{# Events without a user id get it from their SDK session, so a change anywhere in the session touches them. #}
touched as (
    select event_id from direct
    union
    select event_id from {{ earlier('unique_events') }}
    where user_id is null
        and sdk_session_key in (select sdk_session_key from direct where sdk_session_key is not null)
)

select
    {{ current_build() }} as build_number,
    touched.event_id,
    previous.visitor_key as previous_visitor_key
from touched
left join {{ earlier('unique_events') }} as previous on previous.event_id = touched.event_id
{% else %}
select
    {{ current_build() }} as build_number,
    cast(null as varchar) as event_id,
    cast(null as varchar) as previous_visitor_key
from {{ ref('changed_hours') }}
where 1 = 0
{% endif %}
