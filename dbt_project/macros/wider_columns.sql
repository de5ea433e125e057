{# Columns of incremental tables that became wider. A table that an older version made holds sums of money as
   decimal(18, 4): Trino refuses a decimal(38, 4) there, DuckDB one that does not fit. `append_new_columns` adds columns
   and changes no type, so decimals get their new precision here, before the new rows come. #}

{# dbt's own, called by every incremental model between its query and the insert. #}
{% macro process_schema_changes(on_schema_change, source_relation, target_relation) %}
    {%- do widen_decimals(source_relation, target_relation) -%}
    {%- do return(
        adapter.dispatch('process_schema_changes', 'dbt')(on_schema_change, source_relation, target_relation)
    ) -%}
{% endmacro %}

{# Decimals of the target that have the scale of the source's and less precision. #}
{% macro widen_decimals(source_relation, target_relation) %}
    {%- set held = {} -%}
    {%- for column in adapter.get_columns_in_relation(target_relation) -%}
        {%- do held.update({column.name | lower: decimal_size(column)}) -%}
    {%- endfor -%}
    {%- for column in adapter.get_columns_in_relation(source_relation) -%}
        {%- set came, was = decimal_size(column), held.get(column.name | lower) -%}
        {%- if came and was and came[1] == was[1] and came[0] > was[0] -%}
            {%- call statement('widen_column') -%}
                {{ widen_column(target_relation, column.name, 'decimal(' ~ came[0] ~ ', ' ~ came[1] ~ ')') }}
            {%- endcall -%}
        {%- endif -%}
    {%- endfor -%}
{% endmacro %}

{# Precision and scale of a column; nothing when it is no decimal. #}
{% macro decimal_size(column) %}
    {%- set found = modules.re.search('^(?:decimal|numeric)[(]([0-9]+), *([0-9]+)[)]$', column.data_type | lower) -%}
    {%- do return([found.group(1) | int, found.group(2) | int] if found else none) -%}
{% endmacro %}

{% macro widen_column(relation, name, type) %}{{ return(adapter.dispatch('widen_column', 'blotout')(relation, name, type)) }}{% endmacro %}
{% macro default__widen_column(relation, name, type) %}alter table {{ relation }} alter column "{{ name }}" set data type {{ type }}{% endmacro %}
{% macro athena__widen_column(relation, name, type) %}alter table {{ relation.render_hive() }} change column `{{ name }}` `{{ name }}` {{ type }}{% endmacro %}
