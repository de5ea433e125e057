{{ config(materialized='incremental', incremental_strategy='append',
          pre_hook="{{ delete_touched([('id_key', 'select id_key from ' ~ ref('touched_ids'))]) }}") }}
with id_graph as (
    select {{ id_key('id_type', 'provider', 'id') }} as id_key, id, id_type, provider, global_user_id
    from {{ source('lake', 'view_id_graph') }}
)

select id_key, id, id_type, provider, global_user_id
from id_graph
{{ only_touched('id_key', 'select id_key from ' ~ ref('touched_ids')) }}
