{# After taken_hours, which begins a full refresh. #}
{{ config(materialized='table') }}
-- depends_on: {{ ref('taken_hours') }}
select max(etl_run_datetime) as loaded_at
from {{ source('lake', 'offline_events') }}
