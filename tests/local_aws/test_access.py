"""IAM is enforced, for roles, buckets, keys and queues."""

import http.client
import json
from urllib.parse import urlsplit

import pytest

from tests.local_aws.conftest import PROBE, Account
from tools.local.aws.policy import decide, trusts


@pytest.mark.parametrize(
    ("allowed", "call", "key", "result"),
    [
        (["s3:GetObject"], "get_object", "there", "allowed"),
        (["s3:GetObject"], "head_object", "there", "allowed"),
        (["s3:GetObject"], "get_object", "missing", "AccessDenied"),
        (["s3:GetObject", "s3:ListBucket"], "get_object", "missing", "NoSuchKey"),
        (["s3:GetObject", "s3:ListBucket"], "head_object", "missing", "404"),
        (["s3:GetObject"], "put_object", "new", "AccessDenied"),
        (["s3:PutObject"], "get_object", "there", "AccessDenied"),
        (["s3:ListBucket"], "head_bucket", "", "allowed"),
        (["s3:GetObject"], "head_bucket", "", "403"),
    ],
)
def test_a_role_has_only_its_permissions(
    account: Account, allowed: list[str], call: str, key: str, result: str
) -> None:
    bucket = account.bucket()
    account.client("s3").put_object(Bucket=bucket, Key="there")
    arn = f"arn:aws:s3:::{bucket}"
    function = account.function(PROBE, allow=[{"Action": allowed, "Resource": [arn, f"{arn}/*"]}])
    assert account.probe(function, call, Bucket=bucket, **({"Key": key} if key else {})) == result


def test_loopback_counts_as_tls(account: Account) -> None:
    bucket = account.bucket()
    deny = {"Sid": "x", "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": f"arn:aws:s3:::{bucket}/*"}
    s3 = account.client("s3")
    plain = {**deny, "Condition": {"Bool": {"aws:SecureTransport": "false"}}}
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [plain]}))
    s3.put_object(Bucket=bucket, Key="x")
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [deny]}))
    with pytest.raises(s3.exceptions.ClientError, match="403"):
        s3.put_object(Bucket=bucket, Key="x")


def test_a_denial_with_an_unknown_condition_has_no_effect(account: Account) -> None:
    bucket = account.bucket()
    deny = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:PutObject",
        "Resource": f"arn:aws:s3:::{bucket}/*",
        "Condition": {"StringNotEqualsIfExists": {"s3:x-amz-server-side-encryption": "aws:kms"}},
    }
    s3 = account.client("s3")
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [deny]}))
    s3.put_object(Bucket=bucket, Key="x")


