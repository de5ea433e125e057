{# How an id of a source meets its node in the id graph (id_graph/normalize.py has the full rules): provider and
   e-mail in lower case, 64 hexadecimal digits as the hash they are. A phone meets its node when it is written
   internationally (`+`); numbering plans are beyond SQL, and profiles are found by their id first. #}

{% macro normalised_email(email) %}nullif(lower(trim({{ email }})), ''){% endmacro %}

{% macro normalised_phone(phone) %}nullif({{ replace_all(phone, '[^0-9+]', '') }}, ''){% endmacro %}

{% macro source_id_key(id_type, provider, id) -%}
    case
        when {{ id }} is null or trim({{ id }}) = '' or {{ id_type }} is null then null
        when {{ id_type }} in ('email', 'phone') and {{ matches('lower(trim(' ~ id ~ '))', '^[0-9a-f]{64}$') }}
            then {{ id_key(id_type ~ " || '_sha256'", 'null', 'lower(trim(' ~ id ~ '))') }}
        when {{ id_type }} = 'email' then {{ id_key("'email'", 'null', normalised_email(id)) }}
        when {{ id_type }} = 'phone' then {{ id_key("'phone'", 'null', normalised_phone(id)) }}
        when {{ id_type }} = 'map_id'
            then {{ id_key(id_type, "coalesce(nullif(lower(trim(" ~ provider ~ ")), ''), 'unknown')", 'trim(' ~ id ~ ')') }}
        else {{ id_key(id_type, 'null', 'trim(' ~ id ~ ')') }}
    end
{%- endmacro %}
