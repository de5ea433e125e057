{{ config(materialized='incremental', incremental_strategy='append',
          pre_hook="{{ delete_touched([('visitor_key', 'select visitor_key from ' ~ ref('touched_visitors'))]) }}") }}
-- depends_on: {{ ref('touched_visitors') }}
with events as (
    select
        event_id, visitor_key, occurred_at, received_at,
        lag(occurred_at) over (partition by visitor_key order by {{ event_order() }}) as previous_at
    from {{ ref('unique_events') }}
    {{ only_touched('visitor_key', 'select visitor_key from ' ~ ref('touched_visitors')) }}
),

{# A stretch: events of one visitor without a pause. A new SDK session id alone does not end it: the SDK gives one
   at every return from another host, in the middle of a visit. #}
stretches as (
    select
        *,
        sum(
            case
                when previous_at is null
                    or occurred_at > previous_at + interval '{{ var("session_timeout_minutes") }}' minute then 1
                else 0
            end
        ) over (partition by visitor_key order by {{ event_order() }} rows unbounded preceding) as stretch
    from events
),

timed as (
    select *, min(occurred_at) over (partition by visitor_key, stretch) as stretch_start
    from stretches
),

parts as (
    select
        *,
        cast(floor({{ seconds_between('stretch_start', 'occurred_at') }} / ({{ var('session_cap_hours') }} * 3600.0e0)) as bigint) as part
    from timed
)

select
    event_id,
    visitor_key,
    {{ hash_text("visitor_key || '|' || first_value(event_id) over (partition by visitor_key, stretch, part order by " ~ event_order() ~ ")") }} as session_key,
    cast(row_number() over (partition by visitor_key, stretch, part order by {{ event_order() }}) as bigint) as session_event_index,
    case
        when row_number() over (partition by visitor_key, stretch, part order by {{ event_order() }}) > 1
            then {{ seconds_between('previous_at', 'occurred_at') }}
    end as seconds_since_previous,
    max(part) over (partition by visitor_key, stretch) > 0 as is_capped
from parts
