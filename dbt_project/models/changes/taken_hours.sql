{# The ledger of hours as the build finds it, read once: on Trino and Athena hours go on changing meanwhile, and
   what comes after this must stay to be taken in by the next build. #}
{{ config(materialized='table', pre_hook="{{ begin_full_refresh() }}") }}
select arrival_hour, revision, events_good
from {{ source('lake', 'event_hours') }}
