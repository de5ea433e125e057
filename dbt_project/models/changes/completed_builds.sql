{{ config(materialized='incremental', incremental_strategy='append', full_refresh=false) }}
-- depends_on: {{ ref('processed_hours') }}
select {{ current_build() }} as build_number
