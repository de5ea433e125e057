{{ config(materialized='incremental', incremental_strategy='append',
          pre_hook="{{ delete_touched([('transaction_key', 'select transaction_key from ' ~ ref('touched_transactions'))]) }}") }}
-- depends_on: {{ ref('touched_transactions') }}
with events as (
    select *,
        row_number() over (
            partition by transaction_key, event_origin, is_refund order by is_bot, occurred_at, event_key
        ) as telling
    from {{ ref('unified_events') }}
    where transaction_key is not null
    {{ only_touched('transaction_key', 'select transaction_key from ' ~ ref('touched_transactions'), keyword='and') }}
),

online as (select * from events where event_origin = 'online' and telling = 1),

offline as (select * from events where event_origin = 'offline' and not is_refund and telling = 1),

totals as (
    select
        transaction_key,
        max(transaction_id) as transaction_id,
        count(*) filter (where event_origin = 'online') as online_events
    from events
    group by transaction_key
    having count(*) filter (where not is_refund) > 0
),

joined as (
    select
        totals.transaction_key,
        totals.transaction_id,
        {# The browser's clock is the one of its visits; sources often give the day only, which would precede them. #}
        coalesce(case when not online.is_bot then online.occurred_at end, offline.occurred_at, online.occurred_at)
            as converted_at,
        {# Whom the id graph knows comes first: of the source, which knows who ordered, then of the browser. #}
        case
            when offline.is_stitched then offline.global_user_id
            when online.is_stitched then online.global_user_id
            else coalesce(offline.global_user_id, online.global_user_id)
        end as global_user_id,
        coalesce(offline.is_stitched, false) or coalesce(online.is_stitched, false) as is_stitched,
        online.visitor_key,
        online.session_key,
        case
            when online.event_key is null then 'offline' when offline.event_key is null then 'online' else 'both'
        end as conversion_origin,
        coalesce(offline.source_name, 'clickstream') as source_name,
        online.event_key as online_event_key,
        offline.event_key as offline_event_key,
        totals.online_events,
        cast(coalesce(offline.revenue, online.revenue, 0) as {{ money_type() }}) as revenue,
        case when offline.revenue is not null then coalesce(offline.currency, online.currency) else online.currency end
            as currency,
        online.revenue as online_revenue,
        offline.revenue as offline_revenue,
        offline.quantity,
        online.transaction_payment,
        online.transaction_discount,
        online.transaction_shipping,
        online.transaction_tax,
        offline.event_key is null and online.is_bot as is_bot
    from totals
    left join online on online.transaction_key = totals.transaction_key
    left join offline on offline.transaction_key = totals.transaction_key
),

{# Currencies are never added up: a refund counts when it is in the order's, or names none. #}
refunds as (
    select joined.transaction_key, {{ money_sum('abs(events.revenue)') }} as refunded
    from joined
    inner join events on events.transaction_key = joined.transaction_key and events.is_refund
    where events.currency is null or events.currency = joined.currency
    group by joined.transaction_key
)

select
    joined.transaction_key, transaction_id, converted_at, global_user_id, is_stitched,
    visitor_key, session_key, conversion_origin, source_name, online_event_key, offline_event_key, online_events,
    revenue, currency, online_revenue, offline_revenue,
    coalesce(refunds.refunded, cast(0 as {{ money_sum_type() }})) as refunded,
    cast(revenue - coalesce(refunds.refunded, 0) as {{ money_sum_type() }}) as net_revenue,
    quantity, transaction_payment, transaction_discount, transaction_shipping, transaction_tax, is_bot
from joined
left join refunds on refunds.transaction_key = joined.transaction_key
