{# On DuckDB a table of its own, because the lake view of an incremental run holds the changed hours only; on
   Trino and Athena a view: there the Iceberg table itself is the source. #}
{{ config(materialized='incremental' if target.type == 'duckdb' else 'view',
          incremental_strategy='append' if target.type == 'duckdb' else none,
          pre_hook="{{ delete_touched([('arrival_hour', 'select arrival_hour from ' ~ ref('changed_hours'))]) }}") }}
-- depends_on: {{ ref('touched_events') }}
select
    events.*,
    {{ sdk_session_key('events') }} as sdk_session_key
from {{ source('lake', 'core_events') }} as events
where events.arrival_hour in (select hours.arrival_hour from {{ source('lake', 'event_hours') }} as hours)
    {{ only_touched('events.arrival_hour', 'select arrival_hour from ' ~ ref('changed_hours'), keyword='and') }}
