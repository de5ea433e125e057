{{ config(materialized='view', tags=['derived_views']) }}

select
  {{ utc_date('occurred_at') }} as event_date,
  event_name,
  coalesce(platform, '(not set)') as platform,
  count(*) as events,
  count(distinct global_user_id) as users
from {{ ref('unified_events') }}
where not is_bot
group by {{ utc_date('occurred_at') }}, event_name, coalesce(platform, '(not set)')
