"""Puts the built zips into a bucket that Lambda can take them from, once each, and writes what Terraform is told."""

import base64
import contextlib
import json
import re
import tempfile
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from tools.build import Package, Target, build
from tools.common.aws import DENIED, SIGN_IN, SIGN_IN_AGAIN, client, reached
from tools.common.cli import Say
from tools.common.errors import ToolError
from tools.common.local_stack import Stack

ARCHITECTURES = ("arm64", "x86_64")

PREFIX_BYTES = 1024 - len("image-resize-python3.13-x86_64-.zip") - 64
"""What the longest key that S3 takes, in UTF-8, leaves beside the name and a SHA-256 in hex."""

BUCKET = re.compile(r"[A-Za-z0-9._-]{3,63}")
"""What Lambda takes for the name of a bucket; S3 itself would take an access point's ARN too."""

NO_BUCKET = "there is no such bucket: make it, in the region of the function"
ADVICE = {
    "404": NO_BUCKET,
    "NoSuchBucket": NO_BUCKET,
    # The answer to a HEAD has no more to say of credentials that have expired.
    "400": f"S3 says no more than that; where your credentials have expired, {SIGN_IN}",
    **dict.fromkeys(SIGN_IN_AGAIN, SIGN_IN),
    "ConditionalRequestConflict": "somebody else writes the same object: publish again",
}
"""What to do about each of S3's errors."""


@dataclass(frozen=True)
class Place:
    """Where to publish.

    Args:
        bucket: An existing one, in the region of the function.
        prefix: What the keys begin with, taken literally.

    Raises:
        ToolError: S3 or Terraform would not take it so.

    """

    bucket: str
    prefix: str = ""

    def __post_init__(self) -> None:
        if not BUCKET.fullmatch(self.bucket):
            raise ToolError(f"{self.bucket!r} is no bucket's name: give the name alone, without s3:// and a prefix")
        if self.prefix.startswith("/"):
            raise ToolError(f"The prefix {self.prefix!r} would make keys that begin with a slash: leave that out")
        # Terraform composes the characters of every string, which would then be another key.
        if not self.prefix.isprintable() or not unicodedata.is_normalized("NFC", self.prefix):
            raise ToolError(f"The prefix {self.prefix!a} has characters that Terraform would not keep: use plain ones")
        if (size := len(self.prefix.encode())) > PREFIX_BYTES:
            raise ToolError(f"The prefix has {size} bytes, and S3's keys leave it {PREFIX_BYTES}: shorten it")

    def key(self, package: Package) -> str:
        """Name the object after what it holds."""
        return self.prefix + file_name(package)


def file_name(package: Package) -> str:
    """Name a zip after what it holds.

    All of the digest, though less would tell one build from another: whoever has the zip can check its name, and
    nobody can make another zip for it.
    """
    digest = base64.b64decode(package.sha256).hex()
    return f"image-resize-{package.runtime}-{package.architecture}-{digest}.zip"


@dataclass(frozen=True)
class Published:
    """A zip in S3, as Lambda takes it from there.

    Attributes:
        bucket: Its name.
        key: Holds the whole SHA-256 of the zip.
        version: The object's version id; empty where the bucket keeps no versions.
        region: Of the bucket; empty where S3 does not tell.
        sha256: Of the zip, in base64, as Lambda reports it.
        runtime: Lambda's name of it, such as ``python3.13``.
        architecture: Lambda's name of it: ``arm64`` or ``x86_64``.

    """

    bucket: str
    key: str
    version: str
    region: str
    sha256: str
    runtime: str
    architecture: str

    def hcl(self) -> str:
        """The module's ``package``, as ``terraform fmt`` would have it."""
        place = f"bucket = {_quoted(self.bucket)}, key = {_quoted(self.key)}"
        if self.version:
            place += f", version = {_quoted(self.version)}"
        lines = [
            "package = {",
            f"  s3           = {{ {place} }}",
            f"  sha256       = {_quoted(self.sha256)}",
            f"  runtime      = {_quoted(self.runtime)}",
            f"  architecture = {_quoted(self.architecture)}",
            "}",
        ]
        if self.region:
            lines.insert(0, f"# The bucket is in {self.region}: Lambda takes it for functions of that region only.")
        return "\n".join(lines) + "\n"


