"""Bad definitions: every problem at once, with the field, what was given and what to do."""

from __future__ import annotations

import pytest

from blotout_orchestration.activation.channels import TYPES, channel_module
from blotout_orchestration.activation.definition import understand
from blotout_orchestration.platform.registry.problems import DefinitionError
from tests.activation.helpers import channel


def _problems(defined) -> dict[str, str]:
    with pytest.raises(DefinitionError) as error:
        understand(defined)
    return {problem.field: problem.reason for _, problem in error.value.problems}


def test_everything_that_is_wrong_is_told_at_once():
    found = _problems(
        channel(
            "klaviyo",
            "append",
            mapping={"emial": "email", "first_name": "first name"},
            key=None,
            connection={"key": "env:KLAVIYO_KEY"},
            options={"lst_id": "X", "drop_unusable": ["phone_number"]},
        )
    )
    assert found["mapping.emial"] == "klaviyo has no such field; did you mean email?"
    assert found["mapping.first_name"] == "expected the name of a column"
    assert found["mode"] == "klaviyo knows upsert, update, create, mirror, delete"
    assert found["connection.api_key"] == "is required"
    assert found["options.lst_id"] == "unknown field; did you mean list_id?"
    assert "one of email, phone_number, external_id must be mapped" in found["key"]


def test_a_type_that_does_not_exist_is_told_with_those_that_do():
    found = _problems(channel("klavio"))
    assert found["channel_type"].endswith(f"there are {', '.join(TYPES)}; did you mean klaviyo?")


def test_consent_has_no_meaning_where_rows_are_to_be_removed():
    assert (
        "no meaning in mode delete"
        in _problems(channel("file", "delete", options={"consent": "agreed"}))["options.consent"]
    )


def test_the_two_columns_that_every_file_has_are_no_fields():
    mapping = {"email": "email", "operation": "first_name"}
    assert "mapping.operation" in _problems(channel("file", mapping=mapping))


@pytest.mark.parametrize("channel_type", TYPES)
def test_every_channel_module_has_what_the_interface_asks_for(channel_type):
    module = channel_module(channel_type)
    for name in (
        "Connection",
        "Options",
        "MODES",
        "FIELDS",
        "KEYS",
        "DROPS_UNUSABLE",
        "custom_field",
        "connect",
    ):
        assert hasattr(module, name), name
    assert set(module.MODES) <= {"upsert", "update", "create", "mirror", "append", "delete"}
    assert set(module.KEYS) <= set(module.FIELDS)
