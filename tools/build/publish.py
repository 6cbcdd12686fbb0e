"""`invoke publish`: uploads the built zips once each, and writes the module's ``package`` for them."""

import base64
import contextlib
import json
import re
import tempfile
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from tools.build import LOCAL_RUNTIME, Package, Target, build, describe_extras
from tools.common.aws import DENIED, SIGN_IN, client, explain_no_answer, refusal
from tools.common.cli import Say
from tools.common.errors import ToolError
from tools.common.local_stack import Stack

ARCHITECTURES = ("arm64", "x86_64")

PREFIX_BYTES = 1024 - len("image-resize-python3.13-x86_64-.zip") - 64
"""S3's limit on a key's UTF-8 bytes, less the longest name and a SHA-256 in hex."""

BUCKET = re.compile(r"[A-Za-z0-9._-]{3,63}")
"""Bucket names that Lambda accepts; S3 itself also accepts an access point's ARN."""

NO_BUCKET = "there is no such bucket: create it in the function's region"
ADVICE = {
    "404": NO_BUCKET,
    "NoSuchBucket": NO_BUCKET,
    # A HEAD with expired credentials has no better answer.
    "400": f"if your credentials have expired, {SIGN_IN}",
    "ConditionalRequestConflict": "another process is writing this object: publish again",
}
"""What to do, by S3's error code."""


@dataclass(frozen=True)
class Place:
    """Where to publish.

    Args:
        bucket: An existing bucket, in the function's region.
        prefix: Of the keys, used literally.

    Raises:
        ToolError: S3, Lambda or Terraform does not accept it.

    """

    bucket: str
    prefix: str = ""

    def __post_init__(self) -> None:
        if not BUCKET.fullmatch(self.bucket):
            raise ToolError(f"{self.bucket!r} is not a bucket name: give the name alone, without s3:// and a prefix")
        if self.prefix.startswith("/"):
            raise ToolError(f"The prefix {self.prefix!r} begins with a slash: leave the slash out")
        # Terraform normalises strings to NFC, which would change the key.
        if not self.prefix.isprintable() or not unicodedata.is_normalized("NFC", self.prefix):
            raise ToolError(f"The prefix {self.prefix!a} has characters that Terraform changes: use others")
        if (size := len(self.prefix.encode())) > PREFIX_BYTES:
            raise ToolError(f"The prefix has {size} bytes: use at most {PREFIX_BYTES}")

    def key(self, package: Package) -> str:
        """Return the object's key, which names the zip's contents."""
        return self.prefix + file_name(package)


def file_name(package: Package) -> str:
    """Return a zip's name, with the whole digest: anyone with the zip can check it, and no other zip can have it."""
    digest = base64.b64decode(package.sha256).hex()
    return f"image-resize-{package.runtime}-{package.architecture}-{digest}.zip"


@dataclass(frozen=True)
class Published:
    """A zip in S3.

    Attributes:
        bucket: The bucket's name.
        key: The object's key.
        version: The object's version id; empty if the bucket has no versioning.
        region: The bucket's; empty if S3 does not say.
        package: The zip.

    """

    bucket: str
    key: str
    version: str
    region: str
    package: Package

    def hcl(self) -> str:
        """Return the module's ``package``, formatted as ``terraform fmt`` does."""
        place = f"bucket = {_quote(self.bucket)}, key = {_quote(self.key)}"
        if self.version:
            place += f", version = {_quote(self.version)}"
        lines = [
            "package = {",
            f"  s3           = {{ {place} }}",
            f"  sha256       = {_quote(self.package.sha256)}",
            f"  runtime      = {_quote(self.package.runtime)}",
            f"  architecture = {_quote(self.package.architecture)}",
            "}",
        ]
        if self.region:
            lines.insert(0, f"# The bucket is in {self.region}: Lambda needs the function in the same region.")
        return "\n".join(lines) + "\n"


