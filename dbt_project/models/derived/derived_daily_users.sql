{{ config(materialized='view', tags=['derived_views']) }}

with numbered as (
  select
    sessions.*,
    row_number() over (partition by global_user_id order by session_started_at, session_key) as session_number
  from {{ ref('sessions') }} as sessions
  where not is_bot
)

select
  {{ utc_date('session_started_at') }} as session_date,
  count(*) as sessions,
  count(distinct global_user_id) as users,
  count(distinct case when session_number = 1 then global_user_id end) as new_users,
  sum(page_views) as page_views,
  sum(engaged_seconds) as engaged_seconds,
  sum(conversions) as conversions
from numbered
group by {{ utc_date('session_started_at') }}
