{{ config(meta={'dagster': {'ref': {'name': 'view_users'}}}) }}
{# Customer 360 adds up: people's orders and revenue are those of conversions with a person, robots left out. Revenue
   is compared in the currency of the person, the only one in which it is told; orders in all. #}
select people.revenue as user_revenue, earned.revenue as conversion_revenue, people.orders, earned.orders as conversions
from (select {{ money_sum('revenue') }} as revenue, coalesce(sum(orders), 0) as orders from {{ ref('view_users') }}) as people
cross join (
    select
        {{ money_sum('case when orders.currency is not distinct from users.currency then orders.revenue end') }} as revenue,
        count(*) as orders
    from {{ ref('conversions') }} as orders
    left join {{ ref('view_users') }} as users on users.global_user_id = orders.global_user_id
    where orders.global_user_id is not null and not orders.is_bot
) as earned
where people.revenue <> earned.revenue or people.orders <> earned.orders
