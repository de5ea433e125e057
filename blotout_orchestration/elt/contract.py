"""The tables that every offline source is mapped to, whatever its own shape.

The id graph reads `id_mappings`, dbt reads the other three; a source that fills them is stitched, unified
and attributed without a line of SQL. Belongs here: declarations only.
"""

from __future__ import annotations

from blotout_orchestration.lake.tables import Column, TableSpec

_LOADED = (
    Column("etl_run_date", "date", "Day of the load, UTC."),
    Column("etl_run_datetime", "timestamp", "When the load ran, UTC."),
)

ID_MAPPINGS = TableSpec(
    "id_mappings",
    "Pairs of ids that a source says belong to one person (the `id_mapping` of its streams).",
    (
        Column("source_name", "string", "Source that says so."),
        Column("id_a", "string", "First id, as the source has it."),
        Column("id_a_type", "string", "`email`, `phone`, `map_id`, `user_id` ..."),
        Column(
            "id_a_provider",
            "string",
            "System that gave the first id (`map_provider`); null for e-mail and phone.",
        ),
        Column("id_b", "string", "Second id."),
        Column("id_b_type", "string", "Type of the second id."),
        Column("id_b_provider", "string", "System that gave the second id."),
        Column("seen_at", "timestamp", "When the source knew both."),
        *_LOADED,
    ),
)

OFFLINE_EVENTS = TableSpec(
    "offline_events",
    "What happened outside the click stream: orders, refunds, CRM events (the `event_map` of a stream).",
    (
        Column("event_id", "string", "Unique within the source; stable from load to load."),
        Column("source_name", "string", "Source, e.g. `shopify`."),
        Column("event_name", "string", "`order_completed`, `order_refunded`, or the source's own name."),
        Column("event_datetime", "timestamp", "When it happened."),
        Column("person_id", "string", "Id of the person in the source; null when unknown."),
        Column("person_id_type", "string", "`map_id`, `email` or `phone`."),
        Column(
            "person_id_provider",
            "string",
            "Provider of that id as in the id graph; null for e-mail and phone.",
        ),
        Column("transaction_id", "string", "Order; equal to the online transaction id of the same order."),
        Column("revenue", "money", "Order value; negative for refunds."),
        Column("currency", "string", "ISO 4217."),
        Column("quantity", "double", "Units."),
        Column("attributes", "string", "Everything else, JSON object."),
        *_LOADED,
    ),
    partition=("source_name", "identity"),
)

CRM_PROFILES = TableSpec(
    "crm_profiles",
    "People as the CRM and shop systems know them.",
    (
        Column("source_name", "string", "Source."),
        Column("profile_id", "string", "Id of the person in the source."),
        Column("profile_id_provider", "string", "Provider of that id as in the id graph."),
        Column("email", "string", "E-mail as stored."),
        Column("phone", "string", "Phone as stored."),
        Column("first_name", "string", "First name."),
        Column("last_name", "string", "Last name."),
        Column("city", "string", "City."),
        Column("state", "string", "State."),
        Column("zip", "string", "Postal code."),
        Column("country", "string", "ISO 3166 alpha-2."),
        Column("gender", "string", "Gender."),
        Column("birth_date", "date", "Date of birth."),
        Column("accepts_marketing", "boolean", "Consent to marketing."),
        Column("created_at", "timestamp", "When the source created the profile."),
        Column("updated_at", "timestamp", "When the source last changed it."),
        Column("attributes", "string", "Everything else, JSON object."),
        *_LOADED,
    ),
    partition=("source_name", "identity"),
)

AD_SPEND = TableSpec(
    "ad_spend",
    "What the advertising platforms report, one row a day and campaign.",
    (
        Column("date", "date", "Day in the account's time zone."),
        Column("source_name", "string", "Source, e.g. `google_ads`."),
        Column("ad_platform", "string", "`google`, `facebook`, `tiktok`, `twitter`, `microsoft` ..."),
        Column("account_id", "string", "Account."),
        Column("account_time_zone", "string", "IANA name of the account's time zone."),
        Column("campaign_id", "string", "Id of the campaign on the platform."),
        Column("campaign_name", "string", "Name of the campaign; what utm_campaign carries."),
        Column("utm_source", "string", "`utm_source` of the campaign's links."),
        Column("utm_medium", "string", "`utm_medium` of the campaign's links."),
        Column("utm_campaign", "string", "`utm_campaign` of the campaign's links."),
        Column("impressions", "long", "Impressions."),
        Column("clicks", "long", "Clicks."),
        Column("spend", "money", "Spend in `currency`."),
        Column("currency", "string", "ISO 4217."),
        Column("platform_conversions", "double", "Conversions as the platform claims them."),
        Column("platform_conversion_value", "money", "Their value as the platform claims it."),
        *_LOADED,
    ),
    partition=("source_name", "identity"),
)
