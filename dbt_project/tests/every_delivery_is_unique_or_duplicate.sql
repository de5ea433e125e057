{{ config(meta={'dagster': {'ref': {'name': 'duplicate_events'}}}) }}
{# Rows of core_events = events + duplicates across hours; no delivery is lost and none is counted twice. #}
select staged.deliveries, kept.events, dropped.duplicates
from (select count(*) as deliveries from {{ ref('stg_core_events') }}) as staged
cross join (select count(*) as events from {{ ref('unique_events') }}) as kept
cross join (select count(*) as duplicates from {{ ref('duplicate_events') }}) as dropped
where staged.deliveries <> kept.events + dropped.duplicates
