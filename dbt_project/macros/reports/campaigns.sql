{# How sessions and spend are recognised as the same campaign. #}

{# Names of one campaign are compared without case and outer blanks. #}
{% macro campaign_key(expression) -%}
nullif(lower(trim({{ expression }})), '')
{%- endmacro %}

{# utm_source values of the platforms' links, beside the exact platform name; var `ad_platform_sources`. #}
{% macro ad_platform_sources() %}
{{ return(var('ad_platform_sources', {
  'google': ['google', 'adwords', 'googleads', 'google_ads', 'youtube'],
  'facebook': ['facebook', 'fb', 'meta', 'instagram', 'ig', 'facebook_ads'],
  'twitter': ['twitter', 'x', 't.co', 'twitter_ads'],
  'tiktok': ['tiktok', 'tiktok_ads'],
  'microsoft': ['microsoft', 'bing', 'bing_ads', 'microsoft_ads']
})) }}
{% endmacro %}

{% macro ad_platform_of_click_id(click_id_type) -%}
case {{ click_id_type }}
  when 'gclid' then 'google'
  when 'fbclid' then 'facebook'
  when 'twclid' then 'twitter'
  when 'ttclid' then 'tiktok'
  when 'msclkid' then 'microsoft'
end
{%- endmacro %}

{# A source names a platform's campaign only with a campaign beside it: organic visits carry no utm_campaign. #}
{% macro ad_platform_of_source(utm_source, utm_campaign) -%}
case
  when {{ utm_campaign }} is null then null
  {% for platform, sources in ad_platform_sources().items() -%}
  when lower(trim({{ utm_source }})) in ({{ literals(sources) }}) then '{{ platform }}'
  {% endfor -%}
end
{%- endmacro %}
