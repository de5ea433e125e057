"""The one contract of the flattened click stream: columns, types, meaning.

Read by both engines, the lake, the dbt sources and the docs. Belongs here: declarations only.
Times are UTC with microseconds; money is DECIMAL(18,4) in the currency named beside it.
"""

from __future__ import annotations

from dataclasses import replace

from blotout_orchestration.lake.tables import Column, TableSpec

PROCESSOR_VERSION = "3"
"""Raised whenever the same bytes would flatten to different rows."""

_PROVENANCE = (
    Column(
        "event_id",
        "string",
        "Id the SDK gave the event (`mid`, EdgeTag `eventId`); made from content if none.",
    ),
    Column("arrival_hour", "timestamp", "Hour of arrival, from the landing folder; the unit of replacement."),
    Column(
        "received_at", "timestamp", "When the collector received the request; the arrival hour if unknown."
    ),
    Column("landing_file", "string", "Path of the file below the landing layer."),
    Column("landing_line", "int", "Line in that file, from 1."),
    Column("landing_index", "int", "Position of the event in its request, from 0."),
    Column("processor_version", "string", "Version of the flattening that made this row."),
    Column(
        "content_hash", "string", "MD5 of the event as sent; equal for a second delivery of the same event."
    ),
)
_EVENT = (
    Column("sdk_version", "string", "Version the SDK reports (`meta.sdkv`)."),
    Column("sdk_format", "string", "`batch` (0.9 and 0.10), `legacy` (older format) or `edgetag`."),
    Column("event_name", "string", "Name of the event (`evn`, EdgeTag `eventName`)."),
    Column("event_code", "int", "Numeric code (`evcs`), 0.9 and older only."),
    Column("event_type", "string", "`system`, `codified`, `pii`, `phi`, or `edgetag`."),
    Column("event_datetime", "timestamp", "When the event happened by the client's clock (`evt`)."),
    Column(
        "is_clock_skewed",
        "boolean",
        "The client's clock is more than 2 days ahead of or 30 days behind arrival.",
    ),
    Column(
        "timezone_offset_minutes",
        "int",
        "Client's offset from UTC, minutes east.",
    ),
    Column("session_id", "string", "Session id of the SDK."),
    Column("user_id", "string", "Id of the browser or device: body, else cookie, else EdgeTag header."),
    Column("user_id_created", "timestamp", "When the user id was made, by the client's clock."),
    Column("application_name", "string", "Host of the site, or name of the app, that sent the event."),
    Column("platform", "string", "`web`, `android`, `ios` or `other`."),
    Column("consent", "string", "Consent as sent, JSON (EdgeTag)."),
)
_PAGE = (
    Column("page_url", "string", "Full URL of the page or name of the screen (`scrn`)."),
    Column("page_host", "string", "Host of the page, lower case."),
    Column("page_path", "string", "Path of the page."),
    Column("page_title", "string", "Title of the page."),
    Column("referrer_url", "string", "Referrer of the session's landing."),
    Column("referrer_host", "string", "Host of the referrer, lower case."),
    Column(
        "referrer_medium",
        "string",
        "`search`, `social`, `email`, `paid`, `video`, `shopping`, `internal`, `unknown`.",
    ),
    Column("referrer_source", "string", "Name of the referrer, as in the rule set (Google, Facebook ...)."),
    Column("search_utm_campaign", "string", "`utm_campaign` of the session's landing."),
    Column("search_utm_content", "string", "`utm_content` of the session's landing."),
    Column("search_utm_medium", "string", "`utm_medium` of the session's landing."),
    Column("search_utm_source", "string", "`utm_source` of the session's landing."),
    Column("search_utm_term", "string", "`utm_term` of the session's landing."),
    Column("search_gclid", "string", "Google click id."),
    Column("search_fbclid", "string", "Facebook click id."),
    Column("search_twclid", "string", "Twitter click id."),
    Column("search_ttclid", "string", "TikTok click id."),
    Column("search_msclkid", "string", "Microsoft click id."),
    Column(
        "stored_gclid",
        "string",
        "Google click id that EdgeTag keeps of an earlier landing: identity only, no evidence for this visit.",
    ),
    Column(
        "stored_fbclid",
        "string",
        "Facebook click id that EdgeTag keeps of an earlier landing: identity only, no evidence for this visit.",
    ),
    Column("channel", "string", "GA4 default channel group of the session's landing."),
    Column("headers_origin", "string", "Origin of the request: header, else scheme and host of the page."),
)
_DEVICE = (
    Column("user_agent", "string", "User agent: body, else HTTP header."),
    Column("browser", "string", "Browser family."),
    Column("browser_version", "string", "Browser major version."),
    Column("os", "string", "Operating system."),
    Column("os_version", "string", "Operating system version."),
    Column("device_type", "string", "`desktop`, `mobile`, `tablet`, `tv`, `bot` or `other`."),
    Column("device_brand", "string", "Brand of the device."),
    Column("device_model", "string", "Model of the device."),
    Column("is_bot", "boolean", "User agent of a robot or an automated browser; flagged, never dropped."),
    Column(
        "country", "string", "ISO 3166 alpha-2: CDN header, else by client address. The address is not kept."
    ),
    Column("screen_width", "int", "Width of the view port, pixels."),
    Column("screen_height", "int", "Height of the view port, pixels."),
)
_IDENTITY = (
    Column("data_map_id", "string", "Id that the event maps the user to (`map_id`)."),
    Column("data_map_provider", "string", "System that gave that id (`map_provider`)."),
    Column("persona_id", "string", "Persona: id in the site's CRM."),
    Column("persona_firstname", "string", "Persona: first name."),
    Column("persona_middlename", "string", "Persona: middle name."),
    Column("persona_lastname", "string", "Persona: last name."),
    Column("persona_username", "string", "Persona: user name."),
    Column("persona_dob", "string", "Persona: date of birth as sent."),
    Column("persona_email", "string", "Persona: e-mail as sent, or its SHA-256."),
    Column("persona_number", "string", "Persona: phone as sent, or its SHA-256."),
    Column("persona_address", "string", "Persona: street address."),
    Column("persona_city", "string", "Persona: city."),
    Column("persona_state", "string", "Persona: state."),
    Column("persona_zip", "string", "Persona: postal code."),
    Column("persona_country", "string", "Persona: country."),
    Column("persona_gender", "string", "Persona: gender."),
    Column("persona_age", "int", "Persona: age in years."),
)
_COMMERCE = (
    Column("transaction_id", "string", "Transaction: id of the order."),
    Column("transaction_currency", "string", "Transaction: ISO 4217 currency, upper case."),
    Column("transaction_payment", "string", "Transaction: means of payment."),
    Column(
        "transaction_total", "money", "Transaction: total; a total the SDK dropped because it was 0 is 0."
    ),
    Column("transaction_discount", "money", "Transaction: discount."),
    Column("transaction_shipping", "money", "Transaction: shipping."),
    Column("transaction_tax", "money", "Transaction: tax."),
    Column("item_id", "string", "Item: id."),
    Column("item_name", "string", "Item: name."),
    Column("item_sku", "string", "Item: stock keeping unit."),
    Column("item_category", "string", "Item: category; several joined by ` > `."),
    Column("item_price", "money", "Item: price of one."),
    Column("item_currency", "string", "Item: ISO 4217 currency, upper case."),
    Column("item_quantity", "double", "Item: quantity."),
)
_REST = (
    Column("object_name", "string", "System event: name of the page element."),
    Column("object_title", "string", "System event: title or text of the page element."),
    Column("additional_data", "string", "Keys of the event that have no column, JSON object; null if none."),
    Column("type_conflicts", "string", "Values that did not fit their column, JSON object column -> value."),
    Column("encrypted_data", "string", "`pii`/`phi` events: {data, key, iv} as sent, never decrypted here."),
)

