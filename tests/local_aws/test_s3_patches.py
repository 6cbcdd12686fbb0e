"""The patches of moto's S3."""

import base64
import io
import json
from typing import Any
from urllib.parse import unquote_plus

import pytest
import urllib3
from botocore.exceptions import ClientError

from tests.local_aws.conftest import PROBE, Account

KEYS = ["plain", "a b+c%d", "é/ü"]


def test_a_listing_of_versions_can_have_encoded_keys(account: Account) -> None:
    bucket = account.bucket()
    s3 = account.client("s3")
    for key in KEYS:
        s3.put_object(Bucket=bucket, Key=key)
    s3.delete_object(Bucket=bucket, Key=KEYS[1])
    encoded = s3.list_object_versions(Bucket=bucket, EncodingType="url")
    assert sorted(unquote_plus(version["Key"]) for version in encoded["Versions"]) == sorted(KEYS)
    assert [marker["Key"] for marker in encoded["DeleteMarkers"]] == ["a+b%2Bc%25d"]
    assert s3.list_object_versions(Bucket=bucket, EncodingType="url", Prefix="a b+")["Prefix"] == "a+b%2B"
    # boto3 asks for encoded keys, too, and decodes them.
    assert sorted(version["Key"] for version in s3.list_object_versions(Bucket=bucket)["Versions"]) == sorted(KEYS)


ODD_KEYS = ["a\x1bb", "a\nb", "\n", "folder\n/b\n\n", "a\rb", "a\tb", "a\0b", "\ufffe", "&<>\"'", "🎂"]


def test_a_key_can_contain_any_character(account: Account) -> None:
    bucket = account.bucket()
    s3 = account.client("s3")
    for key in ODD_KEYS:
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    for key in ODD_KEYS:
        assert s3.head_object(Bucket=bucket, Key=key)["ContentLength"] == len(key.encode())
        assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == key.encode()
    assert {found["Key"] for found in s3.list_objects_v2(Bucket=bucket)["Contents"]} == set(ODD_KEYS)
    # Terraform reads it for every plan.
    assert s3.get_bucket_request_payment(Bucket=bucket)["Payer"] == "BucketOwner"
    for version in s3.list_object_versions(Bucket=bucket)["Versions"]:
        s3.delete_object(Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"])
    s3.delete_bucket(Bucket=bucket)


def test_a_bucket_with_delete_markers_can_be_emptied(account: Account) -> None:
    bucket = account.bucket()
    s3 = account.client("s3")
    for key in KEYS:
        s3.put_object(Bucket=bucket, Key=key)
        s3.delete_object(Bucket=bucket, Key=key)
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    listed = s3.list_object_versions(Bucket=bucket)
    for version in (*listed["Versions"], *listed["DeleteMarkers"]):
        s3.delete_object(Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"])
    s3.delete_bucket(Bucket=bucket)


def test_only_a_deleted_object_has_a_delete_marker(account: Account) -> None:
    bucket = account.bucket()
    s3 = account.client("s3")
    s3.put_object(Bucket=bucket, Key="deleted")
    marker = s3.delete_object(Bucket=bucket, Key="deleted")["VersionId"]
    version = s3.put_object(Bucket=bucket, Key="erased")["VersionId"]
    s3.delete_object(Bucket=bucket, Key="erased", VersionId=version)

    def describe_answer(call: str, key: str) -> tuple[str, str | None, str | None]:
        with pytest.raises(ClientError) as refused:
            getattr(s3, call)(Bucket=bucket, Key=key)
        headers = refused.value.response["ResponseMetadata"]["HTTPHeaders"]
        code = refused.value.response["Error"]["Code"]
        return code, headers.get("x-amz-delete-marker"), headers.get("x-amz-version-id")

    for call, code in (("get_object", "NoSuchKey"), ("head_object", "404")):
        assert describe_answer(call, "deleted") == (code, "true", marker)
        assert describe_answer(call, "erased") == describe_answer(call, "never") == (code, None, None)


SECRET: dict[str, Any] = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": b"0" * 32}
OTHER_SECRET: dict[str, Any] = {**SECRET, "SSECustomerKey": b"1" * 32}


def call_for_error(call: Any, **arguments: Any) -> str:
    """Call a method; return the error code."""
    with pytest.raises(ClientError) as refused:
        call(**arguments)
    found: str = refused.value.response["Error"]["Code"]
    return found


def test_a_conditional_deletion_of_a_missing_object_leaves_no_marker(account: Account) -> None:
    bucket = account.bucket()
    s3 = account.client("s3")
    s3.put_object(Bucket=bucket, Key="there")
    s3.delete_object(Bucket=bucket, Key="there", IfMatch="*")
    for key in ("there", "never"):
        assert call_for_error(s3.delete_object, Bucket=bucket, Key=key, IfMatch="*") == "PreconditionFailed"
    assert [one["Key"] for one in s3.list_object_versions(Bucket=bucket)["DeleteMarkers"]] == ["there"]


@pytest.mark.parametrize("in_batch", [False, True])
def test_a_deletion_of_a_missing_object_leaves_a_marker(account: Account, in_batch: bool) -> None:
    bucket = account.bucket()
    s3 = account.client("s3")
    if in_batch:
        s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "never"}]})
    else:
        s3.delete_object(Bucket=bucket, Key="never")
    assert call_for_error(s3.get_object, Bucket=bucket, Key="never") == "NoSuchKey"
    listed = s3.list_object_versions(Bucket=bucket)
    (marker,) = listed["DeleteMarkers"]
    assert (marker["Key"], listed.get("Versions", [])) == ("never", [])
    # Without its marker, the bucket is empty.
    s3.delete_object(Bucket=bucket, Key="never", VersionId=marker["VersionId"])
    s3.delete_bucket(Bucket=bucket)


