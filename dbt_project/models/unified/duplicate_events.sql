{{ config(materialized='incremental', incremental_strategy='append',
          pre_hook="{{ delete_touched([('event_id', 'select event_id from ' ~ ref('touched_events'))]) }}") }}
with deliveries as (
    select
        event_id, arrival_hour, received_at, landing_file, landing_line, landing_index, sdk_session_key,
        content_hash,
        row_number() over (partition by event_id order by {{ delivery_order() }}) as delivery,
        first_value(content_hash) over (partition by event_id order by {{ delivery_order() }}) as first_hash
    from {{ ref('stg_core_events') }}
    {{ only_touched('event_id', 'select event_id from ' ~ ref('touched_events')) }}
)

select
    event_id, arrival_hour, received_at, landing_file, landing_line, landing_index, sdk_session_key,
    cast(delivery as bigint) as delivery,
    content_hash is distinct from first_hash as is_collision
from deliveries
where delivery > 1
