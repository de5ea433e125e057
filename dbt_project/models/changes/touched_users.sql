{{ config(materialized='incremental', incremental_strategy='append', pre_hook="{{ forget_completed_builds() }}") }}
-- depends_on: {{ ref('conversions') }} {{ ref('unified_events') }} {{ ref('stg_crm_profiles') }}
-- depends_on: {{ ref('touched_visitors') }} {{ ref('touched_offline_events') }} {{ ref('touched_profiles') }}
-- depends_on: {{ ref('known_ids') }}
with touched as (
    select global_user_id from {{ ref('previous_users') }}
    {% if keeps_rows() %}
    union
    select global_user_id from {{ ref('unified_events') }}
    where visitor_key in (select visitor_key from {{ ref('touched_visitors') }})
        or event_key in (select event_key from {{ ref('touched_offline_events') }})
        {# A refund is its own person's until its order is known, then that of the order's. #}
        or (is_refund and transaction_key in (select transaction_key from {{ ref('touched_transactions') }}))
    union
    select global_user_id from {{ ref('conversions') }}
    where transaction_key in (select transaction_key from {{ ref('touched_transactions') }})
    union
    select global_user_id from {{ ref('stg_crm_profiles') }}
    where profile_key in (select profile_key from {{ ref('touched_profiles') }})
    {# Not the people of touched_ids: on Trino and Athena the id graph may have moved on before known_ids read it. #}
    union
    select global_user_id from {{ ref('known_ids') }}
    where id_key in (select id_key from {{ ref('touched_ids') }})
    {% endif %}
)

select {{ current_build() }} as build_number, global_user_id
from touched
where global_user_id is not null
