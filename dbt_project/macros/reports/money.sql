{# Splitting and summing money and credit without losing any. #}

{# `amount` times `credit`, rounded to the money type; the rest of the rounding goes to the row that is last in
`partition_by` by `order_by`, so that the parts sum to the amount exactly. Credits must sum to 1. Decimals are
multiplied: a double takes an amount near the money type's limit beyond it. #}
{% macro split_money(amount, credit, partition_by, order_by) -%}
{%- set product = 'cast(' ~ amount ~ ' as ' ~ money_type() ~ ') * cast(' ~ credit ~ ' as decimal(19, 18))' -%}
{%- set part = 'cast(' ~ product ~ ' as ' ~ money_type() ~ ')' -%}
cast(
  {{ part }}
  + case
    when row_number() over (partition by {{ partition_by }} order by {{ order_by }} desc) = 1
      then {{ amount }} - sum({{ part }}) over (partition by {{ partition_by }})
    else 0
  end as {{ money_type() }}
)
{%- endmacro %}

{# A sum of fractions as double that is the same in whatever order the rows come: summed exactly, then rounded to
nine digits, so that three thirds are 1. #}
{% macro fraction_sum(expression) -%}
round(cast(sum(cast({{ expression }} as decimal(38, 18))) as double), 9)
{%- endmacro %}

{# A ratio as double; null when the divisor is null or 0. #}
{% macro ratio(numerator, divisor) -%}
cast({{ numerator }} as double) / nullif(cast({{ divisor }} as double), 0)
{%- endmacro %}