def test_a_key_beyond_the_limit_is_rejected(account: Account) -> None:
    bucket = account.bucket()
    s3 = account.client("s3")
    for call in (s3.put_object, s3.get_object, s3.head_object):
        for key in (1025 * "k", 513 * "é"):
            assert call_for_error(call, Bucket=bucket, Key=key) in {"KeyTooLongError", "400"}
    s3.put_object(Bucket=bucket, Key=512 * "é")
    assert s3.head_object(Bucket=bucket, Key=512 * "é")["ContentLength"] == 0


@pytest.mark.parametrize("name", ["ContentMD5", "ChecksumCRC32", "ChecksumSHA1", "ChecksumSHA256"])
def test_a_body_with_another_digest_is_rejected(account: Account, name: str) -> None:
    bucket = account.bucket()
    s3 = account.client("s3")
    size = {"ContentMD5": 16, "ChecksumCRC32": 4, "ChecksumSHA1": 20, "ChecksumSHA256": 32}[name]
    digest = {name: base64.b64encode(bytes(size)).decode()}
    assert call_for_error(s3.put_object, Bucket=bucket, Key="x", Body=b"text", **digest) == "BadDigest"
    upload = s3.create_multipart_upload(Bucket=bucket, Key="x")["UploadId"]
    part = {"UploadId": upload, "PartNumber": 1, "Body": b"text", **digest}
    assert call_for_error(s3.upload_part, Bucket=bucket, Key="x", **part) == "BadDigest"
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


@pytest.mark.parametrize("size", [5, 20 << 20], ids=["at once", "in parts"])
def test_sse_c_needs_the_customers_key(account: Account, size: int) -> None:
    bucket = account.bucket()
    s3 = account.client("s3")
    s3.upload_fileobj(io.BytesIO(bytes(size)), bucket, "x", ExtraArgs=SECRET)
    about = {"Bucket": bucket, "Key": "x"}
    with pytest.raises(ClientError, match="stored using a form of Server Side Encryption"):
        s3.get_object(**about)
    assert (call_for_error(s3.get_object, **about), call_for_error(s3.head_object, **about)) == (
        "InvalidRequest",
        "400",
    )
    other = about | OTHER_SECRET
    assert (call_for_error(s3.get_object, **other), call_for_error(s3.head_object, **other)) == ("AccessDenied", "403")
    assert s3.get_object(**about, **SECRET)["Body"].read() == bytes(size)
    assert s3.head_object(**about, **SECRET)["ContentLength"] == size


def test_the_copy_of_a_multipart_upload_can_be_read(account: Account) -> None:
    bucket = account.bucket()
    s3 = account.client("s3")
    s3.upload_fileobj(io.BytesIO(bytes(20 << 20)), bucket, "x")
    s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "x"})
    assert s3.get_object(Bucket=bucket, Key="copy")["Body"].read() == bytes(20 << 20)


def test_sse_c_does_not_replace_permissions(account: Account) -> None:
    bucket = account.bucket()
    account.client("s3").put_object(Bucket=bucket, Key="x", **SECRET)
    permitted = account.function(PROBE, allow=[{"Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"}])
    forbidden = account.function(PROBE)
    for call, found in (("get_object", ["InvalidRequest", "AccessDenied"]), ("head_object", ["400", "403"])):
        assert [account.probe(name, call, Bucket=bucket, Key="x") for name in (permitted, forbidden)] == found


