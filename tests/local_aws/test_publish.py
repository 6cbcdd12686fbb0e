"""Publishing: each zip is uploaded once, and errors say what to do."""

import base64
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from tests.faults import Fault, inject
from tests.local_aws.conftest import TRUST, Account
from tools.build import Package, Target, build
from tools.build import publish as publishing
from tools.build.publish import ARCHITECTURES, Place, Published, publish
from tools.common import local_stack
from tools.common.errors import ToolError
from tools.common.local_stack import Stack
from tools.common.paths import DIST, ROOT

NO_ACCOUNT = {
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
    "NO_PROXY": "127.0.0.1",
}
"""Variables that hide the AWS account of the machine or its user."""

NO_NETWORK = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_MAX_ATTEMPTS": "1"}


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Package]:
    folder = tmp_path_factory.mktemp("packages")
    return {name: build(Target("3.13", name), folder / name) for name in ARCHITECTURES}


@dataclass
class Publisher:
    """Publishes packages that were built once."""

    account: Account
    built: list[tuple[Target, Sequence[str]]] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def __call__(self, bucket: str, prefix: str = "", **options: Any) -> list[Published]:
        return publish(Place(bucket, prefix), self.said.append, **options)

    def bucket(self, *, versioned: bool, region: str = "") -> str:
        name = self.account.unique("artifacts")
        aws = replace(self.account.aws, region=region or self.account.aws.region)
        s3 = aws.client("s3")
        location = {"LocationConstraint": aws.region}
        s3.create_bucket(Bucket=name, CreateBucketConfiguration=location)
        if versioned:
            s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        return name

    def versions(self, bucket: str) -> list[str]:
        listed = self.account.client("s3").list_object_versions(Bucket=bucket)
        return [version["Key"] for version in listed.get("Versions", [])]


@pytest.fixture
def publisher(account: Account, packages: dict[str, Package], monkeypatch: pytest.MonkeyPatch) -> Publisher:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in (NO_ACCOUNT | account.aws.environment()).items():
        monkeypatch.setenv(name, value)
    made = Publisher(account)

    def build_once(target: Target, *_: Path, extras: Sequence[str], **__: bool) -> Package:
        made.built.append((target, extras))
        return packages[target.architecture]

    monkeypatch.setattr(publishing, "build", build_once)
    return made


@pytest.fixture
def as_user(
    account: Account, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str, str | list[str]], None]:
    """Switches to a user with the given permissions only."""

    def become(resource: str, actions: str | list[str]) -> None:
        iam = account.client("iam")
        name = account.unique("user")
        iam.create_user(UserName=name)
        statement = {"Effect": "Allow", "Action": actions, "Resource": resource}
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.put_user_policy(UserName=name, PolicyName="allow", PolicyDocument=document)
        keys = iam.create_access_key(UserName=name)["AccessKey"]
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", keys["AccessKeyId"])
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", keys["SecretAccessKey"])

    assert publisher
    return become


@pytest.mark.parametrize("versioned", [True, False])
def test_each_zip_is_uploaded_once_under_its_digest(
    publisher: Publisher, packages: dict[str, Package], versioned: bool
) -> None:
    bucket = publisher.bucket(versioned=versioned)
    published = publisher(bucket, "releases/")
    assert [one.package.architecture for one in published] == ["arm64", "x86_64"]
    for one in published:
        package = packages[one.package.architecture]
        digest = hashlib.sha256(package.path.read_bytes()).hexdigest()
        assert one.key == f"releases/image-resize-python3.13-{one.package.architecture}-{digest}.zip"
        version = {"VersionId": one.version} if versioned else {}
        response = publisher.account.client("s3").get_object(Bucket=bucket, Key=one.key, **version)
        assert response["Body"].read() == package.path.read_bytes()
        assert (one.package.sha256, one.package.runtime) == (package.sha256, "python3.13")
        assert bool(one.version) == versioned
    assert publisher(bucket, "releases/") == published
    assert publisher.versions(bucket) == [one.key for one in published]


def test_lambda_accepts_a_published_zip(publisher: Publisher) -> None:
    bucket = publisher.bucket(versioned=True)
    name = publisher.account.unique("function")
    role = publisher.account.client("iam").create_role(
        RoleName=name, AssumeRolePolicyDocument=json.dumps({"Statement": [TRUST]})
    )
    arm64, _ = publisher(bucket)
    function = publisher.account.client("lambda").create_function(
        FunctionName=name,
        Runtime=arm64.package.runtime,
        Role=role["Role"]["Arn"],
        Handler="lambda_function.lambda_handler",
        Code={"S3Bucket": arm64.bucket, "S3Key": arm64.key, "S3ObjectVersion": arm64.version},
        Architectures=[arm64.package.architecture],
    )
    assert function["CodeSha256"] == arm64.package.sha256


