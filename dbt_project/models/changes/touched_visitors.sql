{{ config(materialized='incremental', incremental_strategy='append', pre_hook="{{ forget_completed_builds() }}") }}
{% if keeps_rows() %}
with touched as (
    select previous_visitor_key as visitor_key from {{ ref('touched_events') }}
    where previous_visitor_key is not null
    union
    select visitor_key from {{ ref('unique_events') }}
    where event_id in (select event_id from {{ ref('touched_events') }})
    union
    select 'user:' || id from {{ ref('touched_ids') }} where id_type = 'user_id'
)

select {{ current_build() }} as build_number, visitor_key from touched
{% else %}
select {{ current_build() }} as build_number, visitor_key from {{ ref('unique_events') }} where 1 = 0
{% endif %}
