{# Lists of columns that several models share; a test holds them to the Python contract of core_events. #}

{# Every column of core_events, in the contract's order. #}
{% macro core_event_columns() %}
    {%- do return([
        'event_id', 'arrival_hour', 'received_at', 'landing_file', 'landing_line', 'landing_index',
        'processor_version', 'content_hash', 'sdk_version', 'sdk_format', 'event_name',
        'event_code', 'event_type', 'event_datetime', 'is_clock_skewed', 'timezone_offset_minutes',
        'session_id', 'user_id', 'user_id_created', 'application_name', 'platform', 'consent',
        'page_url', 'page_host', 'page_path', 'page_title', 'referrer_url', 'referrer_host',
        'referrer_medium', 'referrer_source', 'search_utm_campaign', 'search_utm_content',
        'search_utm_medium', 'search_utm_source', 'search_utm_term', 'search_gclid',
        'search_fbclid', 'search_twclid', 'search_ttclid', 'search_msclkid', 'stored_gclid',
        'stored_fbclid', 'channel', 'headers_origin', 'user_agent', 'browser', 'browser_version',
        'os', 'os_version',
        'device_type', 'device_brand', 'device_model', 'is_bot', 'country', 'screen_width',
        'screen_height', 'data_map_id', 'data_map_provider', 'persona_id', 'persona_firstname',
        'persona_middlename', 'persona_lastname', 'persona_username', 'persona_dob',
        'persona_email', 'persona_number', 'persona_address', 'persona_city', 'persona_state',
        'persona_zip', 'persona_country', 'persona_gender', 'persona_age', 'transaction_id',
        'transaction_currency', 'transaction_payment', 'transaction_total', 'transaction_discount',
        'transaction_shipping', 'transaction_tax', 'item_id', 'item_name', 'item_sku',
        'item_category', 'item_price', 'item_currency', 'item_quantity', 'object_name',
        'object_title', 'additional_data', 'type_conflicts', 'encrypted_data'
    ]) -%}
{% endmacro %}

{# Columns that unified_events takes over from online events, with the type of their null on offline events. #}
{% macro carried_event_columns() %}
    {%- do return([
        ('application_name', 'varchar'), ('platform', 'varchar'), ('consent', 'varchar'),
        ('page_url', 'varchar'), ('page_host', 'varchar'), ('page_path', 'varchar'), ('page_title',
        'varchar'), ('referrer_url', 'varchar'), ('referrer_host', 'varchar'), ('referrer_medium',
        'varchar'), ('referrer_source', 'varchar'), ('search_utm_campaign', 'varchar'),
        ('search_utm_content', 'varchar'), ('search_utm_medium', 'varchar'), ('search_utm_source',
        'varchar'), ('search_utm_term', 'varchar'), ('search_gclid', 'varchar'), ('search_fbclid',
        'varchar'), ('search_twclid', 'varchar'), ('search_ttclid', 'varchar'), ('search_msclkid',
        'varchar'), ('headers_origin', 'varchar'), ('browser', 'varchar'), ('browser_version',
        'varchar'), ('os', 'varchar'), ('os_version', 'varchar'), ('device_type', 'varchar'),
        ('device_brand', 'varchar'), ('device_model', 'varchar'), ('country', 'varchar'),
        ('screen_width', 'integer'), ('screen_height', 'integer'), ('data_map_id', 'varchar'),
        ('data_map_provider', 'varchar'), ('persona_id', 'varchar'), ('persona_firstname',
        'varchar'), ('persona_middlename', 'varchar'), ('persona_lastname', 'varchar'),
        ('persona_username', 'varchar'), ('persona_dob', 'varchar'), ('persona_email', 'varchar'),
        ('persona_number', 'varchar'), ('persona_address', 'varchar'), ('persona_city', 'varchar'),
        ('persona_state', 'varchar'), ('persona_zip', 'varchar'), ('persona_country', 'varchar'),
        ('persona_gender', 'varchar'), ('persona_age', 'integer'), ('transaction_id', 'varchar'),
        ('transaction_currency', 'varchar'), ('transaction_payment', 'varchar'),
        ('transaction_total', money_type()), ('transaction_discount', money_type()),
        ('transaction_shipping', money_type()), ('transaction_tax', money_type()), ('item_id',
        'varchar'), ('item_name', 'varchar'), ('item_sku', 'varchar'), ('item_category', 'varchar'),
        ('item_price', money_type()), ('item_currency', 'varchar'), ('item_quantity', 'double'),
        ('object_name', 'varchar'), ('object_title', 'varchar')
    ]) -%}
{% endmacro %}