def test_each_version_has_its_own_customers_key(account: Account) -> None:
    bucket = account.bucket()
    s3 = account.client("s3")
    older = s3.put_object(Bucket=bucket, Key="x", Body=b"older", **SECRET)["VersionId"]
    s3.put_object(Bucket=bucket, Key="x", Body=b"newer")
    assert s3.get_object(Bucket=bucket, Key="x")["Body"].read() == b"newer"
    assert call_for_error(s3.get_object, Bucket=bucket, Key="x", **SECRET) == "InvalidRequest"
    assert call_for_error(s3.get_object, Bucket=bucket, Key="x", VersionId=older) == "InvalidRequest"
    assert call_for_error(s3.head_object, Bucket=bucket, Key="x", VersionId=older) == "400"


@pytest.mark.parametrize("size", [5, 20 << 20], ids=["at once", "in parts"])
def test_a_copy_needs_the_key_of_its_source_and_has_its_own(account: Account, size: int) -> None:
    bucket = account.bucket()
    s3 = account.client("s3")
    s3.upload_fileobj(io.BytesIO(bytes(size)), bucket, "x", ExtraArgs=SECRET)
    about = {"Bucket": bucket, "Key": "copy", "CopySource": {"Bucket": bucket, "Key": "x"}}
    assert call_for_error(s3.copy_object, **about) == "InvalidRequest"
    s3.copy_object(**about, **{f"CopySource{name}": value for name, value in SECRET.items()})
    assert s3.get_object(Bucket=bucket, Key="copy")["Body"].read() == bytes(size)


@pytest.mark.parametrize("call", ["put_object", "copy_object", "create_multipart_upload"])
def test_too_much_metadata_is_rejected(account: Account, call: str) -> None:
    bucket = account.bucket()
    s3 = account.client("s3")
    s3.put_object(Bucket=bucket, Key="source")
    source = {"CopySource": {"Bucket": bucket, "Key": "source"}, "MetadataDirective": "REPLACE"}
    about = {"Bucket": bucket, "Key": "x", **(source if call == "copy_object" else {})}
    most = {"first": "1" * 1000, "second": "2" * (2048 - 1000 - len("firstsecond"))}
    store = getattr(s3, call)
    assert call_for_error(store, **about, Metadata={**most, "s": ""}) == "MetadataTooLarge"
    assert [found["Key"] for found in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["source"]
    store(**about, Metadata=most)


def test_metadata_is_measured_in_bytes(account: Account) -> None:
    bucket = account.bucket()
    url = account.client("s3").generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "x"})
    for count, status in ((1024, 400), (1023, 200)):
        # The header is sent as UTF-8.
        value = ("é" * count).encode().decode("latin-1")
        assert urllib3.request("PUT", url, headers={"x-amz-meta-ab": value}).status == status


@pytest.mark.parametrize("storage_class", ["GLACIER", "DEEP_ARCHIVE"])
def test_an_archived_object_has_a_head_but_no_body(account: Account, storage_class: str) -> None:
    bucket = account.bucket()
    s3 = account.client("s3")
    s3.put_object(Bucket=bucket, Key="x", StorageClass=storage_class)
    assert s3.head_object(Bucket=bucket, Key="x")["StorageClass"] == storage_class
    with pytest.raises(ClientError) as refused:
        s3.get_object(Bucket=bucket, Key="x")
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    name = account.function(PROBE, allow=[{"Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"}])
    found = [account.probe(name, call, Bucket=bucket, Key="x") for call in ("get_object", "head_object")]
    assert found == ["InvalidObjectState", "allowed"]


def test_access_logs_need_the_permission_of_their_bucket(account: Account) -> None:
    source, target = account.bucket(), account.bucket()
    s3 = account.client("s3")
    logging = {"LoggingEnabled": {"TargetBucket": target, "TargetPrefix": "logs/"}}
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": f"arn:aws:s3:::{target}/*"}
    statements = [
        deny | {"Condition": {"Bool": {"aws:SecureTransport": "false"}}},
        {
            "Effect": "Allow",
            "Principal": {"Service": ["logging.s3.amazonaws.com"]},
            "Action": ["s3:PutObject"],
            "Resource": [f"arn:aws:s3:::{target}/*"],
            "Condition": {"ArnEquals": {"aws:SourceArn": [f"arn:aws:s3:::{source}"]}},
        },
    ]
    s3.put_bucket_policy(Bucket=target, Policy=json.dumps({"Statement": statements}))
    assert call_for_error(s3.put_bucket_logging, Bucket=target, BucketLoggingStatus=logging) == (
        "InvalidTargetBucketForLogging"
    )
    s3.put_bucket_logging(Bucket=source, BucketLoggingStatus=logging)
    assert s3.get_bucket_logging(Bucket=source)["LoggingEnabled"]["TargetBucket"] == target
