{{ config(materialized='view', tags=['campaign']) }}

{% for breakdown, column in breakdown_columns().items() if breakdown != 'campaign' %}
select
  visits.session_date as report_date,
  visits.ad_platform,
  visits.campaign_key,
  visits.campaign,
  '{{ breakdown }}' as breakdown,
  coalesce(sessions.{{ column }}, '(not set)') as breakdown_value,
  count(*) as sessions,
  count(distinct visits.global_user_id) as users,
  count(distinct case when visits.is_first_session then visits.global_user_id end) as new_users
from {{ ref('campaign_sessions') }} as visits
inner join {{ ref('sessions') }} as sessions on sessions.session_key = visits.session_key
group by
  visits.session_date,
  visits.ad_platform,
  visits.campaign_key,
  visits.campaign,
  coalesce(sessions.{{ column }}, '(not set)')
{% if not loop.last %}union all{% endif %}
{% endfor %}
