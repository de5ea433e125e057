{{ config(meta={'dagster': {'ref': {'name': 'sessions'}}}) }}
{# What sessions earn is what their conversions earn: no order is lost or counted twice. Revenue is compared in
   the currency of the session, the only one in which it is told; orders in all. #}
select visited.revenue as session_revenue, earned.revenue as conversion_revenue, visited.conversions, earned.conversions as orders
from (select {{ money_sum('revenue') }} as revenue, coalesce(sum(conversions), 0) as conversions from {{ ref('sessions') }}) as visited
cross join (
    select
        {{ money_sum('case when orders.currency is not distinct from sessions.currency then orders.revenue end') }} as revenue,
        count(*) as conversions
    from {{ ref('conversions') }} as orders
    left join {{ ref('sessions') }} as sessions on sessions.session_key = orders.session_key
    where orders.session_key is not null
) as earned
where visited.revenue <> earned.revenue or visited.conversions <> earned.conversions
