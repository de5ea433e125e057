{{ config(materialized='incremental', incremental_strategy='append', pre_hook="{{ forget_completed_builds() }}") }}
-- depends_on: {{ ref('touched_visitors') }} {{ ref('touched_offline_events') }} {{ ref('unique_events') }}
-- depends_on: {{ ref('stg_offline_events') }}
{% if keeps_rows() %}
with touched as (
    select transaction_key from {{ earlier('unified_events') }}
    where transaction_key is not null
        and visitor_key in (select visitor_key from {{ ref('touched_visitors') }})
    union
    select {{ transaction_key('transaction_id', "'online:' || event_id") }} from {{ ref('unique_events') }}
    where {{ is_transaction('event_name') }}
        and visitor_key in (select visitor_key from {{ ref('touched_visitors') }})
    union
    select transaction_key from {{ ref('touched_offline_events') }} where transaction_key is not null
    union
    select previous_transaction_key from {{ ref('touched_offline_events') }}
    where previous_transaction_key is not null
    {# The source may have moved on before stg_offline_events read it (Trino, Athena). #}
    union
    select transaction_key from {{ ref('stg_offline_events') }}
    where transaction_key is not null
        and event_key in (select event_key from {{ ref('touched_offline_events') }})
)

select
    {{ current_build() }} as build_number,
    touched.transaction_key,
    previous.visitor_key as previous_visitor_key,
    previous.global_user_id as previous_global_user_id
from touched
left join {{ earlier('conversions') }} as previous on previous.transaction_key = touched.transaction_key
{% else %}
select
    {{ current_build() }} as build_number,
    cast(null as varchar) as transaction_key,
    cast(null as varchar) as previous_visitor_key,
    cast(null as varchar) as previous_global_user_id
from {{ ref('unique_events') }}
where 1 = 0
{% endif %}
