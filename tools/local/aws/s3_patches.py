"""Patches of moto 5.2.5 where it differs from S3; each says what would go wrong without it."""

import base64
import hashlib
import json
import zlib
from collections.abc import Callable
from typing import Any
from urllib.parse import quote_plus

import moto.moto_server.utilities
import moto.s3.models
import moto.s3.responses
from flask import request
from moto.core.responses import ActionResult
from moto.s3.exceptions import MissingKey, PreconditionFailed, S3AccessDeniedError, S3ClientError
from werkzeug.datastructures import Headers

from tools.local.aws.policy import Service, permits

# Any, because they are patched.
FakeBucket: Any = moto.s3.models.FakeBucket
FakeDeleteMarker: Any = moto.s3.models.FakeDeleteMarker
FakeKey: Any = moto.s3.models.FakeKey
RegexConverter: Any = moto.moto_server.utilities.RegexConverter
S3Backend: Any = moto.s3.models.S3Backend
S3Response: Any = moto.s3.responses.S3Response

ENCODED = {"Key", "Prefix", "Delimiter", "KeyMarker", "NextKeyMarker"}
"""The fields that S3 encodes in a listing."""

CUSTOMER_KEY = "x-amz-server-side-encryption-customer-key-MD5"
COPIED_CUSTOMER_KEY = "x-amz-copy-source-server-side-encryption-customer-key-MD5"

DIGESTS: dict[str, Callable[[bytes], bytes]] = {
    "Content-MD5": lambda body: hashlib.md5(body, usedforsecurity=False).digest(),
    "x-amz-checksum-crc32": lambda body: zlib.crc32(body).to_bytes(4, "big"),
    "x-amz-checksum-sha1": lambda body: hashlib.sha1(body, usedforsecurity=False).digest(),
    "x-amz-checksum-sha256": lambda body: hashlib.sha256(body).digest(),
}
"""How to compute the digest in a header, except CRC-32C and CRC-64/NVME, which Python lacks."""

KEY_BYTES = 1024

METADATA = "x-amz-meta-"
METADATA_BYTES = 2048
"""https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html"""


def list_versions_encoded() -> None:
    """Encode keys if the caller asks for it. Terraform decodes them, so it would never empty a bucket."""
    list_versions = S3Response.list_object_versions

    def list_object_versions(response: Any) -> Any:
        if response.querystring.get("encoding-type", [None])[0] != "url":
            return list_versions(response)
        serialize = response.serialized

        def encode_keys(result: Any) -> Any:
            content = result.result
            content["EncodingType"] = "url"
            entries = (*content["Versions"], *content["DeleteMarkers"], *(content.get("CommonPrefixes") or []), content)
            for entry in entries:
                for name in ENCODED & entry.keys():
                    entry[name] = quote_plus(entry[name] or "", safe="/")
            return serialize(result)

        response.serialized = encode_keys
        return list_versions(response)

    S3Response.list_object_versions = list_object_versions


def route_keys_with_line_feeds() -> None:
    """Let a key contain line feeds. moto's routes match with ``.+``, which ends at a line feed, and answer 404."""
    create = RegexConverter.__init__

    def init(converter: Any, url_map: Any, pattern: str) -> None:
        create(converter, url_map, f"(?s:{pattern})")

    RegexConverter.__init__ = init


def report_payer() -> None:
    """Answer who pays for requests. moto lists the bucket; a plan then fails, because XML can't hold every key."""
    get = S3Response._bucket_response_get

    def bucket_response_get(response: Any, bucket_name: str, querystring: dict[str, Any]) -> Any:
        if "requestPayment" not in querystring:
            return get(response, bucket_name, querystring)
        response.data["Action"] = "GetBucketRequestPayment"
        return response.serialized(ActionResult({"Payer": "BucketOwner"}))

    S3Response._bucket_response_get = bucket_response_get


class _ListedKey(FakeKey):  # type: ignore[misc]
    """A version in a listing. It shares the object's body, and must not close it."""

    def __del__(self) -> None:
        pass


