{# What the names and ids of events mean, said once for online and offline rows. #}

{% macro is_page_view(event_name) %}coalesce({{ bare_name(event_name) }} in ({{ literals(var('page_view_events')) }}), false){% endmacro %}
{% macro is_transaction(event_name) %}coalesce({{ bare_name(event_name) }} in ({{ literals(var('transaction_events')) }}), false){% endmacro %}
{% macro is_offline_order(event_name) %}coalesce({{ bare_name(event_name) }} in ({{ literals(var('offline_order_events')) }}), false){% endmacro %}
{% macro is_offline_refund(event_name) %}coalesce({{ bare_name(event_name) }} in ({{ literals(var('offline_refund_events')) }}), false){% endmacro %}

{# Hash that all events of one SDK session share. The id is a clock reading in milliseconds, so two visitors
   can have the same one: origin and user agent keep them apart. Null without an SDK session id. #}
{% macro sdk_session_key(table) -%}
    case when nullif({{ table }}.session_id, '') is not null then
        {{ hash_text(table ~ ".session_id || '|' || coalesce(" ~ table ~ ".headers_origin, '') || '|' || coalesce(" ~ table ~ ".user_agent, '')") }}
    end
{%- endmacro %}

{# First arrival wins: the order of an event's deliveries, which does not depend on the order of processing. #}
{% macro delivery_order() %}received_at, arrival_hour, landing_file, landing_line, landing_index{% endmacro %}

{# The order of a visitor's events. #}
{% macro event_order() %}occurred_at, received_at, event_id{% endmacro %}

{# Key of an order: its transaction id, else the event that told of it. #}
{% macro transaction_key(transaction_id, event_id) %}coalesce(nullif({{ transaction_id }}, ''), 'event:' || {{ event_id }}){% endmacro %}

{# Key of an id in the id graph: type, provider and id; as text, because provider may be null. #}
{% macro id_key(id_type, provider, id) %}{{ id_type }} || ':' || coalesce({{ provider }}, '') || ':' || {{ id }}{% endmacro %}

{# Person of an id that the id graph does not know. #}
{% macro anonymous_user_id(key) %}'anonymous-' || {{ hash_text(key) }}{% endmacro %}

{# Hash of a row's values; a null differs from an empty text. #}
{% macro row_hash(columns) -%}
    {%- set parts = [] -%}
    {%- for column in columns -%}
        {%- do parts.append("coalesce('=' || cast(" ~ column ~ " as varchar), '-')") -%}
    {%- endfor -%}
    {{ hash_text(parts | join(" || '|' || ")) }}
{%- endmacro %}

{# Refunds that name an amount, each of its order's person: that is the browser's when the source's customer is not
   known. Without a known order it is the refund's own. #}
{% macro refunds_by_person() -%}
    select
        coalesce(sold.global_user_id, told.global_user_id) as global_user_id,
        told.occurred_at, told.currency, abs(told.revenue) as refunded
    from {{ ref('unified_events') }} as told
    left join {{ ref('conversions') }} as sold on sold.transaction_key = told.transaction_key and not sold.is_bot
    where told.is_refund and not told.is_bot and told.revenue is not null
        and coalesce(sold.global_user_id, told.global_user_id) is not null
{%- endmacro %}
