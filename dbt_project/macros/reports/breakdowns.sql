{# The dimensions that every report can be broken down by, in one place. #}

{# Name of the breakdown -> column of `sessions`. #}
{% macro breakdown_columns() %}
{{ return({
  'campaign': 'utm_campaign',
  'channel': 'channel',
  'referrer': 'referrer_host',
  'country': 'country',
  'browser': 'browser',
  'os': 'os',
  'platform': 'platform'
}) }}
{% endmacro %}

{# Sessions a day and value of one dimension: the body of the derived_sessions_by_* views. #}
{% macro sessions_by(breakdown) %}
{%- set column = breakdown_columns()[breakdown] -%}
select
  {{ utc_date('session_started_at') }} as session_date,
  coalesce({{ column }}, '(not set)') as {{ breakdown }},
  count(*) as sessions,
  count(distinct global_user_id) as users,
  sum(page_views) as page_views,
  sum(engaged_seconds) as engaged_seconds,
  count_if(is_bounce) as bounces,
  {{ ratio('count_if(is_bounce)', 'count(*)') }} as bounce_rate,
  sum(conversions) as conversions
from {{ ref('sessions') }}
where not is_bot
group by {{ utc_date('session_started_at') }}, coalesce({{ column }}, '(not set)')
{% endmacro %}
