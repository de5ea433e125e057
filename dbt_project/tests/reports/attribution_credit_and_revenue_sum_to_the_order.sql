{{ config(meta={'dagster': {'ref': {'name': 'attribution'}}}) }}
{# Each model gives every order exactly once: credit 1, and its revenue to the last digit. Compared with models
of the same job only: dbt would run the test on a stale table otherwise. #}

with expected as (
  select distinct
    orders.transaction_key,
    orders.revenue,
    models.model
  from {{ ref('attribution_touches') }} as orders
  cross join ({{ rule_models() }}) as models
),

credited as (
  select
    transaction_key,
    model,
    sum(credit) as credit,
    sum(attributed_revenue) as revenue
  from {{ ref('attribution') }}
  group by transaction_key, model
)

select
  coalesce(expected.transaction_key, credited.transaction_key) as transaction_key,
  coalesce(expected.model, credited.model) as model,
  credited.credit,
  credited.revenue,
  expected.revenue as expected_revenue
from expected
full outer join credited
  on credited.transaction_key = expected.transaction_key and credited.model = expected.model
where
  credited.transaction_key is null
  or expected.transaction_key is null
  or abs(credited.credit - 1) > 1e-9
  or credited.revenue <> expected.revenue
