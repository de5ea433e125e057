"""Files of channels: the short form, the row, and every problem at once."""

from __future__ import annotations

import yaml

from blotout_orchestration.platform.registry.files import read_channels
from tests.registry.test_files import file, lines, nothing_wrong

__all__ = ["file"]


def test_a_channel_has_a_short_form_and_a_row_as_well(file):
    text = """
        name: klaviyo_vips
        type: klaviyo
        audience: high_value
        mode: mirror
        interval: 6h
        connection: {private_key: env:KLAVIYO_KEY}
        mapping: [email, phone]
        key: email
        options: {list: VIPs}
        """
    (made,) = read_channels(file(text), nothing_wrong).definitions
    assert (made.audience_kind, made.audience_name, made.mode) == ("segment", "high_value", "mirror")
    assert (made.mapping, made.key, made.options) == (
        {"email": "email", "phone": "phone"},
        "email",
        {"list": "VIPs"},
    )
    assert made.timing.text == "every 21600 s"
    shown = yaml.safe_dump(made.model_dump(mode="json", exclude_none=True))
    assert read_channels(file(shown), nothing_wrong).definitions == (made,)


def test_a_channel_that_cannot_be_meant_is_told_all_at_once(file):
    text = (
        "{name: a, type: klaviyo, audience: 'sql:select 1', mode: sync, mapping: {a: b}, key: c, schedule: x}"
    )
    found = "\n".join(lines(file(text), read_channels))
    assert "audience = 'sql:select 1': expected `segment:NAME` or `model:NAME`" in found
    assert "mode = 'sync': input should be 'upsert'" in found
    assert "schedule = 'x': a cron expression has five fields" in found
    (line,) = lines(file("{name: a, type: x, audience: b, mapping: {a: b}, key: c}"), read_channels)
    assert "key 'c' is not in the mapping" in line