@pytest.mark.parametrize(
    ("statement", "result"),
    [
        ({"Action": "s3:*", "Resource": "*"}, "PERMITTED"),
        ({"Action": ["s3:List*", "s3:getobject"], "Resource": ["arn:aws:s3:::b/a?c.jpg"]}, "PERMITTED"),
        ({"Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/abcXjpg"}, "NEUTRAL"),
        ({"Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/ab.*"}, "NEUTRAL"),
        ({"Action": "s3:Get", "Resource": "*"}, "NEUTRAL"),
        ({"Action": "s3:GetObject", "Resource": "arn:aws:s3:::B/*"}, "NEUTRAL"),
        ({"Action": "s3:GetObject", "NotResource": "arn:aws:s3:::b/*"}, "NEUTRAL"),
        ({"NotAction": "s3:PutObject", "NotResource": "arn:aws:s3:::other/*"}, "PERMITTED"),
        ({"NotAction": "s3:Get*", "Resource": "*"}, "NEUTRAL"),
        ({"Effect": "Deny", "NotAction": "s3:PutObject", "Resource": "*"}, "DENIED"),
        ({"Action": "*", "Resource": "*", "Principal": {"AWS": "*"}}, "PERMITTED"),
        ({"Action": "*", "Resource": "*", "Principal": {"AWS": ["arn:me", "arn:you"]}}, "PERMITTED"),
        ({"Action": "*", "Resource": "*", "Principal": {"AWS": "arn:you"}}, "NEUTRAL"),
        ({"Action": "*", "Resource": "*", "Principal": {"Service": "s3.amazonaws.com"}}, "NEUTRAL"),
        ({"Action": "*", "Resource": "*", "Condition": {"Bool": {"aws:SecureTransport": ["true"]}}}, "PERMITTED"),
        ({"Action": "*", "Resource": "*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}, "NEUTRAL"),
        ({"Action": "*", "Resource": "*", "Condition": {"StringEquals": {"aws:SourceAccount": "1"}}}, "NEUTRAL"),
    ],
)
def test_a_statement_is_evaluated_as_aws_does(statement: dict[str, object], result: str) -> None:
    decision = decide({"Effect": "Allow", **statement}, "s3:GetObject", "arn:aws:s3:::b/abc.jpg", frozenset({"arn:me"}))
    assert decision.name == result


@pytest.mark.parametrize(
    ("effect", "allowed_by_role", "result"),
    [
        ("Allow", False, "allowed"),
        ("Deny", True, "AccessDenied"),
        (None, True, "allowed"),
        (None, False, "AccessDenied"),
    ],
)
def test_a_bucket_policy_is_evaluated_too(
    account: Account, effect: str | None, allowed_by_role: bool, result: str
) -> None:
    bucket = account.bucket()
    account.client("s3").put_object(Bucket=bucket, Key="there")
    about = {"Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"}
    function = account.function(PROBE, allow=[about] if allowed_by_role else [])
    if effect:
        role = account.client("iam").get_role(RoleName=function)["Role"]["Arn"]
        statement = {"Effect": effect, "Principal": {"AWS": role}, **about}
        account.client("s3").put_bucket_policy(
            Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        )
    assert account.probe(function, "get_object", Bucket=bucket, Key="there") == result


@pytest.mark.parametrize("operator", ["ArnNotEquals", "ArnNotLike", "StringNotEquals", "StringNotLike"])
@pytest.mark.parametrize(("is_excepted", "result"), [(True, "allowed"), (False, "AccessDenied")])
def test_a_bucket_policy_denies_everyone_but_a_role(
    account: Account, operator: str, *, is_excepted: bool, result: str
) -> None:
    bucket = account.bucket()
    about = {"Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{bucket}/*"}
    function = account.function(PROBE, allow=[about])
    role = account.client("iam").get_role(RoleName=function)["Role"]["Arn"]
    excepted = ["arn:aws:iam::123456789012:role/other", *([role] if is_excepted else [])]
    statement = {"Effect": "Deny", "Principal": "*", "Condition": {operator: {"aws:PrincipalArn": excepted}}, **about}
    account.client("s3").put_bucket_policy(
        Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    )
    assert account.probe(function, "put_object", Bucket=bucket, Key="new") == result


def test_anonymous_requests_are_denied(account: Account) -> None:
    bucket = account.bucket()
    connection = http.client.HTTPConnection(urlsplit(account.aws.endpoint).netloc)
    connection.request("GET", f"/{bucket}")
    assert connection.getresponse().status == 403
    connection.close()


def encrypted_bucket(account: Account, key: str) -> str:
    """Make an encrypted bucket with an object."""
    bucket = account.bucket()
    by_default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    account.client("s3").put_bucket_encryption(
        Bucket=bucket,
        ServerSideEncryptionConfiguration={"Rules": [{"ApplyServerSideEncryptionByDefault": by_default}]},
    )
    account.client("s3").put_object(Bucket=bucket, Key="there")
    return bucket


VIA_S3 = {"StringEquals": {"kms:ViaService": "s3.eu-west-2.amazonaws.com"}}
VIA_SQS = {"StringEquals": {"kms:ViaService": "sqs.eu-west-2.amazonaws.com"}}


@pytest.mark.parametrize("named_by", ["Arn", "KeyId"])
@pytest.mark.parametrize(
    ("allowed", "condition", "results"),
    [
        ("kms:Decrypt", {}, ["allowed", "allowed", "AccessDenied"]),
        ("kms:Decrypt", VIA_S3, ["allowed", "allowed", "AccessDenied"]),
        ("kms:Decrypt", VIA_SQS, ["AccessDenied", "403", "AccessDenied"]),
        ("kms:GenerateDataKey", VIA_S3, ["AccessDenied", "403", "allowed"]),
        ("kms:Encrypt", {}, ["AccessDenied", "403", "AccessDenied"]),
    ],
)
def test_an_encrypted_object_needs_permission_for_its_key(
    account: Account, named_by: str, allowed: str, condition: dict[str, object], results: list[str]
) -> None:
    key, other = (account.client("kms").create_key()["KeyMetadata"] for _ in range(2))
    bucket = encrypted_bucket(account, key[named_by])
    objects = {"Action": ["s3:GetObject", "s3:PutObject"], "Resource": f"arn:aws:s3:::{bucket}/*"}
    use = {"Action": allowed, "Resource": key["Arn"], "Condition": condition}
    function = account.function(PROBE, allow=[objects, use])
    found = [account.probe(function, f"{call}_object", Bucket=bucket, Key="there") for call in ("get", "head", "put")]
    assert found == results
    # The header names another key.
    header = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": other["KeyId"]}
    assert account.probe(function, "put_object", Bucket=bucket, Key="x", **header) == "AccessDenied"
    assert account.probe(function, "put_object", Bucket=bucket, Key="x", ServerSideEncryption="AES256") == "allowed"


def test_an_older_version_needs_permission_for_its_own_key(account: Account) -> None:
    bucket = encrypted_bucket(account, account.client("kms").create_key()["KeyMetadata"]["Arn"])
    s3 = account.client("s3")
    older = s3.head_object(Bucket=bucket, Key="there")["VersionId"]
    newer = s3.put_object(Bucket=bucket, Key="there", ServerSideEncryption="AES256")["VersionId"]
    function = account.function(PROBE, allow=[{"Action": "s3:Get*", "Resource": f"arn:aws:s3:::{bucket}/*"}])
    for version, result in ((older, "AccessDenied"), (newer, "allowed")):
        assert account.probe(function, "get_object", Bucket=bucket, Key="there", VersionId=version) == result


def test_a_key_may_be_named_by_its_alias(account: Account) -> None:
    alias = f"alias/{account.unique('key')}"
    key = account.client("kms").create_key()["KeyMetadata"]
    account.client("kms").create_alias(AliasName=alias, TargetKeyId=key["KeyId"])
    bucket = encrypted_bucket(account, f"arn:aws:kms:eu-west-2:123456789012:{alias}")
    put = {"Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{bucket}/*"}
    function = account.function(PROBE, allow=[put, {"Action": "kms:GenerateDataKey", "Resource": key["Arn"]}])
    header = {"ServerSideEncryption": "aws:kms"}
    assert account.probe(function, "put_object", Bucket=bucket, Key="x") == "allowed"
    assert account.probe(function, "put_object", Bucket=bucket, Key="x", SSEKMSKeyId=alias, **header) == "allowed"
    missing = {"SSEKMSKeyId": "alias/missing", **header}
    assert account.probe(function, "put_object", Bucket=bucket, Key="x", **missing) == "AccessDenied"


@pytest.mark.parametrize(
    ("change", "options", "s3_error", "sqs_error"),
    [
        ("disable_key", {}, "KMS.DisabledException", "KmsDisabled"),
        ("schedule_key_deletion", {"PendingWindowInDays": 7}, "KMS.KMSInvalidStateException", "KmsInvalidState"),
    ],
)
def test_a_key_must_be_enabled(
    account: Account, change: str, options: dict[str, int], s3_error: str, sqs_error: str
) -> None:
    key = account.client("kms").create_key()["KeyMetadata"]
    bucket = encrypted_bucket(account, key["Arn"])
    url, _ = account.queue()
    account.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"KmsMasterKeyId": key["KeyId"]})
    function = account.function(PROBE, allow=[{"Action": ["s3:*", "sqs:*", "kms:*"], "Resource": "*"}])
    getattr(account.client("kms"), change)(KeyId=key["KeyId"], **options)
    for call in ("get_object", "put_object"):
        assert account.probe(function, call, Bucket=bucket, Key="there") == s3_error
    assert account.probe(function, "send_message", service="sqs", QueueUrl=url, MessageBody="x") == sqs_error


