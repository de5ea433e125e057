"""Who there is: `admin` and the users, read anew every few seconds, so that a change needs no restart.

Belongs here: finding a user and checking a password. Does not belong here: the file's format (`users.py`).
"""

from __future__ import annotations

import hmac
import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from blotout_orchestration.errors import BlotoutError
from blotout_orchestration.platform import secrets
from blotout_orchestration.platform.doctor_checks import on_aws
from blotout_orchestration.web.roles import Role
from blotout_orchestration.web.users import (
    ADMIN,
    MAXIMUM_LENGTH,
    hash_of_nobody,
    parse_users,
    password_matches,
    read_users_file,
    users_file,
)

if TYPE_CHECKING:
    from blotout_orchestration.settings import Settings

ADMIN_SECRETS: Final = ("secretsmanager:dagster_password", "secretsmanager:airflow_password")
CACHE_SECONDS: Final = 10.0
STALE_SECONDS: Final = 600.0
"""How long the last users still hold while their place cannot be read."""
_log = logging.getLogger(__name__)


class DirectoryUnavailableError(BlotoutError):
    """Nobody can be let in or checked: the place of the users cannot be read, for too long."""


@dataclass(frozen=True)
class Account:
    """Somebody who can log in. `credential` changes when the password does; it is never shown or stored."""

    name: str
    role: Role
    credential: str = field(repr=False)


def admin_password(settings: Settings) -> str | None:
    """The password of `admin`, None when it has none. Raises SecretError when Secrets Manager fails."""
    if on_aws(settings):
        for reference in ADMIN_SECRETS:
            try:
                return secrets.resolve(reference, settings).get_secret_value().strip() or None
            except secrets.SecretNotFoundError:
                continue
    password = settings.dagster_password
    return password.get_secret_value() if password else None


def read_accounts(settings: Settings) -> Mapping[str, Account]:
    """Everybody, by name. Raises UsersError, SecretError."""
    reference = settings.web_users_secret
    if reference:
        users = parse_users(secrets.resolve(reference, settings).get_secret_value(), reference)
    else:
        users = read_users_file(users_file(settings))
    accounts = {name: Account(name, user.role, user.password) for name, user in users.items()}
    password = admin_password(settings)
    if password:
        accounts[ADMIN] = Account(ADMIN, Role.EDITOR, password)
    return accounts


class Directory:
    """Accounts with a short cache; the settings are asked for anew, because `.env` may have changed."""

    def __init__(self, settings: Callable[[], Settings], clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._clock = clock
        self._reading = threading.Lock()
        self._accounts: Mapping[str, Account] = {}
        self._read_at = float("-inf")
        self._tried_at = float("-inf")

    def accounts(self) -> Mapping[str, Account]:
        """Everybody as of a few seconds ago. Raises DirectoryUnavailableError."""
        is_first = self._read_at == float("-inf")
        # One request reads them anew; the others go on with what is known, however slow the place is.
        if self._clock() - self._tried_at >= CACHE_SECONDS and self._reading.acquire(blocking=is_first):
            try:
                self._read_again()
            finally:
                self._reading.release()
        if self._clock() - self._read_at > STALE_SECONDS:
            raise DirectoryUnavailableError("the users cannot be read; the log of the webserver says why")
        return self._accounts

    def _read_again(self) -> None:
        now = self._clock()
        if now - self._tried_at < CACHE_SECONDS:
            return
        try:
            self._accounts = read_accounts(self._settings())
            self._read_at = now
        except BlotoutError as error:
            _log.error("the users cannot be read, the last known ones hold for now: %s", error)
        finally:
            self._tried_at = now

    def find(self, name: str) -> Account | None:
        """The account of a name. Raises DirectoryUnavailableError."""
        return self.accounts().get(name)

    def check(self, name: str, password: str) -> Account | None:
        """The account when the password is right; as slow for a name that does not exist."""
        account = self.find(name)
        password = password[: MAXIMUM_LENGTH + 1]
        if account is not None and account.name == ADMIN:
            password_matches(hash_of_nobody(), password)
            same = hmac.compare_digest(account.credential.encode(), password.encode())
        else:
            hashed = account.credential if account else hash_of_nobody()
            same = password_matches(hashed, password)
        return account if same and account is not None else None
