{{ config(materialized='incremental', incremental_strategy='append',
          pre_hook="{{ delete_touched([('arrival_hour', 'select arrival_hour from ' ~ ref('changed_hours'))]) }}") }}
-- depends_on: {{ ref('changed_users') }} {{ ref('duplicate_events') }} {{ ref('view_users') }} {{ ref('sessions') }}
-- depends_on: {{ ref('changed_hours') }}
select hours.arrival_hour, hours.revision, hours.events_good
from {{ ref('taken_hours') }} as hours
{{ only_touched('hours.arrival_hour', 'select arrival_hour from ' ~ ref('changed_hours')) }}
