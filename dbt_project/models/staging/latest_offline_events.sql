{{ config(materialized='ephemeral') }}
{# The newest load of every offline event, with a hash of what it says; when it was loaded is left out of it. #}
with named as (
    select
        'offline:' || source_name || ':' || event_id as event_key,
        event_id, source_name, event_name, event_datetime,
        person_id, person_id_type, person_id_provider,
        {{ source_id_key('person_id_type', 'person_id_provider', 'person_id') }} as person_key,
        nullif(transaction_id, '') as transaction_id,
        {{ is_offline_order('event_name') }} as is_transaction,
        {{ is_offline_refund('event_name') }} as is_refund,
        revenue, upper(nullif(trim(currency), '')) as currency, quantity, attributes, etl_run_datetime
    from {{ source('lake', 'offline_events') }}
    where event_id is not null and source_name is not null and event_datetime is not null
),

hashed as (
    select
        *,
        {{ row_hash(['event_name', 'event_datetime', 'person_id', 'person_id_type', 'person_id_provider',
                     'person_key', 'transaction_id', 'revenue', 'currency', 'quantity', 'attributes']) }} as row_hash
    from named
),

ranked as (
    select
        *,
        case
            when is_transaction or is_refund then {{ transaction_key('transaction_id', 'event_key') }}
        end as transaction_key,
        row_number() over (partition by event_key order by etl_run_datetime desc, row_hash) as recency
    from hashed
)

select
    event_key, event_id, source_name, event_name, event_datetime,
    person_id, person_id_type, person_id_provider, person_key,
    transaction_id, transaction_key, is_transaction, is_refund,
    revenue, currency, quantity, attributes, row_hash
from ranked
where recency = 1
