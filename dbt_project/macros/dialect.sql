{# The differences between DuckDB and Trino/Athena, each behind one name. Models use nothing else of a dialect. #}

{% macro seconds_between(earlier, later) %}{{ return(adapter.dispatch('seconds_between', 'blotout')(earlier, later)) }}{% endmacro %}
{% macro duckdb__seconds_between(earlier, later) %}cast(floor(epoch({{ later }}) - epoch({{ earlier }})) as bigint){% endmacro %}
{% macro default__seconds_between(earlier, later) %}cast(floor(to_unixtime({{ later }}) - to_unixtime({{ earlier }})) as bigint){% endmacro %}

{# Lower-case hexadecimal MD5 of a text: the same 32 characters in every dialect. #}
{% macro hash_text(expression) %}{{ return(adapter.dispatch('hash_text', 'blotout')(expression)) }}{% endmacro %}
{% macro duckdb__hash_text(expression) %}md5({{ expression }}){% endmacro %}
{% macro default__hash_text(expression) %}lower(to_hex(md5(to_utf8({{ expression }})))){% endmacro %}

{# Lower-case hexadecimal SHA-256 of a text. #}
{% macro sha256_text(expression) %}{{ return(adapter.dispatch('sha256_text', 'blotout')(expression)) }}{% endmacro %}
{% macro duckdb__sha256_text(expression) %}sha256({{ expression }}){% endmacro %}
{% macro default__sha256_text(expression) %}lower(to_hex(sha256(to_utf8({{ expression }})))){% endmacro %}

{# The distinct values that are not null, sorted; null when there are none. #}
{% macro sorted_distinct(expression) %}array_sort(array_agg(distinct {{ expression }}) filter (where {{ expression }} is not null)){% endmacro %}

{# Every match of a regular expression replaced. #}
{% macro replace_all(expression, pattern, replacement) %}{{ return(adapter.dispatch('replace_all', 'blotout')(expression, pattern, replacement)) }}{% endmacro %}
{% macro duckdb__replace_all(expression, pattern, replacement) %}regexp_replace({{ expression }}, '{{ pattern }}', '{{ replacement }}', 'g'){% endmacro %}
{% macro default__replace_all(expression, pattern, replacement) %}regexp_replace({{ expression }}, '{{ pattern }}', '{{ replacement }}'){% endmacro %}

{% macro matches(expression, pattern) %}{{ return(adapter.dispatch('matches', 'blotout')(expression, pattern)) }}{% endmacro %}
{% macro duckdb__matches(expression, pattern) %}regexp_matches({{ expression }}, '{{ pattern }}'){% endmacro %}
{% macro default__matches(expression, pattern) %}regexp_like({{ expression }}, '{{ pattern }}'){% endmacro %}

{# The text at a top-level key of a JSON object; null when there is none. #}
{% macro json_text(expression, key) %}{{ return(adapter.dispatch('json_text', 'blotout')(expression, key)) }}{% endmacro %}
{% macro duckdb__json_text(expression, key) %}json_extract_string({{ expression }}, '$."{{ key }}"'){% endmacro %}
{% macro default__json_text(expression, key) %}json_extract_scalar({{ expression }}, '$["{{ key }}"]'){% endmacro %}

{# Type names. Iceberg tables of Trino keep microseconds and the zone; those of Athena keep UTC without it. #}
{% macro timestamp_type() %}{{ return(adapter.dispatch('timestamp_type', 'blotout')()) }}{% endmacro %}
{% macro duckdb__timestamp_type() %}timestamp with time zone{% endmacro %}
{% macro default__timestamp_type() %}timestamp(6) with time zone{% endmacro %}
{% macro athena__timestamp_type() %}timestamp(6){% endmacro %}

{% macro money_type() %}decimal(18, 4){% endmacro %}

{# Of sums: a few forged amounts must not be more than it holds. #}
{% macro money_sum_type() %}decimal(38, 4){% endmacro %}

{# Day of a timestamp in UTC: both dialects run with the session zone UTC. #}
{% macro utc_date(expression) %}cast({{ expression }} as date){% endmacro %}

{# A sum of money; 0 for no rows. #}
{% macro money_sum(expression) %}cast(coalesce(sum({{ expression }}), 0) as {{ money_sum_type() }}){% endmacro %}

{# A name without case, blanks, `_` and `-`, as the vars of dbt_project.yml list them. #}
{% macro bare_name(expression) %}lower({{ replace_all(expression, '[ _-]', '') }}){% endmacro %}

{# `'a', 'b'` from a list of texts. #}
{% macro literals(texts) %}{% for text in texts %}'{{ text }}'{% if not loop.last %}, {% endif %}{% endfor %}{% endmacro %}
