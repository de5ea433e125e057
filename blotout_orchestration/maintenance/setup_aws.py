"""Setting up what only AWS has: buckets with their protection and lifecycle, and the mail identity of SES.

Belongs here: calls of boto3 for `one_time_setup`. Anything that a bucket already has beyond ours is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from blotout_orchestration.lake import Lake
from blotout_orchestration.lake.layers import LAYERS
from blotout_orchestration.settings import Settings

if TYPE_CHECKING:
    from blotout_orchestration.maintenance.setup_steps import Step

BLOCKED: Final = {
    "BlockPublicAcls": True,
    "IgnorePublicAcls": True,
    "BlockPublicPolicy": True,
    "RestrictPublicBuckets": True,
}
UPLOAD_DAYS: Final = 7
"""Uploads in parts that were begun and never finished cost money and show in no listing."""
EMR_LOG_DAYS: Final = 30


def bucket_of(lake: Lake, layer: str) -> tuple[str, str]:
    """Bucket and prefix of a layer; the prefix is empty when the layer has a bucket of its own."""
    bucket, _, prefix = lake.layer(layer).removeprefix("s3://").partition("/")
    return bucket, prefix.strip("/")


def shared_prefix(lake: Lake) -> str:
    """The lake's folder in a bucket that may hold other things too; empty when the buckets are the lake's own."""
    return bucket_of(lake, "landing")[1].rpartition("landing")[0]


def lifecycle_rules(lake: Lake, bucket: str) -> list[dict[str, Any]]:
    """The rules that a bucket must have: unfinished uploads go, and so do the files of temporary layers."""
    days = {"athena-logs": lake.settings.query_result_days, "emr": EMR_LOG_DAYS}
    rules: list[dict[str, Any]] = [
        {
            "ID": "blotout-unfinished-uploads",
            "Status": "Enabled",
            "Filter": {"Prefix": shared_prefix(lake)},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": UPLOAD_DAYS},
        }
    ]
    for layer, kept in days.items():
        name, prefix = bucket_of(lake, layer)
        if name == bucket:
            folder = "/".join(part for part in (prefix, "logs" if layer == "emr" else "") if part)
            rules.append(
                {
                    "ID": f"blotout-{layer}",
                    "Status": "Enabled",
                    "Filter": {"Prefix": f"{folder}/" if folder else ""},
                    "Expiration": {"Days": kept},
                }
            )
    return rules


def bucket_steps(lake: Lake) -> list[Step]:
    """Buckets, their encryption, the block of public access, their lifecycle."""
    from blotout_orchestration.maintenance.setup_steps import Step, skipped_step

    region = lake.settings.aws_region
    names = list(dict.fromkeys(bucket_of(lake, layer)[0] for layer in LAYERS))

    def create(bucket: str) -> None:
        place = {} if region == "us-east-1" else {"LocationConstraint": region}
        options = {"CreateBucketConfiguration": place} if place else {}
        _client("s3", region).create_bucket(Bucket=bucket, **options)

    def encrypt(bucket: str) -> None:
        rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": True}
        _client("s3", region).put_bucket_encryption(
            Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]}
        )

    def is_blocked(bucket: str) -> bool:
        found = _asked(lambda: _client("s3", region).get_public_access_block(Bucket=bucket))
        return bool(found) and found["PublicAccessBlockConfiguration"] == BLOCKED

    def block(bucket: str) -> None:
        _client("s3", region).put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=BLOCKED)

    def rules_of(bucket: str) -> list[dict[str, Any]]:
        found = _asked(lambda: _client("s3", region).get_bucket_lifecycle_configuration(Bucket=bucket))
        return list(found["Rules"]) if found else []

    def has_rules(bucket: str) -> bool:
        there = {rule.get("ID"): rule for rule in rules_of(bucket)}
        return all(_same(rule, there.get(rule["ID"])) for rule in lifecycle_rules(lake, bucket))

    def add_rules(bucket: str) -> None:
        ours = lifecycle_rules(lake, bucket)
        foreign = [rule for rule in rules_of(bucket) if rule.get("ID") not in {r["ID"] for r in ours}]
        _client("s3", region).put_bucket_lifecycle_configuration(
            Bucket=bucket, LifecycleConfiguration={"Rules": [*foreign, *ours]}
        )

    def there(bucket: str) -> bool:
        return _asked(lambda: _client("s3", region).head_bucket(Bucket=bucket)) is not None

    def encrypted(bucket: str) -> bool:
        return _asked(lambda: _client("s3", region).get_bucket_encryption(Bucket=bucket)) is not None

    if bucket_of(lake, "landing")[1]:
        reason = f"{names[0]} may hold other things than the lake: protect it where it is managed"
        return [
            Step("buckets", lambda: names, there, create),
            skipped_step("bucket encryption", reason),
            skipped_step("bucket access block", reason),
            Step("bucket lifecycle", lambda: names, has_rules, add_rules),
        ]
    return [
        Step("buckets", lambda: names, there, create),
        Step("bucket encryption", lambda: names, encrypted, encrypt),
        Step("bucket access block", lambda: names, is_blocked, block),
        Step("bucket lifecycle", lambda: names, has_rules, add_rules),
    ]


def _same(wanted: dict[str, Any], found: dict[str, Any] | None) -> bool:
    """Whether a rule is as it must be; S3 answers with fields of its own beside ours."""
    return found is not None and all(found.get(name) == value for name, value in wanted.items())


def mail_step(settings: Settings) -> Step:
    """The sender's identity with SES; SES sends the owner of the address a mail to confirm it."""
    from blotout_orchestration.maintenance.setup_steps import Step, skipped_step

    if settings.mail_transport != "ses":
        return skipped_step(
            "mail identity", f"MAIL_TRANSPORT is {settings.mail_transport}: only SES has identities"
        )
    if settings.mail_sender is None:
        return skipped_step("mail identity", "MAIL_SENDER is not set")
    sender = settings.mail_sender
    region = settings.aws_region

    def known(identity: str) -> bool:
        """The address or its domain is known to SES, confirmed or waiting for it."""
        names = [identity, identity.rpartition("@")[2]]
        answer = _client("ses", region).get_identity_verification_attributes(Identities=names)
        states = [entry["VerificationStatus"] for entry in answer["VerificationAttributes"].values()]
        return any(state in ("Success", "Pending") for state in states)

    def register(identity: str) -> None:
        _client("ses", region).verify_email_identity(EmailAddress=identity)

    return Step("mail identity", lambda: [sender], known, register)


def _client(service: str, region: str) -> Any:
    import boto3

    return boto3.client(service, region_name=region)


def _asked(ask: Callable[[], Any]) -> Any:
    """The answer; None when AWS says that there is no such thing. Other refusals are raised."""
    from botocore.exceptions import ClientError

    try:
        return ask()
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in ("404", "NoSuchBucket") or code.startswith("NoSuch") or code.endswith("NotFoundError"):
            return None
        raise