def list_versions_without_bodies() -> None:
    """Copy only the attributes of versions into a listing; moto copies the bodies of the whole bucket for each page."""

    def describe(key: Any, _memo: Any) -> Any:
        described: Any = object.__new__(_ListedKey)
        vars(described).update(vars(key))
        return described

    FakeKey.__deepcopy__ = describe


def dispose_of_delete_markers() -> None:
    """Let a bucket with delete markers be emptied; moto calls a method that markers lack."""
    FakeDeleteMarker.dispose = lambda _marker: None


def report_delete_markers() -> None:
    """Answer a GET, too, with the header of a delete marker; moto sends it for a HEAD only.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/DeleteMarker.html
    """
    get = S3Response.get_object

    def get_object(response: Any) -> Any:
        try:
            return get(response)
        except MissingKey as missing:
            bucket, key = response.bucket_name, response.parse_key_name()
            found = response.backend.get_object(bucket, key, return_delete_marker=True)
            status, headers, body = response.serialized(ActionResult(missing))
            if isinstance(found, FakeDeleteMarker):
                headers |= {"x-amz-delete-marker": "true", "x-amz-version-id": found.version_id}
            return status, headers, body

    S3Response.get_object = get_object


def accept_if_match_any() -> None:
    """Take ``If-Match: *`` of a DELETE for any ETag, as S3 does; for moto no object matches.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-deletes.html
    """
    delete = S3Response.delete_object

    def delete_object(response: Any) -> Any:
        if response.headers.get("If-Match") == "*":
            if response.backend.get_object(response.bucket_name, response.parse_key_name()) is None:
                raise PreconditionFailed("If-Match")
            response.headers = Headers(list(response.headers.items()))
            response.headers.remove("If-Match")
        return delete(response)

    S3Response.delete_object = delete_object


def complete_restores() -> None:
    """Complete a restore at once and send its notification; moto does so at the next request for the object."""
    begin = FakeKey.restore

    def restore(key: Any, days: int) -> None:
        begin(key, days)
        # Reading the status completes it.
        _ = key.status

    FakeKey.restore = restore


def require_customer_keys() -> None:
    """Require the customer's key (SSE-C) to read an object; moto returns it without."""
    create, copy = FakeKey.__init__, S3Backend.copy_object
    get, head = S3Response.get_object, S3Response.head_object

    def init(key: Any, *args: Any, **kwargs: Any) -> None:
        create(key, *args, **kwargs)
        # In a multipart upload, clients send it with the last request, too.
        key.customer_key = request.headers.get(CUSTOMER_KEY)

    def copy_object(backend: Any, source: Any, *args: Any, **kwargs: Any) -> None:
        _check_customer_key(source, COPIED_CUSTOMER_KEY)
        copy(backend, source, *args, **kwargs)

    def get_object(response: Any) -> Any:
        version = response.querystring.get("versionId", [None])[0]
        found = response.backend.get_object(response.bucket_name, response.parse_key_name(), version)
        _check_customer_key(found, CUSTOMER_KEY)
        return get(response)

    def head_object(response: Any, bucket_name: str, query: dict[str, Any], key_name: str, headers: Any) -> Any:
        # Authorization comes first.
        answer = head(response, bucket_name, query, key_name, headers=headers)
        found = response.backend.get_object(bucket_name, key_name, query.get("versionId", [None])[0])
        _check_customer_key(found, CUSTOMER_KEY)
        return answer

    FakeKey.__init__ = init
    S3Backend.copy_object = copy_object
    S3Response.get_object = get_object
    S3Response.head_object = head_object


def _check_customer_key(found: Any, header: str) -> None:
    """Reject a request without the key of the object; the answer to a HEAD has no message."""
    sent = request.headers.get(header)
    if found is None or sent == found.customer_key:
        return
    if sent is None:
        raise S3ClientError(
            "InvalidRequest",
            "The object was stored using a form of Server Side Encryption. "
            "The correct parameters must be provided to retrieve the object.",
        )
    if found.customer_key is None:
        raise S3ClientError("InvalidRequest", "The encryption parameters are not applicable to this object.")
    raise S3AccessDeniedError


