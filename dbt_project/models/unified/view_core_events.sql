{{ config(materialized='view') }}
select
    {% for column in core_event_columns() -%}
    events.{{ column }}{{ ',' if not loop.last }}
    {% endfor %}
from {{ ref('stg_core_events') }} as events
