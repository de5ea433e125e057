{{ config(materialized='table') }}
select max(etl_run_datetime) as loaded_at
from {{ source('lake', 'offline_events') }}