def drop_composite_checksums() -> None:
    """Drop the checksum of a copy of a multipart upload. moto copies the parts' checksum, which clients reject."""
    copy = S3Backend.copy_object

    def copy_object(backend: Any, source: Any, bucket_name: str, key_name: str, **kwargs: Any) -> None:
        copy(backend, source, bucket_name, key_name, **kwargs)
        if source.checksum_type == "COMPOSITE":
            made = backend.get_object(bucket_name, key_name)
            made.checksum_algorithm = made.checksum_value = None

    S3Backend.copy_object = copy_object


def limit_metadata() -> None:
    """Reject more user metadata than S3 allows; moto has no limit."""

    def check_size(store: Callable[..., Any]) -> Callable[..., Any]:
        def store_checked(*args: Any, **kwargs: Any) -> Any:
            own = [(name, value) for name, value in request.headers.items() if name.lower().startswith(METADATA)]
            # WSGI decodes all headers as Latin-1.
            if sum(len(f"{name}{value}".encode("latin-1")) - len(METADATA) for name, value in own) > METADATA_BYTES:
                raise S3ClientError(
                    "MetadataTooLarge", "Your metadata headers exceed the maximum allowed metadata size"
                )
            return store(*args, **kwargs)

        return store_checked

    S3Response.put_object = check_size(S3Response.put_object)
    S3Response.copy_object = check_size(S3Response.copy_object)
    S3Backend.create_multipart_upload = check_size(S3Backend.create_multipart_upload)


def limit_keys() -> None:
    """Reject keys that are longer than S3 allows; moto has no limit.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
    """
    create, find = FakeKey.__init__, S3Backend.get_object

    def check(key: str) -> None:
        if len(key.encode()) > KEY_BYTES:
            raise S3ClientError("KeyTooLongError", "Your key is too long")

    def init(made: Any, name: str | int, *args: Any, **kwargs: Any) -> None:
        # A part of an upload has a number.
        check(str(name))
        create(made, name, *args, **kwargs)

    def get_object(backend: Any, bucket_name: str, key_name: str, *args: Any, **kwargs: Any) -> Any:
        check(key_name)
        return find(backend, bucket_name, key_name, *args, **kwargs)

    FakeKey.__init__ = init
    S3Backend.get_object = get_object


def verify_digests() -> None:
    """Reject a body whose digest differs from the one in the request's headers; moto stores it.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html
    """

    def verify(store: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def store_verified(response: Any) -> Any:
            for header, digest in DIGESTS.items():
                sent = response.headers.get(header)
                if sent is not None and base64.b64decode(sent) != digest(response.body or b""):
                    raise S3ClientError("BadDigest", f"The {header} you specified did not match what we received.")
            return store(response)

        return store_verified

    S3Response.put_object = verify(S3Response.put_object)
    S3Response.upload_part = verify(S3Response.upload_part)


def mark_missing_objects() -> None:
    """Make a delete marker for a deleted key that never had an object, as S3 does; moto makes none.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/DeleteMarker.html
    """
    mark = S3Backend._set_delete_marker

    def set_delete_marker(backend: Any, bucket_name: str, key_name: str) -> Any:
        keys = backend.get_bucket(bucket_name).keys
        was_there = key_name in keys
        if not was_there:
            # moto's markers need an object to refer to.
            keys[key_name] = FakeKey(key_name, b"", backend.account_id, backend.region_name, bucket_name=bucket_name)
        marker = mark(backend, bucket_name, key_name)
        if not was_there:
            keys.setlist(key_name, [marker])
        return marker

    S3Backend._set_delete_marker = set_delete_marker


def check_log_delivery() -> None:
    """Check the policy of a bucket for access logs. moto fails at the principal ``*``, and reads no lists."""

    def log_permissions_enabled_policy(bucket: Any, target_bucket: Any, target_prefix: str | None) -> bool:
        service = Service("logging.s3.amazonaws.com", bucket.arn, bucket.account_id)
        statements = json.loads(target_bucket.policy or '{"Statement": []}')["Statement"]
        return permits(statements, service, "s3:PutObject", f"{target_bucket.arn}/{target_prefix or ''}*")

    FakeBucket._log_permissions_enabled_policy = log_permissions_enabled_policy
