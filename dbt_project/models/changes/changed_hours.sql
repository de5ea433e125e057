{{ config(materialized='incremental', incremental_strategy='append', pre_hook="{{ forget_completed_builds() }}") }}
{% if keeps_rows() %}
select
    {{ current_build() }} as build_number,
    coalesce(hours.arrival_hour, processed.arrival_hour) as arrival_hour,
    hours.revision
from {{ ref('taken_hours') }} as hours
full outer join {{ earlier('processed_hours') }} as processed on processed.arrival_hour = hours.arrival_hour
where hours.revision is distinct from processed.revision
{% else %}
select {{ current_build() }} as build_number, arrival_hour, revision
from {{ ref('taken_hours') }}
where 1 = 0
{% endif %}
