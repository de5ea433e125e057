"""The contract that the fake holds requests against can fail: it finds what Klaviyo would refuse."""

from __future__ import annotations

import pytest

HEADERS = {"revision": "2026-07-15"}
JOBS = "/api/profile-bulk-import-jobs"


def _job(*profiles):
    return {"data": {"type": "profile-bulk-import-job", "attributes": {"profiles": {"data": list(profiles)}}}}


@pytest.mark.parametrize(
    ("method", "path", "query", "headers", "document", "expected"),
    [
        ("POST", JOBS, {}, HEADERS, {}, "'data' is a required property"),
        (
            "POST",
            JOBS,
            {},
            HEADERS,
            {"data": {"type": "profile-bulk-import-job"}},
            "'attributes' is a required",
        ),
        ("POST", JOBS, {}, HEADERS, _job({"type": "profile"}), "'attributes' is a required property"),
        (
            "POST",
            JOBS,
            {},
            HEADERS,
            _job({"type": "profile", "attributes": {"email": 3}}),
            "not of type 'string'",
        ),
        ("POST", JOBS, {}, {}, _job(), "no header revision"),
        (
            "GET",
            "/api/lists/L/profiles",
            {"page[size]": "1000"},
            HEADERS,
            None,
            "greater than the maximum of 100",
        ),
        ("GET", "/api/lists/L/profiles", {"size": "10"}, HEADERS, None, "no parameter size"),
        ("PUT", "/api/lists/L", {}, HEADERS, None, "no operation PUT"),
    ],
)
def test_a_wrong_request_is_found(klaviyo_contract, method, path, query, headers, document, expected):
    problems = klaviyo_contract.request_problems(method, path, query, headers, document)
    assert any(expected in problem for problem in problems), problems


def test_a_wrong_answer_is_found(klaviyo_contract):
    assert klaviyo_contract.response_problems("GET", "/api/lists/L", 200, {"data": {}})
    assert klaviyo_contract.response_problems("POST", JOBS, 200, {})