def test_the_build_has_the_chosen_options(publisher: Publisher) -> None:
    publisher(publisher.bucket(versioned=False), python="3.12", extras=["heic", "c2pa"])
    assert publisher.built == [(Target("3.12", name), ["heic", "c2pa"]) for name in ("arm64", "x86_64")]


def test_an_interrupted_publication_can_be_repeated(publisher: Publisher) -> None:
    bucket = publisher.bucket(versioned=True)

    def interrupt(line: str) -> None:
        if line.startswith("Uploading ") and "x86_64" in line:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        publish(Place(bucket), interrupt)
    (first,) = publisher.versions(bucket)
    assert "arm64" in first
    published = publisher(bucket)
    assert publisher.versions(bucket) == [first, published[1].key]


def test_a_deleted_zip_is_uploaded_again(publisher: Publisher) -> None:
    bucket = publisher.bucket(versioned=True)
    before, _ = publisher(bucket)
    publisher.account.client("s3").delete_object(Bucket=bucket, Key=before.key)
    after, _ = publisher(bucket)
    assert after.version != before.version


@pytest.mark.parametrize(
    ("checksum", "found"),
    [({"ChecksumAlgorithm": "SHA256"}, base64.b64encode(hashlib.sha256(b"other").digest()).decode()), ({}, "none")],
)
def test_another_object_with_the_key_is_an_error(publisher: Publisher, checksum: dict[str, str], found: str) -> None:
    bucket = publisher.bucket(versioned=False)
    key = publisher(bucket)[0].key
    publisher.account.client("s3").put_object(Bucket=bucket, Key=key, Body=b"other", **checksum)
    with pytest.raises(ToolError) as caught:
        publisher(bucket)
    assert str(caught.value).startswith(f"s3://{bucket}/{key} is not the zip that its key names")
    assert f"has the SHA-256 {found}: delete it, or use another --prefix" in str(caught.value)


def test_an_object_deleted_meanwhile_is_an_error(publisher: Publisher) -> None:
    bucket = publisher.bucket(versioned=False)
    inject(publisher.account.aws, Fault("PUT", bucket, status=412, code="PreconditionFailed", functions_only=False))
    with pytest.raises(ToolError, match=r"arm64-\w{64}\.zip was deleted meanwhile: publish again$"):
        publisher(bucket)


