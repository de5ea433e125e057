{{ config(materialized='incremental', incremental_strategy='append',
          pre_hook="{{ delete_touched([('global_user_id', 'select global_user_id from ' ~ ref('touched_users'))]) }}") }}
-- depends_on: {{ ref('touched_users') }}
{% set touched = 'select global_user_id from ' ~ ref('touched_users') %}
{% set profile_fields = ['first_name', 'last_name', 'email', 'phone', 'city', 'state', 'zip', 'country', 'gender'] %}
{% set persona = {'first_name': 'persona_firstname', 'last_name': 'persona_lastname', 'email': 'persona_email',
                  'phone': 'persona_number', 'city': 'persona_city', 'state': 'persona_state', 'zip': 'persona_zip',
                  'country': 'persona_country', 'gender': 'persona_gender'} %}
with events as (
    select *,
        row_number() over (partition by global_user_id order by occurred_at, event_key) as place
    from {{ ref('unified_events') }}
    where global_user_id is not null {{ only_touched('global_user_id', touched, keyword='and') }}
),

seen as (
    select
        global_user_id,
        bool_or(is_stitched) as is_stitched,
        min(occurred_at) as first_seen_at,
        max(occurred_at) as last_seen_at,
        count(*) filter (where not is_bot) as events,
        count(distinct visitor_key) as visitors,
        {% for field, column in persona.items() -%}
        max_by({{ column }}, place) filter (where nullif(trim({{ column }}), '') is not null) as {{ field }},
        {% endfor -%}
        max_by(persona_username, place) filter (where nullif(trim(persona_username), '') is not null) as username,
        max_by(consent, place) filter (where consent is not null) as consent
    from events
    group by global_user_id
),

profiles as (
    select *,
        row_number() over (
            partition by global_user_id order by coalesce(updated_at, created_at) nulls first, profile_key
        ) as place
    from {{ ref('stg_crm_profiles') }}
    where global_user_id is not null {{ only_touched('global_user_id', touched, keyword='and') }}
),

known as (
    select
        global_user_id,
        bool_or(is_stitched) as is_stitched,
        {% for field in profile_fields + ['birth_date', 'accepts_marketing'] -%}
        max_by({{ field }}, place) filter (where {{ field }} is not null) as {{ field }},
        {% endfor -%}
        {{ sorted_distinct('source_name') }} as crm_sources
    from profiles
    group by global_user_id
),

ids as (
    select
        global_user_id,
        count(*) as ids,
        {{ sorted_distinct("case when id_type = 'email' then id end") }} as emails,
        {{ sorted_distinct("case when id_type = 'phone' then id end") }} as phones
    from {{ ref('known_ids') }}
    where global_user_id is not null {{ only_touched('global_user_id', touched, keyword='and') }}
    group by global_user_id
),

visits as (
    select *,
        row_number() over (partition by global_user_id order by session_started_at, session_key) as from_first,
        row_number() over (partition by global_user_id order by session_started_at desc, session_key desc) as from_last
    from {{ ref('sessions') }}
    where not is_bot {{ only_touched('global_user_id', touched, keyword='and') }}
),

visited as (
    select
        global_user_id,
        count(*) as sessions,
        cast(sum(page_views) as bigint) as page_views,
        cast(sum(engaged_seconds) as bigint) as engaged_seconds,
        min(session_started_at) as first_session_at,
        max(session_started_at) as last_session_at,
        {% for which in ['first', 'last'] -%}
        max(case when from_{{ which }} = 1 then channel end) as {{ which }}_channel,
        {% for name in ['campaign', 'source', 'medium'] -%}
        max(case when from_{{ which }} = 1 then utm_{{ name }} end) as {{ which }}_{{ name }},
        {% endfor -%}
        max(case when from_{{ which }} = 1 then referrer_host end) as {{ which }}_referrer_host,
        {% endfor -%}
        {% for name in ['country', 'browser', 'os', 'platform'] -%}
        max(case when from_last = 1 then {{ name }} end) as last_{{ name }}{{ ',' if not loop.last }}
        {% endfor %}
    from visits
    group by global_user_id
),

