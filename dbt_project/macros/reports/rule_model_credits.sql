{# The names of the rule models, as a query. #}
{% macro rule_models() %}
{%- for name in ['first_touch', 'last_touch', 'last_non_direct', 'linear', 'position_based', 'time_decay'] -%}
select '{{ name }}' as model{% if not loop.last %} union all {% endif %}
{%- endfor -%}
{% endmacro %}

{# Credit of the six rule models, as a query: one row a conversion, model and credited touch.

`touches` is a relation or CTE with conversion_key, touch_number (1 = earliest), touch_count, is_direct and
seconds_before_conversion. Credits of a conversion sum to 1 in every model; touches without credit have no
row. Weights first, then normalised: position-based with fewer than three touches shares equally. #}
{% macro rule_model_credits(touches) %}
select
  conversion_key,
  touch_number,
  model,
  -- in the order of touches, so that the sum has the same last bit in every run
  weight / sum(weight) over (
    partition by conversion_key, model order by touch_number
    rows between unbounded preceding and unbounded following
  ) as credit
from (
  select
    positioned.conversion_key,
    positioned.touch_number,
    models.model,
    case models.model
      when 'first_touch' then case when touch_number = 1 then 1.0e0 else 0.0e0 end
      when 'last_touch' then case when touch_number = touch_count then 1.0e0 else 0.0e0 end
      when 'last_non_direct' then
        case when touch_number = coalesce(last_non_direct_number, touch_count) then 1.0e0 else 0.0e0 end
      when 'linear' then 1.0e0
      when 'position_based' then
        case
          when touch_count <= 2 then 1.0e0
          when touch_number in (1, touch_count) then {{ var('attribution_position_weight', 0.4) }}e0
          else {{ 1 - 2 * var('attribution_position_weight', 0.4) }}e0 / (touch_count - 2)
        end
      else power(
        0.5e0,
        seconds_before_conversion / {{ 86400.0 * var('attribution_half_life_days', 7) }}e0
      )
    end as weight
  from (
    select
      conversion_key,
      touch_number,
      touch_count,
      seconds_before_conversion,
      max(case when not is_direct then touch_number end)
        over (partition by conversion_key) as last_non_direct_number
    from {{ touches }}
  ) as positioned
  cross join ({{ rule_models() }}) as models
) as weighted
where weight > 0
{% endmacro %}