def publish(
    place: Place, say: Say, *, python: str = "", extras: Sequence[str] = (), local: bool = False
) -> list[Published]:
    """Build the function for both architectures, or for the local AWS, and upload the zips that are not there yet.

    Args:
        place: Where to.
        say: Shows progress.
        python: Version of the Lambda runtime; empty for the default.
        extras: The optional parts of the zips, of ``tools.build.EXTRAS``.
        local: Whether the bucket is on the local AWS of ``invoke up``, which runs this machine's Python only.

    Raises:
        ToolError: A package can't be built or uploaded; zips that were uploaded before stay.

    """
    if local and python:
        raise ToolError(
            f"The local AWS runs only this machine's Python, {Target.of_this_machine().python}: leave --python out"
        )
    with tempfile.TemporaryDirectory(prefix="publish-") as scratch, _readable_errors(place):
        s3: Any = Stack.running().client("s3") if local else client("s3")
        # Before the build: a missing bucket is found out sooner.
        region = _find_region(s3, place.bucket)
        if local:
            packages = [_build_for_this_machine(Path(scratch), say, extras=extras)]
        else:
            packages = build_all(Path(scratch), say, python=python or Target.python, extras=extras)
        return [_upload(s3, place, package, region, say) for package in packages]


def build_all(folder: Path, say: Say, *, python: str = Target.python, extras: Sequence[str]) -> list[Package]:
    """Build the function for both architectures.

    Raises:
        ToolError: A package can't be built.

    """
    packages = []
    for architecture in ARCHITECTURES:
        target = Target(python, architecture)
        say(f"Building for {target.runtime} on {architecture}{describe_extras(extras)}")
        packages.append(build(target, folder / architecture, extras=extras))
    if packages[0].warning:
        say(packages[0].warning)
    return packages


def _build_for_this_machine(folder: Path, say: Say, *, extras: Sequence[str]) -> Package:
    say(f"Building for the local AWS{describe_extras(extras)}")
    return replace(build(Target.of_this_machine(), folder, for_aws=False, extras=extras), runtime=LOCAL_RUNTIME)


def _find_region(s3: Any, bucket: str) -> str:
    """Return the bucket's region, which S3 includes even in a refusal."""
    try:
        response = s3.head_bucket(Bucket=bucket)
    except ClientError as error:
        if error.response["Error"]["Code"] not in DENIED:
            raise
        response = error.response
    region: str = response["ResponseMetadata"]["HTTPHeaders"].get("x-amz-bucket-region", "")
    return region


def _upload(s3: Any, place: Place, package: Package, region: str, say: Say) -> Published:
    key = place.key(package)
    say(f"Uploading s3://{place.bucket}/{key} ({package.size:,} bytes)")
    version = _put(s3, place.bucket, key, package, say).get("VersionId", "")
    # The next PUT would replace a version that S3 calls null.
    return Published(place.bucket, key, "" if version == "null" else version, region, package)


def _put(s3: Any, bucket: str, key: str, package: Package, say: Say) -> Any:
    """Upload a zip, unless it is there already: another version would be useless."""
    try:
        return s3.put_object(
            Bucket=bucket,
            Key=key,
            Body=package.path.read_bytes(),
            ContentType="application/zip",
            ChecksumAlgorithm="SHA256",
            ChecksumSHA256=package.sha256,
            IfNoneMatch="*",
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "PreconditionFailed":
            raise
    say("It is there already")
    return _check_existing(s3, bucket, key, package)


def _check_existing(s3: Any, bucket: str, key: str, package: Package) -> Any:
    """Check that the existing object is the zip."""
    try:
        response = s3.head_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED")
    except ClientError as error:
        if error.response["Error"]["Code"] == "404":
            raise ToolError(f"s3://{bucket}/{key} was deleted meanwhile: publish again") from error
        raise
    checksum = response.get("ChecksumSHA256", "none")
    if checksum != package.sha256:
        raise ToolError(
            f"s3://{bucket}/{key} is not the zip that its key names, but has the SHA-256 {checksum}: delete it, or use "
            "another --prefix"
        )
    return response


@contextlib.contextmanager
def _readable_errors(place: Place) -> Iterator[None]:
    where = f"s3://{place.bucket}/{place.prefix}"
    try:
        with explain_no_answer("S3", f"publish to {where}"):
            yield
    except ClientError as error:
        resource = f"arn:aws:s3:::{place.bucket}/{place.prefix}*"
        statement = {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": resource}
        refused = refusal(error, f"publish to {where}", [statement])
        advice = ADVICE.get(error.response["Error"]["Code"])
        raise ToolError(f"{refused}: {advice}") if advice else refused from error


def _quote(text: str) -> str:
    """Quote a string for HCL: as JSON, with HCL's template markers escaped."""
    return json.dumps(text, ensure_ascii=False).replace("${", "$${").replace("%{", "%%{")
