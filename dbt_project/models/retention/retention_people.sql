{{ config(materialized='table', tags=['retention']) }}

with ranked as (
  select
    sessions.*,
    row_number() over (partition by global_user_id order by session_started_at, session_key) as session_number
  from {{ ref('sessions') }} as sessions
  where not is_bot and global_user_id is not null
),

people as (
  select distinct global_user_id from {{ ref('retention_activity') }}
)

select
  people.global_user_id,
  {% for breakdown, column in breakdown_columns().items() %}
  coalesce(ranked.{{ column }}, '(not set)') as {{ breakdown }}{{ ',' if not loop.last }}
  {% endfor %}
from people
left join ranked
  on ranked.global_user_id = people.global_user_id and ranked.session_number = 1
