{{ config(materialized='view') }}
select ids.global_user_id, ids.id_type, ids.provider, ids.id, true as is_stitched
from {{ ref('known_ids') }} as ids

union all

select distinct
    sessions.global_user_id, 'user_id' as id_type, cast(null as varchar) as provider, sessions.user_id as id,
    false as is_stitched
from {{ ref('sessions') }} as sessions
where not sessions.is_stitched and sessions.user_id is not null
