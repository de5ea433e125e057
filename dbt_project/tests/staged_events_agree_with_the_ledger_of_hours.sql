{# The hour may be re-run while dbt is at work: then the next build takes it in again. Hence only a warning. #}
{{ config(severity='warn', meta={'dagster': {'ref': {'name': 'stg_core_events'}}}) }}
select hours.events_good, staged.events
from (select coalesce(sum(events_good), 0) as events_good from {{ source('lake', 'event_hours') }}) as hours
cross join (select count(*) as events from {{ ref('stg_core_events') }}) as staged
where hours.events_good <> staged.events
