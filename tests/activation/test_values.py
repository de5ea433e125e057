"""Values on their way: kinds, masks, messages without values, retries, rate limits, the journal."""

from __future__ import annotations

import itertools
import json
import logging
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blotout_orchestration.activation import journal as journals
from blotout_orchestration.activation import values
from blotout_orchestration.activation.channel import (
    Answer,
    Batch,
    Limits,
    Rejection,
    Row,
    ThrottledError,
    UnavailableError,
)
from blotout_orchestration.activation.channels.facebook_usage import breather, wait_of
from blotout_orchestration.activation.channels.http_answers import retry_after
from blotout_orchestration.activation.delivery import groups
from blotout_orchestration.activation.log_filter import WithoutQueries
from blotout_orchestration.activation.plan import Planned
from blotout_orchestration.activation.retrying import ATTEMPTS, LONGEST_PAUSE, with_retries
from blotout_orchestration.activation.throttle import RateLimit
from tests.activation.helpers import SimulatedClock

NOW = datetime(2026, 3, 5, 12, tzinfo=UTC)


@given(st.emails())
def test_an_email_once_read_reads_the_same_again(address):
    try:
        once = values.email(f"  {address.upper()} ")
    except ValueError:
        return
    assert (values.email(once), once) == (once, once.lower().strip())


@given(st.text())
def test_any_text_is_a_phone_in_e164_or_refused(text):
    try:
        read = values.phone(text)
    except ValueError:
        return
    assert values.phone(read) == read
    assert read[0] == "+"
    assert 8 <= len(read[1:]) <= 15


@pytest.mark.parametrize("text", ["5005550006", "+0000000000", "+1", "+12345678901234567", "phone"])
def test_phones_without_a_country_code_or_of_zeros_are_refused(text):
    with pytest.raises(ValueError, match="country code"):
        values.phone(text)


def test_values_of_the_warehouse_become_json():
    moment = datetime(2026, 3, 5, 13, tzinfo=UTC)
    given = {
        "a": Decimal("1.50"),
        "b": moment,
        "c": date(2026, 3, 5),
        "d": [Decimal(2)],
        "e": None,
        "f": True,
    }
    expected = {"a": 1.5, "b": "2026-03-05T13:00:00Z", "c": "2026-03-05", "d": [2], "e": None, "f": True}
    assert values.plain(given) == expected
    for unusable in (float("nan"), float("inf"), b"bytes"):
        with pytest.raises(ValueError, match=r"finite|bytes"):
            values.plain(unusable)


@given(st.emails(), st.integers(10**7, 10**14))
def test_messages_lose_what_they_quote(address, number):
    told = values.without_values(f"bad value '{address}' for {address}: {number} and +{number}")
    assert address not in told
    assert str(number) not in told


def test_a_mask_shows_the_first_letter_and_the_length():
    assert (values.mask("ada@example.com"), values.mask("a")) == ("a*** (15 characters)", "***")


def test_retry_after_is_read_as_seconds_and_as_a_date():
    assert retry_after({"retry-after": "12"}, NOW) == 12
    assert retry_after({"Retry-After": "Thu, 05 Mar 2026 12:00:30 GMT"}, NOW) == 30
    assert retry_after({"Retry-After": "soon"}, NOW) is None


def test_usage_headers_tell_when_access_is_regained():
    usage = {"call_count": 100, "estimated_time_to_regain_access": 3}
    headers = {"X-Business-Use-Case-Usage": json.dumps({"1": [usage]}), "x-app-usage": '{"call_count": 91}'}
    assert (wait_of(headers, NOW), breather(headers)) == (180, 30)
    assert (wait_of({}, NOW), breather({"x-app-usage": "no json"})) == (None, 0)


def test_retries_wait_longer_each_time_and_at_least_what_was_asked():
    clock, calls = SimulatedClock(), []

    def fails():
        calls.append(clock.elapsed)
        if len(calls) == 2:
            raise ThrottledError("wait", 40)
        raise UnavailableError("gone")

    with pytest.raises(UnavailableError):
        with_retries(fails, clock)
    pauses = [after - before for before, after in itertools.pairwise(calls)]
    assert len(calls) == ATTEMPTS
    assert pauses[1] >= 40
    assert max(pauses) <= LONGEST_PAUSE


@given(st.lists(st.floats(0, 0.5), max_size=60))
def test_no_window_ever_has_more_calls_than_its_limit(thinking):
    clock, made = SimulatedClock(), []
    limit = RateLimit(clock, ((10, 1.0), (25, 60.0)))
    for pause in thinking:
        clock.sleep(pause)
        limit.wait()
        made.append(clock.elapsed)
    for calls, seconds in ((10, 1.0), (25, 60.0)):
        assert all(late - early >= seconds - 1e-9 for early, late in zip(made, made[calls:], strict=False))


@given(
    st.lists(
        st.tuples(st.integers(1, 60), st.sampled_from(["upsert", "delete"]), st.sampled_from([None, "b"]))
    )
)
def test_batches_have_every_row_once_within_the_limits(rows):
    planned = [
        Planned(Row(str(i), None, {}), operation, "update", size, earlier)  # type: ignore[arg-type]
        for i, (size, operation, earlier) in enumerate(rows)
    ]
    made = list(groups(planned, lambda operation: Limits(5, 100)))
    assert [row.key_hash for group in made for row in group.rows] == [str(i) for i in range(len(rows))]
    for group in made:
        members = [rows[int(row.key_hash)] for row in group.rows]
        assert len(members) <= 5
        assert sum(size for size, _, _ in members) <= 100
        assert {(operation, earlier) for _, operation, earlier in members} == {
            (group.operation, group.earlier_batch)
        }


@given(st.integers(0, 600))
def test_a_journal_cut_off_anywhere_keeps_its_whole_lines(tmp_path_factory, length):
    path = tmp_path_factory.mktemp("journal") / "sync.journal"
    journal = journals.Journal(path)
    journal.begin(journals.Header("vip", "run", "file", "mirror", 1, NOW.isoformat(), 0, 2, 0, 0))
    batch = Batch((Row("k1", "p1", {}), Row("k2", "p2", {})), "upsert", "00000001-aa")
    journal.send(batch)
    journal.answer(batch.idempotency_key, Answer((Rejection(1, "why"),)))
    journal.close()
    whole = path.read_bytes()
    path.write_bytes(whole[:length])
    lines = whole[:length].count(b"\n")
    assert (journals.header(path) is not None) == (lines >= 1 or length >= whole.index(b"\n"))
    found = list(journals.batches(path))
    journals.Journal(path).close()
    assert list(journals.batches(path)) == found
    if lines >= 3:
        assert found[0].rejected == {1: "why"}
    elif lines == 2 and length < len(whole) - 1:
        assert found[0].rejected is None


def test_addresses_in_logs_lose_their_queries():
    record = logging.LogRecord(
        "urllib3", 10, "", 1, "%s %s", ("GET", "http://x/42?access_token=EAA&b=c"), None
    )
    assert WithoutQueries().filter(record)
    assert record.getMessage() == "GET http://x/42?..."
