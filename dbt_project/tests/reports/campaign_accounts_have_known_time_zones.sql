{{ config(severity='warn', meta={'dagster': {'ref': {'name': 'campaign_spend'}}}) }}
{# Accounts whose time zone is no IANA name: their days are taken as those of report_time_zone. #}
-- depends_on: {{ ref('campaign_spend') }}

select
  source_name,
  ad_platform,
  account_id,
  account_time_zone,
  count(*) as spend_rows
from {{ source('lake', 'ad_spend') }}
where nullif(trim(account_time_zone), '') is not null and {{ known_time_zone('account_time_zone') }} is null
group by source_name, ad_platform, account_id, account_time_zone
