{{ config(materialized='incremental', incremental_strategy='append',
          pre_hook=[
              "{{ delete_touched([('visitor_key', 'select visitor_key from ' ~ ref('touched_visitors'))]) }}",
              "{{ delete_touched([('event_key', 'select event_key from ' ~ ref('touched_offline_events'))]) }}"]) }}
-- depends_on: {{ ref('previous_users') }} {{ ref('touched_visitors') }} {{ ref('touched_offline_events') }}
with online as (
    select events.*, {{ is_transaction('events.event_name') }} as is_transaction
    from {{ ref('unique_events') }} as events
    {{ only_touched('events.visitor_key', 'select visitor_key from ' ~ ref('touched_visitors')) }}
),

placed as (
    select * from {{ ref('session_events') }}
    {{ only_touched('visitor_key', 'select visitor_key from ' ~ ref('touched_visitors')) }}
)

select
    'online:' || online.event_id as event_key,
    'online' as event_origin,
    'clickstream' as source_name,
    online.event_id,
    online.event_name,
    online.event_type,
    online.occurred_at,
    online.event_datetime,
    online.received_at,
    online.arrival_hour,
    coalesce(online.is_clock_skewed, false) as is_clock_skewed,
    coalesce(ids.global_user_id, {{ anonymous_user_id('online.visitor_key') }}) as global_user_id,
    ids.global_user_id is not null as is_stitched,
    online.visitor_key,
    online.visitor_user_id as user_id,
    placed.session_key,
    placed.session_event_index,
    online.session_id,
    coalesce(online.is_bot, false) as is_bot,
    {{ is_page_view('online.event_name') }} as is_page_view,
    online.is_transaction,
    false as is_refund,
    case when online.is_transaction then {{ transaction_key('online.transaction_id', "'online:' || online.event_id") }} end
        as transaction_key,
    case when online.is_transaction then online.transaction_total end as revenue,
    case when online.is_transaction then online.transaction_currency end as currency,
    online.item_quantity as quantity,
    online.search_utm_campaign as campaign,
    online.channel,
    cast(null as varchar) as person_id,
    cast(null as varchar) as person_id_type,
    cast(null as varchar) as person_id_provider,
    {% for column, type in carried_event_columns() -%}
    online.{{ column }},
    {% endfor -%}
    online.additional_data
from online
inner join placed on placed.event_id = online.event_id
left join {{ ref('known_ids') }} as ids
    on ids.id_key = {{ id_key("'user_id'", 'null', 'online.visitor_user_id') }}

union all

select
    offline.event_key,
    'offline' as event_origin,
    offline.source_name,
    offline.event_id,
    offline.event_name,
    'offline' as event_type,
    offline.event_datetime as occurred_at,
    offline.event_datetime,
    cast(null as {{ timestamp_type() }}) as received_at,
    cast(null as {{ timestamp_type() }}) as arrival_hour,
    false as is_clock_skewed,
    offline.global_user_id,
    offline.is_stitched,
    cast(null as varchar) as visitor_key,
    cast(null as varchar) as user_id,
    cast(null as varchar) as session_key,
    cast(null as bigint) as session_event_index,
    cast(null as varchar) as session_id,
    false as is_bot,
    false as is_page_view,
    offline.is_transaction,
    offline.is_refund,
    offline.transaction_key,
    offline.revenue,
    offline.currency,
    offline.quantity,
    cast(null as varchar) as campaign,
    'Offline' as channel,
    offline.person_id,
    offline.person_id_type,
    offline.person_id_provider,
    {% for column, type in carried_event_columns() -%}
    {% if column == 'transaction_id' %}offline.transaction_id{% else %}cast(null as {{ type }}) as {{ column }}{% endif %},
    {% endfor -%}
    offline.attributes as additional_data
from {{ ref('stg_offline_events') }} as offline
{{ only_touched('offline.event_key', 'select event_key from ' ~ ref('touched_offline_events')) }}
