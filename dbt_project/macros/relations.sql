{# Names of relations. On DuckDB they go without the database: a view then also works in the published copy,
   whose catalog has another name than the file it was copied from. #}

{% macro generate_schema_name(custom_schema_name, node) %}{{ target.schema }}{% endmacro %}

{% macro ref() %}
    {%- set relation = builtins.ref(*varargs, **kwargs) -%}
    {%- do return(relation.include(database=false) if target.type == 'duckdb' else relation) -%}
{% endmacro %}

{% macro source() %}
    {%- set relation = builtins.source(*varargs) -%}
    {%- if target.type == 'duckdb' -%}{%- do return(relation.include(database=false)) -%}{%- endif -%}
    {%- do return(adapter.dispatch('lake_relation', 'blotout')(relation, varargs[1])) -%}
{% endmacro %}

{# Athena reads timestamps with a zone from the lake, and makes no table and no view that has one: they are taken
   in as UTC without it. A source has no timestamps that are not in sources.yml. #}
{% macro default__lake_relation(relation, name) %}{% do return(relation) %}{% endmacro %}
{% macro athena__lake_relation(relation, name) %}
    {%- set columns = [] -%}
    {%- for node in (graph.sources.values() if execute else []) if node.name == name -%}
        {%- for column in node.columns.values() -%}
            {%- set bare = '"' ~ column.name ~ '"' -%}
            {%- set taken = "cast(" ~ bare ~ " at time zone 'UTC' as " ~ timestamp_type() ~ ") as " ~ bare -%}
            {%- do columns.append(taken if column.data_type == 'timestamptz' else bare) -%}
        {%- endfor -%}
    {%- endfor -%}
    {%- do return('(select ' ~ columns | join(', ') ~ ' from ' ~ relation ~ ')' if columns else relation) -%}
{% endmacro %}

{# What an earlier run left in a model's table, or none. Not a ref: the model may come later in the graph. #}
{% macro earlier(model_name) %}
    {%- if not execute -%}{%- do return(none) -%}{%- endif -%}
    {%- do return(adapter.get_relation(database=target.database, schema=target.schema, identifier=model_name)) -%}
{% endmacro %}