def test_the_version_null_is_ignored(publisher: Publisher, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(local_stack, "STACK_FILE", tmp_path / "stack.json")
    Stack(publisher.account.aws, "", "", "", "", "").save()
    bucket = publisher.bucket(versioned=False)
    events = publisher.account.client("s3").meta.events

    # S3 answers so if versioning is suspended; moto does not.
    def answer_null(parsed: dict[str, Any], **_: object) -> None:
        parsed["VersionId"] = "null"

    events.register("after-call.s3.PutObject", answer_null)
    try:
        published = publisher(bucket, local=True)
    finally:
        events.unregister("after-call.s3.PutObject", answer_null)
    assert [one.version for one in published] == [""]


def test_a_zip_for_the_local_aws_runs_on_it(
    publisher: Publisher, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(publishing, "build", build)
    monkeypatch.setattr(local_stack, "STACK_FILE", tmp_path / "stack.json")
    Stack(publisher.account.aws, "", "", "", "", "").save()
    (published,) = publisher(publisher.bucket(versioned=False), local=True)
    name = publisher.account.function({"S3Bucket": published.bucket, "S3Key": published.key})
    # The function reports missing settings only after its imports have succeeded.
    publisher.account.client("lambda").update_function_configuration(
        FunctionName=name, Handler=published.package.handler
    )
    assert "SOURCE_BUCKET is not set" in publisher.account.invoke(name, {})["Reply"]["errorMessage"]


def test_another_python_is_refused_for_the_local_aws(publisher: Publisher) -> None:
    with pytest.raises(ToolError, match=r"^The local AWS runs only this machine's Python, 3\.\d+: leave --python out$"):
        publisher("artifacts", local=True, python="3.12")


def test_local_ignores_the_users_account(publisher: Publisher, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    bucket = publisher.bucket(versioned=False)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setattr(local_stack, "STACK_FILE", tmp_path / "stack.json")
    with pytest.raises(ToolError, match=r"^The local AWS is not up: run `invoke up` first$"):
        publisher(bucket, local=True)
    Stack(publisher.account.aws, "", "", "", "", "").save()
    published = publisher(bucket, local=True)
    assert sorted(publisher.versions(bucket)) == [one.key for one in published]


def test_the_region_of_the_bucket_is_printed(publisher: Publisher) -> None:
    arm64, x86_64 = publisher(publisher.bucket(versioned=False, region="us-west-1"))
    assert arm64.hcl().startswith("# The bucket is in us-west-1: ")
    assert x86_64.region == "us-west-1"


def test_put_and_get_are_the_only_permissions(publisher: Publisher, as_user: Callable[..., None]) -> None:
    bucket = publisher.bucket(versioned=True)
    as_user(f"arn:aws:s3:::{bucket}/releases/*", ["s3:PutObject", "s3:GetObject"])
    published = publisher(bucket, "releases/")
    assert publisher(bucket, "releases/") == published


@pytest.mark.parametrize("allowed", ["s3:GetObject", "s3:PutObject"])
def test_a_denied_request_names_the_statement_to_add(
    publisher: Publisher, as_user: Callable[..., None], allowed: str
) -> None:
    bucket = publisher.bucket(versioned=False)
    publisher(bucket, "releases/")
    as_user(f"arn:aws:s3:::{bucket}/*", allowed)
    with pytest.raises(ToolError) as caught:
        publisher(bucket, "releases/")
    assert str(caught.value).startswith(f"Cannot publish to s3://{bucket}/releases/: ")
    assert f'"Action": ["s3:GetObject", "s3:PutObject"], "Resource": "arn:aws:s3:::{bucket}/releases/*"' in str(
        caught.value
    )


def test_a_missing_bucket_is_reported_before_the_build(publisher: Publisher) -> None:
    with pytest.raises(
        ToolError, match=r"^Cannot publish to s3://no-such-bucket/: .*: there is no such bucket: create it in"
    ):
        publisher("no-such-bucket")
    assert publisher.built == []


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"AWS_ACCESS_KEY_ID": ""}, r"^No credentials for AWS: Unable to locate credentials: sign in with `aws sso"),
        ({"AWS_SECRET_ACCESS_KEY": ""}, r"^No credentials for AWS: Partial credentials found in env, .*: sign in"),
        (NO_NETWORK, r"^Cannot reach S3: .*127\.0\.0\.1:9.*: check the network, and AWS_REGION$"),
        (
            {"AWS_PROFILE": "nobody"},
            r"^No credentials for AWS: The config profile \(nobody\) could not be found: sign in",
        ),
    ],
)
def test_errors_of_credentials_and_network_say_what_to_do(
    publisher: Publisher, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], message: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ToolError, match=message):
        publisher("artifacts")
    assert publisher.built == []


@pytest.mark.parametrize(
    ("method", "status", "code", "message"),
    [
        ("HEAD", 400, "", "400: Bad Request: if your credentials have expired, sign in"),
        ("PUT", 400, "ExpiredToken", "ExpiredToken: sign in with `aws sso login`"),
        (
            "PUT",
            409,
            "ConditionalRequestConflict",
            "ConditionalRequestConflict: .*: another process .*: publish again$",
        ),
        ("PUT", 400, "Odd", r"Odd: Injected by a test\.$"),
    ],
)
def test_other_errors_of_s3_are_one_line(
    publisher: Publisher, method: str, status: int, code: str, message: str
) -> None:
    bucket = publisher.bucket(versioned=False)
    inject(publisher.account.aws, Fault(method, bucket, status=status, code=code, functions_only=False))
    with pytest.raises(ToolError, match=rf"^Cannot publish to s3://{bucket}/: {message}"):
        publisher(bucket)


def test_the_task_prints_only_hcl_to_standard_output(publisher: Publisher) -> None:
    bucket = publisher.bucket(versioned=True)
    published = publisher(bucket, "releases/")
    dist = {path: path.stat() for path in DIST.glob("*")}
    done = subprocess.run(
        [sys.executable, "-m", "invoke", "publish", "--bucket", bucket, "--prefix", "releases/"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "\n".join(one.hcl() for one in published), done.stderr
    assert done.returncode == 0
    assert done.stderr.count("It is there already") == 2
    assert {path: path.stat() for path in DIST.glob("*")} == dist
