{{ config(materialized='incremental', incremental_strategy='append',
          pre_hook="{{ delete_touched([('event_key', 'select event_key from ' ~ ref('touched_offline_events'))]) }}") }}
-- depends_on: {{ ref('touched_offline_events') }}
select
    latest.event_key, latest.event_id, latest.source_name, latest.event_name, latest.event_datetime,
    latest.person_id, latest.person_id_type, latest.person_id_provider, latest.person_key,
    coalesce(
        ids.global_user_id,
        case when latest.person_key is not null then {{ anonymous_user_id('latest.person_key') }} end
    ) as global_user_id,
    ids.global_user_id is not null as is_stitched,
    latest.transaction_id, latest.transaction_key, latest.is_transaction, latest.is_refund,
    latest.revenue, latest.currency, latest.quantity, latest.attributes, latest.row_hash
from {{ ref('latest_offline_events') }} as latest
left join {{ ref('known_ids') }} as ids on ids.id_key = latest.person_key
{{ only_touched('latest.event_key', 'select event_key from ' ~ ref('touched_offline_events')) }}
