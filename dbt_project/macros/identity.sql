{# How an id of a source meets its node in the id graph (id_graph/normalize.py has the full rules): provider and
   e-mail in lower case, 64 hexadecimal digits as the hash they are. A phone meets its node when it is written
   internationally (`+`); numbering plans are beyond SQL, and profiles are found by their id first. What the id graph
   refuses as junk (id_graph/rules.py) is no id here either, or all who share it would be one person. #}

{# A junk word or its hash, or only zeros and signs. #}
{% macro is_junk_id(id) -%}
    (lower(trim({{ id }})) in ('', {{ literals(var('junk_ids')) }})
    or {{ matches('trim(' ~ id ~ ')', '^(0|[^\\p{L}\\p{N}])*$') }}
    or lower(trim({{ id }})) in (
        {{ sha256_text("''") }}{% for word in var('junk_ids') %}, {{ sha256_text("'" ~ word ~ "'") }}{% endfor %}
    ))
{%- endmacro %}

{# An address of nobody: by what stands before its @, or by its domain or one above it. #}
{% macro is_junk_email(id) -%}
    ({{ matches('lower(trim(' ~ id ~ '))', '^(' ~ var('junk_email_local_parts') | join('|') ~ ')@[^@]*$') }}
    or {{ matches('lower(trim(' ~ id ~ '))', '@([^@]*[.])?(' ~ var('junk_email_domains') | join('|') | replace('.', '[.]') ~ ')$') }})
{%- endmacro %}

{# An id as sent, null when it is junk. #}
{% macro known_id(id) %}case when not {{ is_junk_id(id) }} then {{ id }} end{% endmacro %}

{% macro normalised_email(email) %}nullif(lower(trim({{ email }})), ''){% endmacro %}

{% macro normalised_phone(phone) %}nullif({{ replace_all(phone, '[^0-9+]', '') }}, ''){% endmacro %}

{% macro source_id_key(id_type, provider, id) -%}
    case
        when {{ id }} is null or {{ id_type }} is null or {{ is_junk_id(id) }} then null
        when {{ id_type }} = 'email' and {{ is_junk_email(id) }} then null
        when {{ id_type }} in ('email', 'phone') and {{ matches('lower(trim(' ~ id ~ '))', '^[0-9a-f]{64}$') }}
            then {{ id_key(id_type ~ " || '_sha256'", 'null', 'lower(trim(' ~ id ~ '))') }}
        when {{ id_type }} = 'email' then {{ id_key("'email'", 'null', normalised_email(id)) }}
        when {{ id_type }} = 'phone' then {{ id_key("'phone'", 'null', normalised_phone(id)) }}
        when {{ id_type }} = 'map_id'
            then {{ id_key(id_type, "coalesce(nullif(lower(trim(" ~ provider ~ ")), ''), 'unknown')", 'trim(' ~ id ~ ')') }}
        else {{ id_key(id_type, 'null', 'trim(' ~ id ~ ')') }}
    end
{%- endmacro %}
