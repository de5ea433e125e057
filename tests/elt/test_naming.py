"""The platform's one function from any spelling of a name to snake_case."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blotout_orchestration.platform.naming import MAXIMUM_LENGTH, snake_case, snake_case_names

ALLOWED = re.compile(r"_?[a-z0-9]+(_[a-z0-9]+)*")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("userID", "user_id"),
        ("user_id", "user_id"),
        ("UserIDs", "user_ids"),
        ("HTTPServer", "http_server"),
        ("createdAt", "created_at"),
        ("Order Total (EUR)", "order_total_eur"),
        ("customer.default_address.zip", "customer_default_address_zip"),
        ("_fivetran_id", "_fivetran_id"),
        ("2nd line", "_2nd_line"),
        ("a__b_", "a_b"),
        ("md5Hash", "md5_hash"),
        ("SHA256", "sha256"),
    ],
)
def test_names_that_sources_use_become_what_a_person_would_write(name: str, expected: str) -> None:
    assert snake_case(name) == expected


@given(st.text())
def test_every_text_becomes_a_name_that_all_engines_take_and_stays_it(name: str) -> None:
    found = snake_case(name)
    assert ALLOWED.fullmatch(found)
    assert not found[0].isdigit()
    assert len(found) <= MAXIMUM_LENGTH
    assert snake_case(found) == found


@given(st.lists(st.one_of(st.text(max_size=4), st.sampled_from(["userID", "user_id", "UserId", "user id"]))))
def test_two_names_of_one_table_never_become_one_in_whatever_order_they_come(names: list[str]) -> None:
    found = snake_case_names(names)
    assert set(found) == set(names)
    assert len(set(found.values())) == len(found)
    assert snake_case_names(reversed(names)) == found
    assert all(ALLOWED.fullmatch(name) for name in found.values())
    assert snake_case_names(found.values()) == {name: name for name in found.values()}


def test_the_name_that_is_spelled_so_already_keeps_it() -> None:
    found = snake_case_names(["userID", "user_id"])
    assert found["user_id"] == "user_id"
    assert found["userID"].startswith("user_id_")
