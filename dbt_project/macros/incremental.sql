{# How models stay equal to a full refresh: an incremental build first writes down what it touches (the ledgers
   of models/changes), then every model replaces exactly the rows of the touched keys. A killed build leaves its
   ledgers; the next one adds to them, because processed_hours and completed_builds are written last. #}

{# Whether this build may keep rows: false on a full refresh, and after an interrupted one (which drops
   processed_hours first), so that the next build heals it by replacing everything. True while dbt parses, so
   that it sees the refs of that branch. #}
{% macro keeps_rows() %}
    {%- if not execute -%}{%- do return(true) -%}{%- endif -%}
    {%- do return(is_incremental() and earlier('processed_hours') is not none) -%}
{% endmacro %}

{# Number of the build that is running: one more than the last one that was completed. #}
{% macro current_build() %}
    {%- set completed = earlier('completed_builds') -%}
    {%- if completed is none -%}cast(1 as bigint)
    {%- else -%}(select coalesce(max(build_number), 0) + 1 from {{ completed }})
    {%- endif -%}
{% endmacro %}

{# Pre-hook of a model: deletes the rows that the model's query brings again. `conditions` are alternatives,
   each a pair of a column and the query of its touched keys. #}
{% macro delete_touched(conditions) %}
    {%- if is_incremental() -%}
        {%- if keeps_rows() -%}
            delete from {{ this }} where
            {%- for column, keys in conditions %} {{ column }} in ({{ keys }}){% if not loop.last %} or{% endif %}{% endfor %}
        {%- else -%}
            delete from {{ this }}
        {%- endif -%}
    {%- endif -%}
{% endmacro %}

{# Pre-hook of a ledger: forgets completed builds, keeps what a killed build has written down. #}
{% macro forget_completed_builds() %}
    {%- if is_incremental() -%}
        delete from {{ this }} {% if keeps_rows() %}where build_number < {{ current_build() }}{% endif %}
    {%- endif -%}
{% endmacro %}

{# Pre-hook of the first model: a full refresh that is killed must not pass for a completed build. #}
{% macro begin_full_refresh() %}
    {%- if execute and should_full_refresh() -%}
        {%- set processed = earlier('processed_hours') -%}
        {%- if processed is not none -%}{%- do adapter.drop_relation(processed) -%}{%- endif -%}
    {%- endif -%}
{% endmacro %}

{# `where column in (keys)` while rows are kept; nothing when everything is rebuilt. #}
{% macro only_touched(column, keys, keyword='where') %}
    {%- if keeps_rows() %} {{ keyword }} {{ column }} in ({{ keys }}){% endif -%}
{% endmacro %}
