"""What moto 5.2.5 does otherwise than S3, bridged in process; each with what would go wrong without it."""

from collections.abc import Callable
from typing import Any
from urllib.parse import quote_plus

import moto.s3.models
import moto.s3.responses
from flask import request
from moto.core.responses import ActionResult
from moto.s3.exceptions import MissingKey, PreconditionFailed, S3AccessDeniedError, S3ClientError
from werkzeug.datastructures import Headers

# Any, for they are patched.
FakeDeleteMarker: Any = moto.s3.models.FakeDeleteMarker
FakeKey: Any = moto.s3.models.FakeKey
S3Backend: Any = moto.s3.models.S3Backend
S3Response: Any = moto.s3.responses.S3Response

ENCODED = {"Key", "Prefix", "Delimiter", "KeyMarker", "NextKeyMarker"}
"""What S3 encodes in a listing."""

CUSTOMER_KEY = "x-amz-server-side-encryption-customer-key-MD5"
COPIED_CUSTOMER_KEY = "x-amz-copy-source-server-side-encryption-customer-key-MD5"

METADATA = "x-amz-meta-"
METADATA_BYTES = 2048
"""https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html"""


def list_versions_encoded() -> None:
    """Encode keys where the caller asks for it: Terraform would decode plain ones, and never empty a bucket."""
    list_versions = S3Response.list_object_versions

    def list_object_versions(response: Any) -> Any:
        if response.querystring.get("encoding-type", [None])[0] != "url":
            return list_versions(response)
        serialize = response.serialized

        def encoded(result: Any) -> Any:
            content = result.result
            content["EncodingType"] = "url"
            entries = (*content["Versions"], *content["DeleteMarkers"], *(content.get("CommonPrefixes") or []), content)
            for entry in entries:
                for name in ENCODED & entry.keys():
                    entry[name] = quote_plus(entry[name] or "", safe="/")
            return serialize(result)

        response.serialized = encoded
        return list_versions(response)

    S3Response.list_object_versions = list_object_versions


class _ListedKey(FakeKey):  # type: ignore[misc]
    """One version as a listing describes it: it shares the body, which it must not close when the listing ends."""

    def __del__(self) -> None:
        pass


def list_versions_without_bodies() -> None:
    """Copy a version's description for a listing; for each page moto copies the bodies of the whole bucket, too."""

    def describe(key: Any, _memo: Any) -> Any:
        described: Any = object.__new__(_ListedKey)
        vars(described).update(vars(key))
        return described

    FakeKey.__deepcopy__ = describe


def dispose_of_delete_markers() -> None:
    """Let a bucket with delete markers be emptied; moto disposes of every version alike, and markers can't be."""
    FakeDeleteMarker.dispose = lambda _marker: None


def tell_of_delete_markers() -> None:
    """Say in answer to a GET, too, that what hides an object is a delete marker; moto says so to a HEAD alone.

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


def delete_what_is_there() -> None:
    """Let ``If-Match: *`` of a DELETE mean any ETag, as S3 does; to moto no object has that one.

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
    """End a restore at once, and tell of it; moto does so only when somebody asks for the object."""
    begin = FakeKey.restore

    def restore(key: Any, days: int) -> None:
        begin(key, days)
        # Asking is what completes it.
        _ = key.status

    FakeKey.restore = restore


def ask_for_customer_keys() -> None:
    """Give what is encrypted with a customer's key (SSE-C) only to who sends it again; moto gives it to everybody."""
    create, copy = FakeKey.__init__, S3Backend.copy_object
    get, head = S3Response.get_object, S3Response.head_object

    def init(key: Any, *args: Any, **kwargs: Any) -> None:
        create(key, *args, **kwargs)
        # Of an upload in parts, clients send it with the last request too.
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
        # First of all it is asked who may.
        answer = head(response, bucket_name, query, key_name, headers=headers)
        found = response.backend.get_object(bucket_name, key_name, query.get("versionId", [None])[0])
        _check_customer_key(found, CUSTOMER_KEY)
        return answer

    FakeKey.__init__ = init
    S3Backend.copy_object = copy_object
    S3Response.get_object = get_object
    S3Response.head_object = head_object


def _check_customer_key(found: Any, header: str) -> None:
    """Refuse a request that does not send the key of what it reads; a client gets no message in answer to a HEAD."""
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


def drop_checksums_of_parts() -> None:
    """Let the copy of what was uploaded in parts be read; moto gives it their checksum, which is not its own."""
    copy = S3Backend.copy_object

    def copy_object(backend: Any, source: Any, bucket_name: str, key_name: str, **kwargs: Any) -> None:
        copy(backend, source, bucket_name, key_name, **kwargs)
        if source.checksum_type == "COMPOSITE":
            made = backend.get_object(bucket_name, key_name)
            made.checksum_algorithm = made.checksum_value = None

    S3Backend.copy_object = copy_object


def limit_metadata() -> None:
    """Refuse more metadata of a user's own than S3 keeps; to moto all is welcome."""

    def limited(store: Callable[..., Any]) -> Callable[..., Any]:
        def checked(*args: Any, **kwargs: Any) -> Any:
            own = [(name, value) for name, value in request.headers.items() if name.lower().startswith(METADATA)]
            # WSGI decodes bytes, whatever they mean, as Latin-1.
            if sum(len(f"{name}{value}".encode("latin-1")) - len(METADATA) for name, value in own) > METADATA_BYTES:
                raise S3ClientError(
                    "MetadataTooLarge", "Your metadata headers exceed the maximum allowed metadata size"
                )
            return store(*args, **kwargs)

        return checked

    S3Response.put_object = limited(S3Response.put_object)
    S3Response.copy_object = limited(S3Response.copy_object)
    S3Backend.create_multipart_upload = limited(S3Backend.create_multipart_upload)
