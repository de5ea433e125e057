{{ config(meta={'dagster': {'ref': {'name': 'sessions'}}}) }}
{# Events = events of all sessions = rows of unified_events that are online. #}
select kept.events, unified.online_events, visited.session_events
from (select count(*) as events from {{ ref('unique_events') }}) as kept
cross join (
    select count(*) as online_events from {{ ref('unified_events') }}
    where event_origin = 'online' and session_key is not null
) as unified
cross join (select coalesce(sum(events), 0) as session_events from {{ ref('sessions') }}) as visited
where kept.events <> unified.online_events or kept.events <> visited.session_events
