{{ config(materialized='incremental', incremental_strategy='append',
          pre_hook="{{ delete_touched([('profile_key', 'select profile_key from ' ~ ref('touched_profiles'))]) }}") }}
-- depends_on: {{ ref('touched_profiles') }}
select
    latest.*,
    coalesce(
        by_profile.global_user_id, by_email.global_user_id, by_phone.global_user_id,
        {{ anonymous_user_id('latest.profile_id_key') }}
    ) as global_user_id,
    coalesce(by_profile.global_user_id, by_email.global_user_id, by_phone.global_user_id) is not null as is_stitched
from {{ ref('latest_crm_profiles') }} as latest
left join {{ ref('known_ids') }} as by_profile on by_profile.id_key = latest.profile_id_key
left join {{ ref('known_ids') }} as by_email on by_email.id_key = latest.email_key
left join {{ ref('known_ids') }} as by_phone on by_phone.id_key = latest.phone_key
{{ only_touched('latest.profile_key', 'select profile_key from ' ~ ref('touched_profiles')) }}
