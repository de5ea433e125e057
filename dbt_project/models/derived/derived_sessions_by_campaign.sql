{{ config(materialized='view', tags=['derived_views']) }}

{{ sessions_by('campaign') }}