def publish(
    place: Place, say: Say, *, python: str = "3.13", heic: bool = False, local: bool = False
) -> list[Published]:
    """Build the function for both architectures and put each zip where it is not yet.

    Args:
        place: Where to.
        say: Shows progress.
        python: Version of the Lambda runtime.
        heic: Whether the function reads HEIC.
        local: Whether the bucket is on the local AWS of ``invoke up``.

    Raises:
        ToolError: A package can't be built, or S3 does not take it; what was put before stays and does no harm.

    """
    with tempfile.TemporaryDirectory(prefix="publish-") as scratch, _readable_errors(place):
        s3: Any = Stack.running().client("s3") if local else client("s3")
        # Before the build, which takes longer than to learn that there is no such bucket.
        region = _region(s3, place.bucket)
        packages = built(Path(scratch), say, python=python, heic=heic)
        return [_published(s3, place, package, region, say) for package in packages]


def built(folder: Path, say: Say, *, python: str = "3.13", heic: bool) -> list[Package]:
    """Build the function for both architectures, and tell where it lacks its byte code.

    Raises:
        ToolError: A package can't be built.

    """
    packages = []
    for architecture in ARCHITECTURES:
        target = Target(python, architecture)
        say(f"Building for {target.runtime} on {architecture}{', with HEIC' if heic else ''}")
        packages.append(build(target, folder / architecture, heic=heic))
    if not packages[0].has_byte_code:
        say(f"Not compiled, which makes every cold start slower: put a python{python} on PATH and do it again")
    return packages


def _region(s3: Any, bucket: str) -> str:
    """Ask for the bucket's region, which S3 tells also whoever may not list the bucket."""
    try:
        response = s3.head_bucket(Bucket=bucket)
    except ClientError as error:
        if error.response["Error"]["Code"] not in DENIED:
            raise
        response = error.response
    region: str = response["ResponseMetadata"]["HTTPHeaders"].get("x-amz-bucket-region", "")
    return region


def _published(s3: Any, place: Place, package: Package, region: str, say: Say) -> Published:
    key = place.key(package)
    say(f"Uploading s3://{place.bucket}/{key} ({package.size:,} bytes)")
    version = _put(s3, place.bucket, key, package, say).get("VersionId", "")
    return Published(
        bucket=place.bucket,
        key=key,
        # The version that S3 calls null is none to rely on: the next PUT may replace it.
        version="" if version == "null" else version,
        region=region,
        sha256=package.sha256,
        runtime=package.runtime,
        architecture=package.architecture,
    )


def _put(s3: Any, bucket: str, key: str, package: Package, say: Say) -> Any:
    """Put a zip where nothing is; where it is already, another version of it would be one too many."""
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
    return _there(s3, bucket, key, package)


def _there(s3: Any, bucket: str, key: str, package: Package) -> Any:
    """Look at the object that is there, which must be the zip."""
    try:
        response = s3.head_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED")
    except ClientError as error:
        if error.response["Error"]["Code"] == "404":
            raise ToolError(f"s3://{bucket}/{key} was there and is gone: publish again") from error
        raise
    checksum = response.get("ChecksumSHA256", "none")
    if checksum != package.sha256:
        raise ToolError(
            f"s3://{bucket}/{key} is not the zip that it should be by its name (its SHA-256 in S3 is {checksum}): "
            "delete it, or use another --prefix"
        )
    return response


@contextlib.contextmanager
def _readable_errors(place: Place) -> Iterator[None]:
    where = f"s3://{place.bucket}/{place.prefix}"
    try:
        with reached("S3", f"publish to {where}"):
            yield
    except ClientError as error:
        code, said = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
        advice = ADVICE.get(code, "")
        if code in DENIED:
            advice = f"allow s3:PutObject and s3:GetObject on arn:aws:s3:::{place.bucket}/{place.prefix}*"
        raise ToolError(": ".join(filter(None, (f"S3 refuses {where}", code, said, advice)))) from error


def _quoted(text: str) -> str:
    """Write a string as HCL does: as JSON does, but for the beginnings of its templates."""
    return json.dumps(text, ensure_ascii=False).replace("${", "$${").replace("%{", "%%{")
