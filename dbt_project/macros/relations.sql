{# Names of relations. On DuckDB they go without the database: a view then also works in the published copy,
   whose catalog has another name than the file it was copied from. #}

{% macro generate_schema_name(custom_schema_name, node) %}{{ target.schema }}{% endmacro %}

{% macro ref() %}
    {%- set relation = builtins.ref(*varargs, **kwargs) -%}
    {%- do return(relation.include(database=false) if target.type == 'duckdb' else relation) -%}
{% endmacro %}

{% macro source() %}
    {%- set relation = builtins.source(*varargs) -%}
    {%- do return(relation.include(database=false) if target.type == 'duckdb' else relation) -%}
{% endmacro %}

{# What an earlier run left in a model's table, or none. Not a ref: the model may come later in the graph. #}
{% macro earlier(model_name) %}
    {%- if not execute -%}{%- do return(none) -%}{%- endif -%}
    {%- do return(adapter.get_relation(database=target.database, schema=target.schema, identifier=model_name)) -%}
{% endmacro %}
