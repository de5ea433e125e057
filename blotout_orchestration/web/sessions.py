"""Sessions of logged-in people, kept on the server in the table `web_session`.

Belongs here: beginning, checking and ending a session. Does not belong here: cookies (`cookies.py`).
The table holds hashes only: neither a copy of it nor a backup lets anybody in.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from blotout_orchestration.platform.database import platform_database, writing
from blotout_orchestration.web.directory import Account
from blotout_orchestration.web.roles import Role

if TYPE_CHECKING:
    from sqlalchemy import RowMapping

    from blotout_orchestration.settings import Settings

TOKEN_BYTES: Final = 32
SEEN_EVERY: Final = timedelta(minutes=1)
"""How exactly the last request of a session is known; saves a write for each request."""
KEPT_AFTER_END: Final = timedelta(days=30)


@dataclass(frozen=True)
class Visitor:
    """Who makes a request, and the token of the session that says so."""

    name: str
    role: Role
    token: str = field(repr=False)


def _token_hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def fingerprint(token: str, account: Account) -> str:
    """What a session remembers of the credential: it changes with the password, and cannot be guessed back.

    The key is the token, which only its owner has; so the table does not help to try passwords.
    """
    return hmac.new(token.encode(), f"{account.name}\0{account.credential}".encode(), "sha256").hexdigest()


class Sessions:
    """The sessions of a deployment. `find` gives the account of a name as it is now, None when it is gone."""

    def __init__(
        self,
        settings: Settings,
        find: Callable[[str], Account | None],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._settings = settings
        self._find = find
        self._clock = clock
        self._longest = timedelta(hours=settings.web_session_hours)
        self._idle = timedelta(minutes=settings.web_session_idle_minutes)

    def begin(self, account: Account) -> str:
        """A session with a new token, which is returned and nowhere kept. Raises DatabaseUnavailableError."""
        from blotout_orchestration.platform.database.tables import web_session

        token, now = secrets.token_urlsafe(TOKEN_BYTES), self._clock()
        with writing(self._settings) as connection:
            connection.execute(web_session.delete().where(web_session.c.expires_at < now - KEPT_AFTER_END))
            connection.execute(
                web_session.insert().values(
                    token_hash=_token_hash(token),
                    user_name=account.name,
                    credential_fingerprint=fingerprint(token, account),
                    role=account.role.value,
                    created_at=now,
                    seen_at=now,
                    expires_at=now + self._longest,
                )
            )
        return token

    def visitor(self, token: str, *, is_activity: bool = True) -> Visitor | None:
        """Who the token belongs to; None when it is unknown, expired, revoked or its credential changed.

        `is_activity` is False for checks that no request of the person caused: they keep nothing alive.
        Raises DatabaseUnavailableError, DirectoryUnavailableError.
        """
        row, now = self._row(token), self._clock()
        if row is None or row["revoked_at"] is not None:
            return None
        if now >= row["expires_at"] or now - row["seen_at"] >= self._idle:
            return None
        account = self._account(row)
        expected = fingerprint(token, account) if account else ""
        if account is None or not hmac.compare_digest(expected, row["credential_fingerprint"]):
            self.end(token)
            return None
        if is_activity and now - row["seen_at"] >= SEEN_EVERY:
            self._update(token, seen_at=now)
        return Visitor(account.name, account.role, token)

    def end(self, token: str) -> None:
        """Revoke the session for good; a token that is not known is left alone."""
        self._update(token, revoked_at=self._clock())

    def _account(self, row: RowMapping) -> Account | None:
        account = self._find(row["user_name"])
        if account is not None and "@" in account.name:
            # The provider told the role at the login; it is asked again at the next one.
            return Account(account.name, Role(row["role"]), account.credential)
        return account

    def _row(self, token: str) -> RowMapping | None:
        from blotout_orchestration.platform.database.tables import web_session

        query = web_session.select().where(web_session.c.token_hash == _token_hash(token))
        with platform_database(self._settings).connect() as connection:
            return connection.execute(query).mappings().one_or_none()

    def _update(self, token: str, **values: Any) -> None:
        from blotout_orchestration.platform.database.tables import web_session

        is_this = web_session.c.token_hash == _token_hash(token)
        query = web_session.update().where(is_this, web_session.c.revoked_at.is_(None)).values(**values)
        with writing(self._settings) as connection:
            connection.execute(query)
