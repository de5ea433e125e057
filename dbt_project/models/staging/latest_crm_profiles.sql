{{ config(materialized='ephemeral') }}
{# The newest load of every CRM profile, with a hash of what it says; when it was loaded is left out of it. #}
with hashed as (
    select
        source_name || ':' || profile_id as profile_key,
        {{ source_id_key("'map_id'", 'profile_id_provider', 'profile_id') }} as profile_id_key,
        {{ source_id_key("'email'", 'null', 'email') }} as email_key,
        {{ source_id_key("'phone'", 'null', 'phone') }} as phone_key,
        source_name, profile_id, profile_id_provider,
        nullif(trim(email), '') as email, nullif(trim(phone), '') as phone,
        nullif(trim(first_name), '') as first_name, nullif(trim(last_name), '') as last_name,
        nullif(trim(city), '') as city, nullif(trim(state), '') as state, nullif(trim(zip), '') as zip,
        nullif(trim(country), '') as country, nullif(trim(gender), '') as gender, birth_date,
        accepts_marketing, created_at, updated_at, attributes, etl_run_datetime,
        {{ row_hash(['profile_id_provider', 'email', 'phone', 'first_name', 'last_name', 'city', 'state', 'zip',
                     'country', 'gender', 'birth_date', 'accepts_marketing', 'created_at', 'updated_at',
                     'attributes']) }} as row_hash
    from {{ source('lake', 'crm_profiles') }}
    where profile_id is not null and source_name is not null
),

ranked as (
    select
        *, row_number() over (partition by profile_key order by etl_run_datetime desc, updated_at desc, row_hash) as recency
    from hashed
)

select
    profile_key, profile_id_key, email_key, phone_key, source_name, profile_id, profile_id_provider,
    email, phone, first_name, last_name, city, state, zip, country, gender, birth_date,
    accepts_marketing, created_at, updated_at, attributes, row_hash
from ranked
where recency = 1
