{# Parts that the two cohort tables (people and revenue) share. #}

{# One row a person and cohort: `new_users` puts a person in the period of the first start event only,
`everyone` in each period with one. #}
{% macro cohort_members() %}
select
  granularity,
  'new_users' as population,
  global_user_id,
  period_start as cohort_start,
  period_index as cohort_index,
  last_return_index,
  newest_index
from {{ ref('retention_periods') }}
where is_first_start

union all

select
  granularity,
  'everyone' as population,
  global_user_id,
  period_start as cohort_start,
  period_index as cohort_index,
  last_return_index,
  newest_index
from {{ ref('retention_periods') }}
where has_start
{% endmacro %}

{# Every period number that a cohort can have reached, within the number of periods that are followed. #}
{% macro followed_periods() %}
{% for granularity, most in retention_periods().items() %}
select
  '{{ granularity }}' as granularity,
  number as period_number
from ({{ numbers_to(most) }}) as {{ granularity }}_numbers
{% if not loop.last %}union all{% endif %}
{% endfor %}
{% endmacro %}
