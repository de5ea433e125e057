{{ config(materialized='incremental', incremental_strategy='append', pre_hook="{{ forget_completed_builds() }}") }}
-- depends_on: {{ ref('touched_visitors') }} {{ ref('touched_offline_events') }}
with touched as (
    select previous_global_user_id as global_user_id from {{ ref('touched_ids') }}
    union
    select global_user_id from {{ ref('touched_ids') }}
    union
    select previous_global_user_id from {{ ref('touched_profiles') }}
    union
    select previous_global_user_id from {{ ref('touched_transactions') }}
    {% if keeps_rows() %}
    union
    select global_user_id from {{ earlier('unified_events') }}
    where visitor_key in (select visitor_key from {{ ref('touched_visitors') }})
        or event_key in (select event_key from {{ ref('touched_offline_events') }})
    {% endif %}
)

select {{ current_build() }} as build_number, global_user_id
from touched
where global_user_id is not null
