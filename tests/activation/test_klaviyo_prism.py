"""Every call of the Klaviyo channel against Prism, which serves Klaviyo's own description.

Prism 5.14 refuses unknown paths and missing headers, and answers from the description, which the SDK must be
able to read. It lets wrong bodies through (its issue 2574): those are held by fakes/openapi.py.
"""

from __future__ import annotations

import json
import socket
import subprocess
import time

import httpx
import pytest

from blotout_orchestration.activation.channels.klaviyo_client import KlaviyoClient
from blotout_orchestration.activation.clock import SystemClock
from tests.activation.fakes.openapi import cut

PRISM = "@stoplight/prism-cli@5"


@pytest.fixture(scope="module")
def prism(real_data, tmp_path_factory):
    """Prism on the description, cut to the paths in use; with `--errors` a wrong request gets a wrong answer."""
    description = tmp_path_factory.mktemp("prism") / "klaviyo.json"
    description.write_text(json.dumps(cut(real_data)))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        "npx",
        "--yes",
        PRISM,
        "mock",
        "--errors",
        "-h",
        "127.0.0.1",
        "-p",
        str(port),
        str(description),
    ]
    with (tmp_path_factory.mktemp("log") / "prism.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        url = f"http://127.0.0.1:{port}"
        for _ in range(300):
            try:
                httpx.get(url, timeout=1)
                break
            except httpx.HTTPError:
                assert process.poll() is None, "Prism ended; see its log"
                time.sleep(0.5)
        yield url
        process.terminate()
        process.wait(30)


@pytest.fixture
def client(prism):
    return KlaviyoClient("pk_test", SystemClock(), "vip", prism)


@pytest.mark.heavy
def test_prism_refuses_unknown_paths_and_missing_headers(prism):
    headers = {"Authorization": "Klaviyo-API-Key pk_test"}
    assert httpx.get(f"{prism}/api/lists/LIST1", headers=headers).status_code == 422
    assert httpx.get(f"{prism}/api/listen", headers=headers).status_code == 404


@pytest.mark.heavy
@pytest.mark.parametrize(
    "call",
    [
        lambda client: client.import_profiles(
            [
                {
                    "type": "profile",
                    "attributes": {
                        "email": "ada@example.com",
                        "phone_number": "+15005550006",
                        "external_id": "7",
                        "location": {"city": "London", "latitude": 51.5},
                        "properties": {"orders": 3, "tags": ["a"], "vip": True},
                    },
                }
            ],
            "LIST1",
        ),
        lambda client: client.import_job("job1"),
        lambda client: next(client.import_errors("job1")),
        lambda client: client.jobs_at_work(),
        lambda client: next(client.list_members("LIST1", "email")),
        lambda client: client.known_profiles("email", ["ada@example.com", 'quo"te@example.com']),
        lambda client: client.remove_from_list("LIST1", ["P1", "P2"]),
        lambda client: client.list_size("LIST1"),
        lambda client: client.list_name("LIST1"),
    ],
    ids=["import", "job", "errors", "jobs", "members", "known", "remove", "size", "name"],
)
def test_prism_takes_every_call(client, call, monkeypatch):
    monkeypatch.setattr("blotout_orchestration.activation.retrying.ATTEMPTS", 1)
    call(client)
