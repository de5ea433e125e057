"""A door on a small code location, clients that are logged in, and a real server for websockets."""

from __future__ import annotations

import contextlib
import re
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import uvicorn
from argon2 import PasswordHasher
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import ModuleTarget
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.testclient import TestClient

from blotout_orchestration.platform.database import platform_database
from blotout_orchestration.settings import Settings
from blotout_orchestration.web.access import Access, access_of
from blotout_orchestration.web.server import web_app
from blotout_orchestration.web.users import User, editing, users_file

PREFIX = "/dagster"
ORIGIN = "http://localhost:3000"
PASSWORDS = {name: f"{name} has a long password" for name in ("victor", "laura", "edith")}
ADMIN_PASSWORD = "the one of the administrator"
ROLES = {"victor": "viewer", "laura": "launcher", "edith": "editor"}
LOCATION = "small"


@pytest.fixture(scope="session")
def hashes() -> dict[str, str]:
    """Real argon2id hashes, but quick ones: tests log in hundreds of times."""
    quick = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1)
    return {name: quick.hash(password) for name, password in PASSWORDS.items()}


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A platform database whose schema is up to date, to copy."""
    home = tmp_path_factory.mktemp("migrated")
    platform_database(Settings(_env_file=None, blotout_home=home)).dispose()
    return home / "platform.sqlite"


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkspaceProcessContext]:
    """The small location, loaded by a code server, on an instance of its own."""
    folder = tmp_path_factory.mktemp("dagster")
    with (
        dg.DagsterInstance.local_temp(
            str(folder),
            overrides={
                "telemetry": {"enabled": False},
                "run_launcher": {"module": "dagster._core.test_utils", "class": "MockedRunLauncher"},
                "run_coordinator": {
                    "module": "dagster._core.run_coordinator",
                    "class": "DefaultRunCoordinator",
                },
            },
        ) as instance,
        WorkspaceProcessContext(
            instance,
            ModuleTarget(
                module_name="tests.web.small_location",
                attribute="defs",
                working_directory=None,
                location_name=LOCATION,
            ),
            version="test",
        ) as process,
    ):
        yield process


@pytest.fixture
def small_schedule_log(workspace: WorkspaceProcessContext) -> Path:
    """Where the schedule of the small location leaves a trace when its code runs."""
    log = Path(workspace.instance.root_directory) / "small_schedule.log"
    log.unlink(missing_ok=True)
    return log


@dataclass
class Web:
    """The app of a test, its parts, and ways to be somebody."""

    app: Starlette
    access: Access
    settings: Settings
    workspace: Any

    def anonymous(self, **options: Any) -> TestClient:
        options = {"base_url": ORIGIN, "follow_redirects": False, **options}
        return TestClient(self.app, **options)

    def logged_in(self, name: str, password: str | None = None, **options: Any) -> TestClient:
        client = self.anonymous(**options)
        answer = log_in(client, name, password or PASSWORDS.get(name, ADMIN_PASSWORD))
        assert answer.status_code == 303, answer.text
        return client


@pytest.fixture
def web_settings(settings: Settings, hashes: dict[str, str], migrated: Path) -> Settings:
    settings.blotout_home.mkdir(parents=True)
    shutil.copyfile(migrated, settings.blotout_home / "platform.sqlite")
    with editing(users_file(settings)) as users:
        for name, role in ROLES.items():
            users[name] = User(role=role, password=hashes[name])
    return settings.model_copy(
        update={"dagster_password": SecretStr(ADMIN_PASSWORD), "dagster_address": ORIGIN + PREFIX}
    )


@pytest.fixture
def make_web(web_settings: Settings, workspace: WorkspaceProcessContext) -> Callable[..., Web]:
    def make(recheck_seconds: float = 0.2, **changes: Any) -> Web:
        chosen = web_settings.model_copy(update=changes)
        access = access_of(chosen)
        return Web(web_app(workspace, access, recheck_seconds), access, chosen, workspace)

    return make


@pytest.fixture
def web(make_web: Callable[..., Web]) -> Web:
    return make_web()


def form_token(page: str) -> str:
    found = re.search(r'name="form" value="([^"]+)"', page)
    assert found, page
    return found[1]


def log_in(client: TestClient, name: str, password: str, target: str = "", **options: Any) -> Any:
    page = client.get(f"{PREFIX}/login")
    fields = {"form": form_token(page.text), "name": name, "password": password, "next": target}
    return client.post(f"{PREFIX}/login", data=fields, **options)


def query(client: TestClient, text: str, variables: dict[str, Any] | None = None, **options: Any) -> Any:
    body = {"query": text, "variables": variables or {}}
    return client.post(f"{PREFIX}/graphql", json=body, **options)


LAUNCH = """mutation Launch($params: ExecutionParams!) {
  launchRun(executionParams: $params) { __typename ... on LaunchRunSuccess { run { runId tags { key value } } }
    ... on PythonError { message stack } }
}"""


def launch_parameters(**more: Any) -> dict[str, Any]:
    selector = {
        "repositoryLocationName": LOCATION,
        "repositoryName": "__repository__",
        "jobName": "small_job",
    }
    return {"params": {"selector": selector, "runConfigData": {}, **more}}


@contextlib.contextmanager
def served(app: Starlette, port: int) -> Iterator[None]:
    """The app on a real port of the loopback address."""
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            host="127.0.0.1",
            port=port,
            log_level="error",
            proxy_headers=False,
            server_header=False,
            lifespan="off",
        )
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 30
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.02)
    assert server.started
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(timeout=10)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
