{# Day, week and month buckets of local dates. A bucket has a start (date) and an index (integers in order), so
that the distance of two buckets is a subtraction. Weeks begin on var `retention_week_start`. #}

{% macro week_shift() %}
{%- set days = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'] -%}
{%- set first = var('retention_week_start', 'monday') | lower -%}
{%- if first not in days -%}
  {%- do exceptions.raise_compiler_error(
    "var retention_week_start is '" ~ first ~ "'; expected one of " ~ days | join(', ')
  ) -%}
{%- endif -%}
{{ return(days.index(first)) }}
{% endmacro %}

{# Date in the calendar of a time zone; `time_zone` is a SQL expression of an IANA name, which Trino's
`at time zone` does not take. #}
{% macro local_date(moment, time_zone) %}{{ return(adapter.dispatch('local_date', 'blotout')(moment, time_zone)) }}{% endmacro %}
{% macro duckdb__local_date(moment, time_zone) %}cast({{ moment }} at time zone {{ time_zone }} as date){% endmacro %}
{% macro default__local_date(moment, time_zone) %}cast(at_timezone({{ moment }}, {{ time_zone }}) as date){% endmacro %}

{# When it happened, but nothing happens after it was received: a clock that is ahead must not open a period that has
not begun. Without a receipt, as told. #}
{% macro until_receipt(moment, received_at) -%}
(case when {{ received_at }} < {{ moment }} then {{ received_at }} else {{ moment }} end)
{%- endmacro %}

{# An IANA name in any case, without outer blanks; else null. Any other fails the whole query, and ad platforms have
names of their own (`PacificTimeUSCanadaTijuana`). #}
{% macro known_time_zone(expression) -%}
case when lower(trim({{ expression }})) in ({{ literals(time_zones()) }}) then trim({{ expression }}) end
{%- endmacro %}

{% macro time_zones() %}
{%- set names = [] -%}
{#- Trino knows no zone by these four. -#}
{%- for name in modules.pytz.all_timezones if name not in ['EST', 'HST', 'MST', 'ROC'] -%}
  {%- do names.append(name | lower) -%}
{%- endfor -%}
{{ return(names) }}
{% endmacro %}

{% macro period_start(granularity, day) -%}
{%- set shift = week_shift() -%}
{%- if granularity == 'day' -%}
{{ day }}
{%- elif granularity == 'week' and shift == 0 -%}
cast(date_trunc('week', {{ day }}) as date)
{%- elif granularity == 'week' -%}
cast(
  date_trunc('week', cast({{ day }} - interval '{{ shift }}' day as date)) + interval '{{ shift }}' day as date
)
{%- elif granularity == 'month' -%}
cast(date_trunc('month', {{ day }}) as date)
{%- else -%}
{%- do exceptions.raise_compiler_error("granularity '" ~ granularity ~ "' is not day, week or month") -%}
{%- endif -%}
{%- endmacro %}

{# `bucket` is a start that period_start made. #}
{% macro period_index(granularity, bucket) -%}
{%- if granularity == 'month' -%}
cast(extract(year from {{ bucket }}) * 12 + extract(month from {{ bucket }}) as bigint)
{%- else -%}
cast(date_diff('day', date '1969-12-29', {{ bucket }}) / {{ 7.0 if granularity == 'week' else 1.0 }} as bigint)
{%- endif -%}
{%- endmacro %}

{# The granularities with the number of periods that are followed: var `retention_periods`. #}
{% macro retention_periods() %}
{{ return(var('retention_periods', {'day': 30, 'week': 26, 'month': 24})) }}
{% endmacro %}

{# 0 .. most, as a query with column `number`. #}
{% macro numbers_to(most) -%}
select number from (values {% for number in range(most + 1) %}({{ number }}){{ ', ' if not loop.last }}{% endfor %}) as numbers (number)
{%- endmacro %}
