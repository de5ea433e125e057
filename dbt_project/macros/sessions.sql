{# Visitors whose sessions change: those whose events do, and those who win or lose a conversion to another visitor
   or whose conversion has another revenue now. #}
{% macro visitors_of_touched_sessions() -%}
    select visitor_key from {{ ref('touched_visitors') }}
    union
    select previous_visitor_key from {{ ref('touched_transactions') }} where previous_visitor_key is not null
    union
    select visitor_key from {{ ref('conversions') }}
    where visitor_key is not null
        and transaction_key in (select transaction_key from {{ ref('touched_transactions') }})
{%- endmacro %}

{# The first value in the session that is not null. #}
{% macro first_known(column) -%}
    min_by({{ column }}, session_event_index) filter (where {{ column }} is not null)
{%- endmacro %}

{% macro last_known(column) -%}
    max_by({{ column }}, session_event_index) filter (where {{ column }} is not null)
{%- endmacro %}

{# The value of the session's first event, null included. #}
{% macro of_first_event(column) -%}
    max(case when session_event_index = 1 then {{ column }} end)
{%- endmacro %}
