{# Customer 360 adds up: people's orders and revenue are those of conversions with a person, robots left out. #}
select people.revenue as user_revenue, earned.revenue as conversion_revenue, people.orders, earned.orders as conversions
from (select {{ money_sum('revenue') }} as revenue, coalesce(sum(orders), 0) as orders from {{ ref('view_users') }}) as people
cross join (
    select {{ money_sum('revenue') }} as revenue, count(*) as orders
    from {{ ref('conversions') }} where global_user_id is not null and not is_bot
) as earned
where people.revenue <> earned.revenue or people.orders <> earned.orders
