{{ config(materialized='table', tags=['campaign']) }}

{# What links may call a campaign. Its key is its utm_campaign where it has one: another campaign's name or id comes
after that. #}
with names as (
  select ad_platform, campaign_key, campaign_key as alias, 0 as alias_rank, utm_source from {{ ref('campaign_spend') }}
  union all
  select ad_platform, campaign_key, {{ campaign_key('campaign_name') }} as alias, 1 as alias_rank, utm_source
  from {{ ref('campaign_spend') }}
  union all
  select ad_platform, campaign_key, {{ campaign_key('campaign_id') }} as alias, 2 as alias_rank, utm_source
  from {{ ref('campaign_spend') }}
),

{# One campaign a name at most, here and below: a session is never joined to two campaigns. #}
by_platform as (
  select ad_platform, alias, campaign_key
  from (
    select
      ad_platform, alias, campaign_key,
      row_number() over (partition by ad_platform, alias order by alias_rank, campaign_key) as place
    from names
    where alias is not null
  ) as ranked
  where place = 1
),

by_source as (
  select source_key, alias, ad_platform
  from (
    select
      lower(trim(utm_source)) as source_key, alias, ad_platform,
      row_number() over (
        partition by lower(trim(utm_source)), alias order by alias_rank, ad_platform
      ) as place
    from names
    where alias is not null and utm_source is not null
  ) as ranked
  where place = 1
),

visits as (
  select
    sessions.session_key,
    sessions.global_user_id,
    sessions.session_started_at,
    sessions.click_id_type,
    sessions.utm_campaign,
    {{ campaign_key('sessions.utm_campaign') }} as alias,
    lower(trim(sessions.utm_source)) as source_key,
    {{ ad_platform_of_click_id('sessions.click_id_type') }} as click_platform,
    {{ ad_platform_of_source('sessions.utm_source', campaign_key('sessions.utm_campaign')) }} as source_platform,
    row_number() over (
      partition by sessions.global_user_id
      order by sessions.session_started_at, sessions.session_key
    ) as person_session_number
  from {{ ref('sessions') }} as sessions
  where not sessions.is_bot
),

placed as (
  select
    visits.*,
    coalesce(visits.click_platform, by_source.ad_platform, visits.source_platform) as platform
  from visits
  left join by_source on by_source.source_key = visits.source_key and by_source.alias = visits.alias
),

matched as (
  select
    placed.*,
    coalesce(placed.platform, case when placed.alias is null then '(none)' else '(other)' end) as ad_platform,
    coalesce(
      by_platform.campaign_key,
      placed.alias,
      case when placed.platform is null then '(none)' else '(not set)' end
    ) as campaign_key,
    by_platform.campaign_key is not null as is_matched
  from placed
  left join by_platform on by_platform.ad_platform = placed.platform and by_platform.alias = placed.alias
)

select
  matched.session_key,
  matched.global_user_id,
  matched.session_started_at,
  {{ local_date(
    'matched.session_started_at', "coalesce(directory.account_time_zone, '" ~ var('report_time_zone', 'UTC') ~ "')"
  ) }} as session_date,
  matched.ad_platform,
  matched.campaign_key,
  coalesce(directory.campaign_name, matched.utm_campaign, matched.campaign_key) as campaign,
  coalesce(directory.account_time_zone, '{{ var("report_time_zone", "UTC") }}') as account_time_zone,
  matched.is_matched,
  matched.click_id_type is not null as has_click_id,
  matched.person_session_number = 1 as is_first_session
from matched
left join {{ ref('campaign_directory') }} as directory
  on directory.ad_platform = matched.ad_platform and directory.campaign_key = matched.campaign_key
