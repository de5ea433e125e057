{# Rows of earlier builds stay, so that reports that run on their own can ask what changed since they last ran. A
   rebuild changes everyone, also those whom it no longer has. #}
{{ config(materialized='incremental', incremental_strategy='append', full_refresh=false,
          pre_hook="{% if keeps_rows() %}{{ delete_touched([('global_user_id', 'select global_user_id from ' ~ ref('touched_users'))]) }}{% endif %}",
          post_hook="{% if is_incremental() and not keeps_rows() %}delete from {{ this }} where build_number < {{ current_build() }}{% endif %}") }}
-- depends_on: {{ ref('view_users') }} {{ ref('sessions') }} {{ ref('touched_users') }}
{% if keeps_rows() %}
select distinct {{ current_build() }} as build_number, global_user_id
from {{ ref('touched_users') }}
{% else %}
select {{ current_build() }} as build_number, global_user_id from {{ ref('view_users') }}
{% if earlier('changed_users') is not none %}
union
select {{ current_build() }} as build_number, global_user_id from {{ earlier('changed_users') }}
{% endif %}
{% endif %}
