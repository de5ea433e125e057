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

{# What tells one cohort from another; `also` names further columns that members are divided by. #}
{% macro cohort_key(also=[]) %}
{{ return(['granularity', 'population'] + also + ['cohort_index']) }}
{% endmacro %}

{# Cohorts with their size, from a relation of members. #}
{% macro sized_cohorts(members, also=[]) %}
select
  {% for column in cohort_key(also) %}
  {{ column }},
  {% endfor %}
  cohort_start,
  max(newest_index) as newest_index,
  count(*) as cohort_size
from {{ members }}
group by {{ cohort_key(also) | join(', ') }}, cohort_start
{% endmacro %}

{# One row a cohort and period number that it can have reached. #}
{% macro reached_periods(cohorts) %}
select
  cohorts.*,
  followed.period_number
from {{ cohorts }} as cohorts
inner join ({{ followed_periods() }}) as followed
  on followed.granularity = cohorts.granularity
  and cohorts.cohort_index + followed.period_number <= cohorts.newest_index
{% endmacro %}

{# Whether two relations speak of one cohort. #}
{% macro same_cohort(one, other, also=[]) -%}
{%- for column in cohort_key(also) -%}
{{ one }}.{{ column }} = {{ other }}.{{ column }}{{ ' and ' if not loop.last }}
{%- endfor -%}
{%- endmacro %}

{# A period that may still get more activity is not complete. #}
{% macro is_complete_period() %}cohort_index + period_number < newest_index{% endmacro %}