CORE_EVENTS = TableSpec(
    "core_events",
    "Flattened online events, near real time; one row a delivery, duplicates within an hour removed.",
    _PROVENANCE + _EVENT + _PAGE + _DEVICE + _IDENTITY + _COMMERCE + _REST,
    partition=("arrival_hour", "day"),
)

BAD_EVENTS = TableSpec(
    "bad_events",
    "Everything that could not become a row of core_events, with the raw input, replayable after a fix.",
    (
        Column("arrival_hour", "timestamp", "Hour of arrival, from the landing folder."),
        Column("landing_file", "string", "Path of the file below the landing layer."),
        Column("landing_line", "int", "Line in that file, from 1; 0 when the file itself is broken."),
        Column(
            "landing_index", "int", "Position of the event in its request, from 0; null for a whole line."
        ),
        Column("reason", "string", "Machine-readable reason (`invalid_json`, `event_id_collision` ...)."),
        Column("detail", "string", "What was found and what was expected, without the value of a PII field."),
        Column("raw", "string", "The line or event as received."),
        Column("raw_encoding", "string", "`utf-8`, or `base64` when the bytes are not UTF-8."),
        Column("processor_version", "string", "Version of the flattening that refused it."),
    ),
    partition=("arrival_hour", "day"),
)

BAD_REASONS = (
    *("truncated_gzip", "corrupt_gzip", "invalid_utf8", "line_too_long"),
    *("invalid_json", "not_an_object", "unknown_format"),
    *("invalid_body", "empty_body", "no_events", "events_not_a_list"),
    *("event_not_an_object", "invalid_event_time", "event_id_collision"),
)
"""Every reason for which this version refuses a file's rest, a line or an event; docs/events.md explains them."""

EVENT_HOURS = TableSpec(
    "event_hours",
    "One row a processed hour: what went in and came out, and the revision its readers compare.",
    (
        Column("arrival_hour", "timestamp", "Hour of arrival."),
        Column(
            "revision",
            "string",
            "Hash of the hour's files and the processor version; changes when its rows may.",
        ),
        Column("files", "int", "Files read."),
        Column("bytes", "long", "Bytes read, as stored."),
        Column("events_in", "long", "Events and unreadable lines found; = good + bad + duplicates."),
        Column("events_good", "long", "Rows in core_events."),
        Column("events_bad", "long", "Rows in bad_events."),
        Column("events_duplicate", "long", "Second deliveries within the hour, dropped."),
        Column("events_with_unknown_keys", "long", "Good events with keys that have no column."),
        Column("events_with_type_conflicts", "long", "Good events with a value that did not fit its column."),
        Column("unknown_keys", "strings", "The keys that have no column, sorted."),
        Column("first_event_datetime", "timestamp", "Oldest event time of the good events."),
        Column("last_event_datetime", "timestamp", "Newest event time of the good events."),
        Column("engine", "string", "`duckdb` or `spark`."),
        Column("run_id", "string", "Run that wrote the hour."),
        Column("processed_at", "timestamp", "When it was written."),
    ),
)

HOURS_LEDGER = replace(
    EVENT_HOURS,
    columns=(
        *EVENT_HOURS.columns,
        Column("landed_files", "string", "The files that its rows come from, JSON object path -> bytes."),
    ),
)
"""event_hours as the flattening itself keeps it. Readers name the columns of EVENT_HOURS only: so they can read
a table that an older version wrote, and need not read lists of files."""
