{{ config(materialized='incremental', incremental_strategy='append', pre_hook="{{ forget_completed_builds() }}") }}
with latest as (select event_key, transaction_key, row_hash from {{ ref('latest_offline_events') }})
{% if keeps_rows() %},

changed as (
    select coalesce(latest.event_key, taken.event_key) as event_key, latest.transaction_key
    from latest
    full outer join {{ earlier('stg_offline_events') }} as taken on taken.event_key = latest.event_key
    where latest.row_hash is distinct from taken.row_hash
    union
    select event_key, transaction_key from {{ earlier('stg_offline_events') }}
    where person_key in (select id_key from {{ ref('touched_ids') }})
)

select
    {{ current_build() }} as build_number,
    changed.event_key,
    changed.transaction_key,
    taken.transaction_key as previous_transaction_key
from changed
left join {{ earlier('stg_offline_events') }} as taken on taken.event_key = changed.event_key
{% else %}
select
    {{ current_build() }} as build_number, event_key, transaction_key,
    cast(null as varchar) as previous_transaction_key
from latest
where 1 = 0
{% endif %}
