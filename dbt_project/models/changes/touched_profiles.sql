{{ config(materialized='incremental', incremental_strategy='append', pre_hook="{{ forget_completed_builds() }}") }}
with latest as (select profile_key, row_hash from {{ ref('latest_crm_profiles') }})
{% if keeps_rows() %},

changed as (
    select coalesce(latest.profile_key, taken.profile_key) as profile_key
    from latest
    full outer join {{ earlier('stg_crm_profiles') }} as taken on taken.profile_key = latest.profile_key
    where latest.row_hash is distinct from taken.row_hash
    union
    select profile_key from {{ earlier('stg_crm_profiles') }}
    where profile_id_key in (select id_key from {{ ref('touched_ids') }})
        or email_key in (select id_key from {{ ref('touched_ids') }})
        or phone_key in (select id_key from {{ ref('touched_ids') }})
)

select
    {{ current_build() }} as build_number,
    changed.profile_key,
    taken.global_user_id as previous_global_user_id
from changed
left join {{ earlier('stg_crm_profiles') }} as taken on taken.profile_key = changed.profile_key
{% else %}
select {{ current_build() }} as build_number, profile_key, cast(null as varchar) as previous_global_user_id
from latest
where 1 = 0
{% endif %}