def test_aws_managed_keys_need_no_permission(account: Account) -> None:
    bucket = encrypted_bucket(account, "alias/aws/s3")
    url, arn = account.queue()
    account.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"KmsMasterKeyId": "alias/aws/sqs"})
    objects = {"Action": ["s3:GetObject", "s3:PutObject"], "Resource": f"arn:aws:s3:::{bucket}/*"}
    function = account.function(PROBE, allow=[objects, {"Action": "sqs:SendMessage", "Resource": arn}])
    assert account.probe(function, "get_object", Bucket=bucket, Key="there") == "allowed"
    assert account.probe(function, "put_object", Bucket=bucket, Key="x") == "allowed"
    assert account.probe(function, "send_message", service="sqs", QueueUrl=url, MessageBody="x") == "allowed"


@pytest.mark.parametrize(
    ("allowed", "condition", "result"),
    [
        (["kms:GenerateDataKey", "kms:Decrypt"], VIA_SQS, True),
        (["kms:GenerateDataKey", "kms:Decrypt"], VIA_S3, False),
        (["kms:GenerateDataKey"], {}, False),
        (["kms:Decrypt"], {}, False),
    ],
)
def test_an_encrypted_queue_needs_permission_for_its_key(
    account: Account, allowed: list[str], condition: dict[str, object], result: bool
) -> None:
    key = account.client("kms").create_key()["KeyMetadata"]["Arn"]
    url, arn = account.queue()
    account.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"KmsMasterKeyId": key})
    send = {"Action": "sqs:SendMessage", "Resource": arn}
    function = account.function(PROBE, allow=[send, {"Action": allowed, "Resource": key, "Condition": condition}])
    one = {"MessageBody": "x"}
    sent = account.probe(function, "send_message", service="sqs", QueueUrl=url, **one)
    batch = [{"Id": "x", **one}]
    sent_in_batch = account.probe(function, "send_message_batch", service="sqs", QueueUrl=url, Entries=batch)
    assert (sent == "allowed", sent_in_batch == "allowed") == (result, result)


