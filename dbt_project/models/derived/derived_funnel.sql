{{ config(materialized='view', tags=['derived_views']) }}

with steps as (
  select
    {{ utc_date('sessions.session_started_at') }} as session_date,
    sessions.session_key,
    max(case when events.is_page_view then 1 else 0 end) as viewed_page,
    max(case when events.item_id is not null then 1 else 0 end) as viewed_item,
    max(case when events.is_transaction then 1 else 0 end) as ordered
  from {{ ref('sessions') }} as sessions
  inner join {{ ref('unified_events') }} as events on events.session_key = sessions.session_key
  where not sessions.is_bot
  group by {{ utc_date('sessions.session_started_at') }}, sessions.session_key
)

select
  session_date,
  count(*) as sessions,
  sum(viewed_page) as sessions_with_page_view,
  sum(viewed_item) as sessions_with_item,
  sum(ordered) as sessions_with_order,
  {{ ratio('sum(ordered)', 'count(*)') }} as order_rate
from steps
group by session_date
