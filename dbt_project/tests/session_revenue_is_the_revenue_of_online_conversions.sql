{# What sessions earn is what conversions with an online event earn: no order is lost or counted twice. #}
select visited.revenue as session_revenue, earned.revenue as conversion_revenue
from (select {{ money_sum('revenue') }} as revenue, coalesce(sum(conversions), 0) as conversions from {{ ref('sessions') }}) as visited
cross join (
    select {{ money_sum('revenue') }} as revenue, count(*) as conversions
    from {{ ref('conversions') }} where session_key is not null
) as earned
where visited.revenue <> earned.revenue or visited.conversions <> earned.conversions
