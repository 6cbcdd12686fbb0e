"""Finds the KMS keys that S3 and SQS use for a request. moto checks neither the permission for a key nor its state."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.kms.models import kms_backends
from moto.s3.exceptions import S3ClientError
from moto.s3.models import s3_backends
from moto.sqs.models import sqs_backends

ERRORS = {
    ("s3", "Disabled"): S3ClientError("KMS.DisabledException", "The key is disabled."),
    ("s3", "PendingDeletion"): S3ClientError("KMS.KMSInvalidStateException", "The key is pending deletion."),
    ("sqs", "Disabled"): JsonRESTError("KmsDisabled", "The key is disabled."),
    ("sqs", "PendingDeletion"): JsonRESTError("KmsInvalidState", "The key is pending deletion."),
}
"""The error of a service, by the state of the key. https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html"""


@dataclass(frozen=True)
class KeyUse:
    """Actions that a service takes with a key, which its caller must be allowed.

    Attributes:
        actions: Such as ``kms:Decrypt``.
        key_arn: The ARN, even if the request names the key by id or alias.
        via: The service's name in the condition ``kms:ViaService``.
        error: What the service answers because of the key's state; None if the key is usable.

    """

    actions: tuple[str, ...]
    key_arn: str
    via: str
    error: Exception | None


def key_use(action: str, resource: str, request: Any, account_id: str, region: str) -> KeyUse | None:
    """Return the use of a key for a request, if any.

    Args:
        action: Such as ``s3:PutObject``.
        resource: The ARN of an object or a queue.
        request: moto's request.
        account_id: The account's ID.
        region: The service's region.

    """
    if action == "sqs:SendMessage":
        queue = sqs_backends[account_id][region].queues.get(resource.rpartition(":")[2])
        key = getattr(queue, "kms_master_key_id", None)
        # SQS reuses a data key for later messages, which it decrypts for each.
        actions: tuple[str, ...] = ("kms:GenerateDataKey", "kms:Decrypt")
    elif action in {"s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"}:
        bucket_name, _, name = resource.rpartition(":::")[2].partition("/")
        bucket = s3_backends[account_id]["aws"].buckets.get(bucket_name)
        reading = action != "s3:PutObject"
        version = request.querystring.get("versionId", [None])[0]
        key = bucket and (
            _key_of_object(account_id, bucket, name, version)
            if reading
            else _key_of_new_object(bucket, request.headers)
        )
        actions = ("kms:Decrypt",) if reading else ("kms:GenerateDataKey",)
    else:
        return None
    # The policies of AWS managed keys allow everyone in the account to use them through their service.
    if not key or "alias/aws/" in key:
        return None
    service = action.partition(":")[0]
    found = _find(key, account_id, region)
    error = ERRORS.get((service, found.key_state)) if found else None
    return KeyUse(actions, found.arn if found else key, f"{service}.{region}.amazonaws.com", error)


def _key_of_object(account_id: str, bucket: Any, name: str, version: str | None) -> str | None:
    found = s3_backends[account_id]["aws"].get_object(bucket.name, name, version)
    return found.kms_key_id if found is not None and found.encryption == "aws:kms" else None


def _key_of_new_object(bucket: Any, headers: Mapping[str, str]) -> str | None:
    """Return the key of a new object: its own header's, else the bucket's default."""
    if "x-amz-server-side-encryption" in headers:
        return headers.get("x-amz-server-side-encryption-aws-kms-key-id")
    by_default = (bucket.encryption or {}).get("Rule", {}).get("ApplyServerSideEncryptionByDefault", {})
    key: str | None = by_default.get("KMSMasterKeyID")
    return key


def _find(key: str, account_id: str, region: str) -> Any | None:
    """Find a key by its ARN, id or alias."""
    backend = kms_backends[account_id][region]
    alias = backend.get_alias_name(key)
    return backend.keys.get(backend.get_key_id_from_alias(alias) or backend.get_key_id(key))
