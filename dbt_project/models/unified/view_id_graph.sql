{{ config(materialized='view') }}
select
    case when id_type = 'user_id' then id end as user_id,
    case when id_type <> 'user_id' then id end as data_map_id,
    case when id_type <> 'user_id' then coalesce(provider, id_type) end as data_map_provider,
    global_user_id,
    id,
    id_type,
    provider
from {{ ref('known_ids') }}
