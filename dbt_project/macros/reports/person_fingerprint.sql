{# How report models find their work without a watermark: each row keeps the fingerprint of what it was
computed from, per person. A person whose present fingerprint differs from the stored one is recomputed; one
that is gone (merged, blocked, order removed) is deleted. So nothing is lost by a killed run, by late events or
by a rebuilt id graph, and the result equals a full refresh. #}

{# Order-independent checksum of rows over these columns, as text. #}
{% macro rows_checksum(columns) %}{{ return(adapter.dispatch('rows_checksum', 'blotout')(columns)) }}{% endmacro %}

{% macro duckdb__rows_checksum(columns) -%}
cast(bit_xor(hash({{ columns | join(', ') }})) as varchar)
{%- endmacro %}

{% macro default__rows_checksum(columns) -%}
to_hex(checksum(row({{ columns | join(', ') }})))
{%- endmacro %}

{# Pre-hook: drop the rows of people that changed or are gone since the rows were computed. #}
{% macro delete_changed_people(people) -%}
{% if is_incremental() -%}
delete from {{ this }}
where not exists (
  select 1
  from {{ people }} as people
  where people.person_key = {{ this }}.person_key
    and people.input_fingerprint = {{ this }}.input_fingerprint
)
{%- endif %}
{%- endmacro %}

{# Condition on a relation aliased `people`: not computed yet, with this input. #}
{% macro is_changed_person() -%}
{% if is_incremental() -%}
not exists (
  select 1
  from {{ this }} as done
  where done.person_key = people.person_key and done.input_fingerprint = people.input_fingerprint
)
{%- else -%}
1 = 1
{%- endif %}
{%- endmacro %}