@pytest.mark.parametrize(("bound", "result"), [("s3:*", "allowed"), ("s3:GetObject", "AccessDenied")])
def test_a_permissions_boundary_limits_a_role(account: Account, bound: str, result: str) -> None:
    bucket = account.bucket()
    function = account.function(PROBE, allow=[{"Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{bucket}/*"}])
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": bound, "Resource": "*"}]}
    iam = account.client("iam")
    arn = iam.create_policy(PolicyName=account.unique("bound"), PolicyDocument=json.dumps(document))["Policy"]["Arn"]
    iam.put_role_permissions_boundary(RoleName=function, PermissionsBoundary=arn)
    assert account.probe(function, "put_object", Bucket=bucket, Key="x") == result


def test_a_boundary_limits_implied_actions_too(account: Account) -> None:
    key = account.client("kms").create_key()["KeyMetadata"]["Arn"]
    bucket = encrypted_bucket(account, key)
    function = account.function(PROBE, allow=[{"Action": ["s3:*", "kms:*"], "Resource": "*"}])
    bound = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
    document = {"Version": "2012-10-17", "Statement": [bound]}
    iam = account.client("iam")
    arn = iam.create_policy(PolicyName=account.unique("bound"), PolicyDocument=json.dumps(document))["Policy"]["Arn"]
    assert account.probe(function, "get_object", Bucket=bucket, Key="there") == "allowed"
    assert account.probe(function, "get_object", Bucket=bucket, Key="missing") == "NoSuchKey"
    iam.put_role_permissions_boundary(RoleName=function, PermissionsBoundary=arn)
    # The boundary allows neither the key nor s3:ListBucket.
    assert account.probe(function, "get_object", Bucket=bucket, Key="there") == "AccessDenied"
    assert account.probe(function, "get_object", Bucket=bucket, Key="missing") == "AccessDenied"


@pytest.mark.parametrize(
    ("effects", "result"), [(["Allow"], True), (["Deny"], False), (["Allow", "Deny"], False), ([], False)]
)
def test_a_service_may_assume_a_role_that_trusts_it(effects: list[str], result: bool) -> None:
    service = {"Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = {"Statement": [{"Effect": effect, **service} for effect in effects]}
    assert trusts(document, "lambda.amazonaws.com") == result
