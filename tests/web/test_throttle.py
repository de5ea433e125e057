"""The brake on guesses, with a clock of its own."""

from __future__ import annotations

import pytest

from blotout_orchestration.web import throttle as module
from blotout_orchestration.web.throttle import ADDRESS_FACTOR, FIRST_WAIT, LONGEST_WAIT, NAME_FACTOR, Throttle


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def throttle(clock):
    return Throttle(3, clock)


def test_the_free_attempts_are_free_and_then_each_failure_doubles_the_wait(throttle, clock):
    assert [throttle.begin("edith", "1.1.1.1") for _ in range(3)] == [0, 0, 0]
    assert throttle.begin("edith", "1.1.1.1") == FIRST_WAIT
    waits = []
    for _ in range(7):
        clock.now += throttle.begin("edith", "1.1.1.1")
        assert throttle.begin("edith", "1.1.1.1") == 0
        waits.append(throttle.begin("edith", "1.1.1.1"))
    assert waits == [60, 120, 240, 480, LONGEST_WAIT, LONGEST_WAIT, LONGEST_WAIT]


def test_a_stranger_does_not_lock_a_colleague_out_with_a_handful_of_guesses(throttle):
    for _ in range(4):
        throttle.begin("edith", "6.6.6.6")
    assert throttle.begin("edith", "6.6.6.6") > 0
    assert throttle.begin("edith", "1.1.1.1") == 0


def test_one_address_that_tries_many_names_waits(throttle):
    for index in range(3 * ADDRESS_FACTOR):
        assert throttle.begin(f"name{index}", "6.6.6.6") == 0
    assert throttle.begin("edith", "6.6.6.6") > 0
    assert throttle.begin("edith", "1.1.1.1") == 0


def test_one_name_that_is_tried_from_many_addresses_waits(throttle):
    for index in range(3 * NAME_FACTOR):
        assert throttle.begin("edith", f"6.6.{index // 250}.{index % 250}") == 0
    assert throttle.begin("edith", "1.1.1.1") > 0
    assert throttle.begin("laura", "1.1.1.1") == 0


def test_a_success_starts_the_pair_anew_but_does_not_wash_an_address_clean(throttle):
    for _ in range(20):
        assert throttle.begin("mallory", "6.6.6.6") == 0
        throttle.succeeded("mallory", "6.6.6.6")
    for index in range(3 * ADDRESS_FACTOR):
        throttle.begin(f"name{index}", "6.6.6.6")
        throttle.succeeded("mallory", "1.1.1.1")
    assert throttle.begin("mallory", "6.6.6.6") > 0


def test_failures_are_forgotten_after_an_hour(throttle, clock):
    for _ in range(4):
        throttle.begin("edith", "1.1.1.1")
    clock.now += module.FORGOTTEN_AFTER + 1
    assert [throttle.begin("edith", "1.1.1.1") for _ in range(3)] == [0, 0, 0]


def test_guesses_from_everywhere_do_not_fill_the_memory(throttle, monkeypatch):
    monkeypatch.setattr(module, "REMEMBERED", 100)
    for index in range(1000):
        throttle.begin(f"name{index}", f"address{index}")
    assert len(throttle._counts) <= 100
