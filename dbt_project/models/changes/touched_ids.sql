{{ config(materialized='incremental', incremental_strategy='append', pre_hook="{{ forget_completed_builds() }}") }}
with id_graph as (
    select {{ id_key('id_type', 'provider', 'id') }} as id_key, id, id_type, provider, global_user_id
    from {{ source('lake', 'view_id_graph') }}
)
{% if keeps_rows() %}
select
    {{ current_build() }} as build_number,
    coalesce(id_graph.id_key, known.id_key) as id_key,
    coalesce(id_graph.id_type, known.id_type) as id_type,
    coalesce(id_graph.id, known.id) as id,
    known.global_user_id as previous_global_user_id,
    id_graph.global_user_id
from id_graph
full outer join {{ earlier('known_ids') }} as known on known.id_key = id_graph.id_key
where id_graph.global_user_id is distinct from known.global_user_id
{% else %}
select
    {{ current_build() }} as build_number, id_key, id_type, id,
    cast(null as varchar) as previous_global_user_id, global_user_id
from id_graph
where 1 = 0
{% endif %}