orders as (
    select *,
        row_number() over (partition by global_user_id order by converted_at, transaction_key) as place
    from {{ ref('conversions') }}
    where global_user_id is not null and not is_bot
        {{ only_touched('global_user_id', touched, keyword='and') }}
),

ordered as (
    select
        global_user_id,
        count(*) as orders,
        min(converted_at) as first_order_at,
        max(converted_at) as last_order_at,
        max(case when place = 1 then transaction_key end) as first_transaction_key
    from orders
    group by global_user_id
),

refunds as (
    select global_user_id, currency, refunded
    from ({{ refunds_by_person() }}) as refunds_of_people
    {{ only_touched('global_user_id', touched) }}
),

{# Currencies are never added up: money is that of the person's main currency, and `currencies` tells of others. #}
money as (
    select global_user_id, currency, 1 as orders, revenue, cast(0 as {{ money_type() }}) as refunded
    from orders
    union all
    select global_user_id, currency, 0 as orders, cast(0 as {{ money_type() }}) as revenue, refunded
    from refunds
),

by_currency as (
    select
        global_user_id, currency, {{ money_sum('revenue') }} as revenue, {{ money_sum('refunded') }} as refunded,
        row_number() over (
            partition by global_user_id order by sum(orders) desc, count(*) desc, currency nulls last
        ) as place
    from money
    group by global_user_id, currency
),

earned as (
    select
        global_user_id,
        max(case when place = 1 then currency end) as currency,
        {{ sorted_distinct('currency') }} as currencies,
        max(case when place = 1 then revenue end) as revenue,
        {{ money_sum('case when place = 1 or currency is null then refunded end') }} as refunded
    from by_currency
    group by global_user_id
),

people as (
    select global_user_id from seen
    union
    select global_user_id from known
    union
    select global_user_id from ids
)

select
    people.global_user_id,
    coalesce(seen.is_stitched, false) or coalesce(known.is_stitched, false) or ids.global_user_id is not null
        as is_stitched,
    {% for field in profile_fields -%}
    coalesce(known.{{ field }}, seen.{{ field }}) as {{ field }},
    {% endfor -%}
    known.birth_date,
    seen.username,
    ids.emails,
    ids.phones,
    known.crm_sources,
    known.accepts_marketing,
    seen.consent,
    coalesce(ids.ids, 0) as ids,
    coalesce(seen.visitors, 0) as visitors,
    seen.first_seen_at,
    seen.last_seen_at,
    coalesce(seen.events, 0) as events,
    coalesce(visited.sessions, 0) as sessions,
    coalesce(visited.page_views, 0) as page_views,
    coalesce(visited.engaged_seconds, 0) as engaged_seconds,
    visited.first_session_at,
    visited.last_session_at,
    coalesce(ordered.orders, 0) as orders,
    coalesce(earned.revenue, cast(0 as {{ money_sum_type() }})) as revenue,
    coalesce(earned.refunded, cast(0 as {{ money_sum_type() }})) as refunded,
    cast(coalesce(earned.revenue, 0) - coalesce(earned.refunded, 0) as {{ money_sum_type() }}) as net_revenue,
    earned.currency,
    earned.currencies,
    ordered.first_order_at,
    ordered.last_order_at,
    ordered.first_transaction_key,
    {% for which in ['first', 'last'] -%}
    {% for name in ['channel', 'campaign', 'source', 'medium', 'referrer_host'] -%}
    visited.{{ which }}_{{ name }},
    {% endfor -%}
    {% endfor -%}
    {% for name in ['country', 'browser', 'os', 'platform'] -%}
    visited.last_{{ name }},
    {% endfor -%}
    coalesce(seen.visitors, 0) > 0 and visited.global_user_id is null as is_bot
from people
left join seen on seen.global_user_id = people.global_user_id
left join known on known.global_user_id = people.global_user_id
left join ids on ids.global_user_id = people.global_user_id
left join visited on visited.global_user_id = people.global_user_id
left join ordered on ordered.global_user_id = people.global_user_id
left join earned on earned.global_user_id = people.global_user_id
