"""What the parts of the door share: the address, the users, the sessions, the brake and the cookies.

Belongs here: putting these together from the settings, and the names and flags of the cookies. Does not
belong here: requests and pages.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from blotout_orchestration.platform.database import audit
from blotout_orchestration.web.address import Address, address_of
from blotout_orchestration.web.directory import Account, Directory
from blotout_orchestration.web.roles import Role
from blotout_orchestration.web.sessions import Sessions
from blotout_orchestration.web.throttle import Throttle

if TYPE_CHECKING:
    from starlette.responses import Response

    from blotout_orchestration.settings import Settings

SESSION_COOKIE: Final = "blotout_session"
FORM_COOKIE: Final = "blotout_form"
PROVIDER_COOKIE: Final = "blotout_oidc"
FORM_SECONDS: Final = 3600


@dataclass(frozen=True)
class Access:
    """Everything that decides who comes in. `key` signs what a browser keeps until it is logged in."""

    settings: Settings
    address: Address
    directory: Directory
    sessions: Sessions
    throttle: Throttle
    key: str

    def cookie_name(self, name: str) -> str:
        """The cookie's name; behind TLS with the prefix that no other host or plain page can set."""
        return f"__Host-{name}" if self.address.is_secure else name

    def cookie_flags(self) -> Mapping[str, Any]:
        """Flags of every cookie of the door."""
        return {"path": "/", "secure": self.address.is_secure, "httponly": True, "samesite": "lax"}

    def set_cookie(self, response: Response, name: str, value: str, seconds: int) -> None:
        """Let the browser keep a value for so long."""
        response.set_cookie(self.cookie_name(name), value, max_age=seconds, **self.cookie_flags())

    def delete_cookie(self, response: Response, name: str) -> None:
        """Let the browser forget a value."""
        response.delete_cookie(self.cookie_name(name), **self.cookie_flags())

    def provider_account(self, name: str, role: Role) -> Account:
        """The account of somebody whom the identity provider vouches for; its name has an `@`.

        Its credential is what we trust the provider for: other settings there end the sessions.
        """
        trusted = (
            self.settings.web_oidc_issuer,
            self.settings.web_oidc_client_id,
            self.settings.web_oidc_role_claim,
            self.settings.web_oidc_roles,
        )
        return Account(name, role, repr(trusted))

    def record(
        self,
        actor: str,
        action: str,
        target: str,
        outcome: audit.Outcome,
        run_id: str | None = None,
        **details: Any,
    ) -> None:
        """Add to the audit log. Raises DatabaseUnavailableError."""
        audit.record(
            self.settings,
            actor=actor[:128],
            action=action,
            target=target,
            outcome=outcome,
            run_id=run_id,
            details=details,
        )


def access_of(
    settings: Settings, *, prefix: str | None = None, current: Callable[[], Settings] | None = None
) -> Access:
    """The door's parts. `current` reads the settings anew, for passwords that change while the door stands."""
    directory = Directory(current or (lambda: settings))

    def find(name: str) -> Account | None:
        if "@" not in name:
            return directory.find(name)
        return access.provider_account(name, Role.VIEWER) if settings.web_oidc_issuer else None

    access = Access(
        settings=settings,
        address=address_of(settings.dagster_address, prefix),
        directory=directory,
        sessions=Sessions(settings, find),
        throttle=Throttle(settings.web_login_attempts),
        key=secrets.token_urlsafe(32),
    )
    return access
