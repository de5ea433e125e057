"""Users: `users.yaml`, its format, and the argon2 hashes in it.

Belongs here: reading and writing users, making and checking hashes. Does not belong here: `admin`, whose
password is a setting or a secret (`directory.py`), and sessions.
"""

from __future__ import annotations

import fcntl
import os
import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from blotout_orchestration.errors import BlotoutError, UsageError
from blotout_orchestration.web.roles import Role

if TYPE_CHECKING:
    from argon2 import PasswordHasher

    from blotout_orchestration.settings import Settings

ADMIN: Final = "admin"
MINIMUM_LENGTH: Final = 12
MAXIMUM_LENGTH: Final = 1024
"""Longer passwords are refused before hashing: nobody types them, and hashing them costs us."""
_NAME: Final = re.compile(r"[a-z][a-z0-9._-]{0,63}")
_ARGON2: Final = re.compile(r"\$argon2id\$v=\d+\$m=\d+,t=\d+,p=\d+\$[A-Za-z0-9+/]+\$[A-Za-z0-9+/]+")


class UsersError(BlotoutError):
    """The users cannot be read; the message names the place and what to do, never a hash."""


def check_name(name: str) -> str:
    """A name that may stand in `users.yaml`; raises ValueError."""
    if not _NAME.fullmatch(name):
        raise ValueError("a name has lower-case letters, digits, `.`, `_` and `-`, and begins with a letter")
    if name == ADMIN:
        raise ValueError(f"{ADMIN} is not kept here: its password is DAGSTER_PASSWORD or a secret")
    return name


def _check_hash(text: str) -> str:
    if not _ARGON2.fullmatch(text):
        raise ValueError("not an argon2id hash; let `blotout users add` make it")
    return text


class User(BaseModel):
    """A user of the file: the role, and the argon2id hash of the password."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)
    role: Role
    password: Annotated[str, AfterValidator(_check_hash)] = Field(repr=False)


class Users(BaseModel):
    """The content of `users.yaml`."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)
    users: dict[Annotated[str, AfterValidator(check_name)], User] = Field(default_factory=dict)


@lru_cache(maxsize=1)
def _hasher() -> PasswordHasher:
    from argon2 import PasswordHasher

    return PasswordHasher()


def hash_password(password: str) -> str:
    """The argon2id hash, with the library's parameters. Raises UsageError for a password out of bounds."""
    if not MINIMUM_LENGTH <= len(password) <= MAXIMUM_LENGTH:
        raise UsageError(f"a password has {MINIMUM_LENGTH} to {MAXIMUM_LENGTH} characters")
    return _hasher().hash(password)


def password_matches(hashed: str, password: str) -> bool:
    """Whether the password belongs to the hash; takes as long whatever the answer is."""
    from argon2.exceptions import InvalidHashError, VerificationError

    try:
        return _hasher().verify(hashed, password)
    except (VerificationError, InvalidHashError):
        return False


@lru_cache(maxsize=1)
def hash_of_nobody() -> str:
    """A hash that no password has, for names that do not exist: a guess of a name must take as long."""
    return _hasher().hash(os.urandom(32).hex())


def users_file(settings: Settings) -> Path:
    """Where the users lie when no secret is set."""
    return settings.blotout_home.absolute() / "users.yaml"


def parse_users(text: str, place: str) -> Mapping[str, User]:
    """Users by name from YAML or JSON. Raises UsersError naming place, user and what is wrong."""
    import yaml

    try:
        document = yaml.load(text, Loader=_unique_keys_loader())
        return Users.model_validate(document or {}).users
    except yaml.YAMLError as error:
        where = getattr(error, "problem_mark", None)
        line = f", line {where.line + 1}" if where else ""
        problem = getattr(error, "problem", None) or "it cannot be read"
        raise UsersError(
            f"{place}{line}: {problem}; expected `users:` with name: {{role, password}}"
        ) from None
    except ValidationError as error:
        detail = error.errors(include_input=False, include_url=False)[0]
        field = ".".join(str(part) for part in detail["loc"])
        raise UsersError(f"{place}: {field}: {detail['msg']}") from None


@lru_cache(maxsize=1)
def _unique_keys_loader() -> Any:
    import yaml

    class UniqueKeys(yaml.SafeLoader):  # type: ignore[misc, unused-ignore]
        """YAML where a name stands once: of two entries, who knows which one holds."""

        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
            keys = [key.value for key, _ in node.value]
            if len(keys) != len(set(keys)):
                raise yaml.constructor.ConstructorError(None, None, "a name stands twice", node.start_mark)
            return dict(super().construct_mapping(node, deep))

    return UniqueKeys


def read_users_file(path: Path) -> Mapping[str, User]:
    """The users of a file that nobody else can read; none when there is no file. Raises UsersError."""
    try:
        with path.open(encoding="utf-8") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            if mode & 0o077:
                raise UsersError(f"{path} can be read by others (mode {mode:o}); run: chmod 600 {path}")
            return parse_users(file.read(), str(path))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise UsersError(f"{path}: {type(error).__name__}; is it a text file that we may read?") from None


@contextmanager
def editing(path: Path) -> Iterator[dict[str, User]]:
    """The users to change in place; written at the end, whole or not at all, one writer at a time."""
    import yaml

    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        users = dict(read_users_file(path))
        yield users
        content = {"users": {name: users[name].model_dump(mode="json") for name in sorted(users)}}
        temporary = path.with_suffix(".tmp")
        temporary.unlink(missing_ok=True)
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            yaml.safe_dump(content, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
