"""What each kind of setting must look like.

Belongs here: pure checks of one value, which return it in its canonical form or raise ValueError with what
is wrong. A message never repeats the value: the caller shows it, masked where it is secret.
Does not belong here: whether the named thing can be reached (that is `blotout doctor`).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from pydantic import SecretStr

_NAME: Final = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_SUBNET: Final = re.compile(r"subnet-([0-9a-f]{8}|[0-9a-f]{17})")
_INSTANCE_TYPE: Final = re.compile(
    r"[a-z][a-z0-9-]*\.(nano|micro|small|medium|large|\d*xlarge|metal(-\d+xl)?)"
)
_DOCKER_TAG: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
"""Grammar of a tag in the reference format of the OCI distribution specification."""
_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_SPARK_MASTER: Final = re.compile(
    r"local(\[(\d+|\*)(,\d+)?\])?|yarn|k8s://\S+|spark://[\w.-]+:\d{1,5}(,[\w.-]+:\d{1,5})*"
)


def check_folder(value: Path) -> Path:
    """A path; `~` becomes the home folder, which no shell does for an .env file."""
    try:
        return value.expanduser()
    except RuntimeError:
        raise ValueError("there is no such user") from None


def check_cron(value: str) -> str:
    """A cron expression of five fields, or an alias such as `@hourly`, that fires at least once."""
    from croniter import CroniterBadCronError, CroniterBadDateError, croniter

    expression = " ".join(value.split())
    if expression.lower() in ("@once", "@reboot", "@continuous", "none"):
        raise ValueError("this preset of Airflow is not a repeating time; turn the schedule off in the UI")
    if not expression.startswith("@") and len(expression.split(" ")) != 5:
        raise ValueError("a cron expression has five fields")
    if re.search(r"(?<![a-z])[HR](?![a-z])", expression, re.IGNORECASE):
        raise ValueError("hashed and random fields (H, R) differ from start to start")
    try:
        croniter(expression).get_next(datetime)
    except CroniterBadDateError:
        raise ValueError("it never fires") from None
    except (CroniterBadCronError, KeyError, ValueError) as error:
        raise ValueError(f"not a cron expression ({type(error).__name__})") from None
    return expression


@lru_cache(maxsize=1)
def aws_regions() -> tuple[str, ...]:
    """Regions of all partitions in the endpoint data that botocore brings."""
    from botocore.loaders import create_loader

    partitions = create_loader().load_data("endpoints")["partitions"]
    return tuple(sorted(region for partition in partitions for region in partition["regions"]))


def check_region(value: str) -> str:
    """An AWS region that the installed botocore knows."""
    if value not in aws_regions():
        close = get_close_matches(value.lower(), aws_regions(), 1)
        raise ValueError("unknown region" + (f"; did you mean {close[0]}?" if close else ""))
    return value


def check_subnet(value: str) -> str:
    """A VPC subnet id: `subnet-` and 8 or 17 hexadecimal digits."""
    if not _SUBNET.fullmatch(value):
        raise ValueError("not a subnet id")
    return value


def check_instance_type(value: str) -> str:
    """An EC2 instance type: family, dot, size."""
    if not _INSTANCE_TYPE.fullmatch(value):
        raise ValueError("not an instance type")
    return value


def check_email(value: str) -> str:
    """An e-mail address by syntax; hosts of an internal network (`.local`) are fine."""
    from email_validator import EmailNotValidError, validate_email

    # The library refuses names that are reserved for internal networks: their syntax is checked below .com.
    internal = value.lower().endswith(("@localhost", ".local", ".test"))
    try:
        validate_email(f"{value}.com" if internal else value, check_deliverability=False)
    except EmailNotValidError:
        raise ValueError("not an e-mail address") from None
    return value


def check_addresses(value: str) -> str:
    """E-mail addresses with commas between them, in their order and without spaces; empty for none."""
    return ",".join(check_email(part.strip()) for part in value.split(",") if part.strip())


def check_team_addresses(value: str) -> str:
    """`team=address` pairs with commas between them."""
    pairs = [part.strip() for part in value.split(",") if part.strip()]
    for pair in pairs:
        team, separator, address = pair.partition("=")
        if not separator or not re.fullmatch(r"[A-Za-z0-9_-]+", team):
            raise ValueError("a pair is not of the form team=address")
        check_email(address)
    return ",".join(pairs)


def check_account_numbers(value: str) -> str:
    """AWS account numbers with commas between them, without spaces; empty for none."""
    numbers = [part.strip() for part in value.split(",") if part.strip()]
    if not all(re.fullmatch(r"\d{12}", number) for number in numbers):
        raise ValueError("an account number has 12 digits")
    return ",".join(numbers)


def check_docker_tag(value: str) -> str:
    """A tag of a container image."""
    if not _DOCKER_TAG.fullmatch(value):
        raise ValueError("not a Docker tag")
    return value


def check_name(value: str) -> str:
    """A name that is safe in schema and bucket names: lower-case words joined by single `_`."""
    if not _NAME.fullmatch(value):
        proposal = re.sub(r"[^a-z0-9]+", "_", value.lower()).strip("_")
        hint = f"; {proposal!r} would do" if _NAME.fullmatch(proposal) else ""
        raise ValueError(f"not safe in schema and bucket names{hint}")
    return value


def check_moment(value: str) -> str:
    """A date and time in ISO 8601; kept as written."""
    _moment(value)
    return value


def check_hour(value: str) -> str:
    """A whole hour in ISO 8601, UTC unless it carries an offset; returned in UTC with its offset."""
    moment = _moment(value).astimezone(UTC)
    if (moment.minute, moment.second, moment.microsecond) != (0, 0, 0):
        raise ValueError("not a whole hour of UTC")
    return moment.isoformat()


def _moment(value: str) -> datetime:
    try:
        moment = datetime.fromisoformat(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("not a date and time") from None


def check_catalog_uri(value: str) -> str:
    """`glue`, or the SQLAlchemy URI of a SQLite file or a Postgres database."""
    if value == "glue":
        return value
    scheme, separator, rest = value.partition("://")
    if scheme in ("postgresql", "postgres"):
        raise ValueError("name the driver: postgresql+psycopg2://")
    if not separator or scheme not in ("sqlite", "postgresql+psycopg2"):
        raise ValueError("unknown kind of database")
    if scheme == "sqlite":
        if not rest.startswith("/") or rest in ("/", "/:memory:"):
            raise ValueError("name a file; a database in memory ends with its process")
        return value
    try:
        parts = urlsplit(f"//{rest}")
        complete = parts.hostname and parts.path.strip("/") and (parts.port or True)
    except ValueError:
        complete = False
    if not complete:
        raise ValueError("host, port or database cannot be read (percent-encode / @ : in a password)")
    return value


def check_database_uri(value: SecretStr) -> SecretStr:
    """The SQLAlchemy URI of a SQLite file or a Postgres database."""
    if value.get_secret_value() == "glue":
        raise ValueError("unknown kind of database")
    check_catalog_uri(value.get_secret_value())
    return value


def check_spark_master(value: str) -> str:
    """A master URL as spark-submit takes it."""
    if not _SPARK_MASTER.fullmatch(value):
        raise ValueError("not a Spark master")
    return value


def check_lake_location(value: str) -> str:
    """A folder, `s3://` (a bucket for each layer), or `s3://bucket/prefix` (all layers below it)."""
    scheme, separator, rest = value.partition("://")
    if not separator:
        return value
    if scheme != "s3":
        raise ValueError("only folders and s3:// locations hold a lake")
    if "@" in rest:
        raise ValueError("credentials do not belong into the location; use the AWS credential chain")
    if rest and not _BUCKET.fullmatch(rest.split("/", 1)[0]):
        raise ValueError("not a bucket name")
    return value


def check_secret(value: SecretStr) -> SecretStr:
    """A secret without white space around it, which a copied line end would be."""
    text = value.get_secret_value()
    if not text or text != text.strip():
        raise ValueError("empty, or white space at its begin or end")
    return value


def check_secret_address(value: SecretStr) -> SecretStr:
    """An https:// or http:// address whose path is a secret."""
    text = check_secret(value).get_secret_value()
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError("not an address") from None
    if parts.scheme not in ("http", "https") or not host or re.search(r"\s", text):
        raise ValueError("not an address")
    return value
