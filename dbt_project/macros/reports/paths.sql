{# `A > B > C` from a list of names; null for null. #}
{% macro path_text(names) %}{{ return(adapter.dispatch('path_text', 'blotout')(names)) }}{% endmacro %}
{% macro duckdb__path_text(names) %}array_to_string({{ names }}, ' > '){% endmacro %}
{% macro default__path_text(names) %}array_join({{ names }}, ' > '){% endmacro %}
