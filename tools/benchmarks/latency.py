"""On-upload latency on a local AWS: from the start of an upload to its output, here and with the usual handler."""

import io
import itertools
import json
import statistics
import time
import uuid
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from tools.benchmarks import usual_handler
from tools.benchmarks.job import OURS
from tools.benchmarks.results import take_turns
from tools.build import Target, build
from tools.common.cli import Say
from tools.common.errors import ToolError
from tools.common.local_stack import Stack
from tools.common.table import Table
from tools.local.stack import RENDITION, RESIZING, temporary_stack

USUAL = "usual"
WARM, COLD = "warm", "cold"

UPLOADS = {WARM: 100, COLD: 30}
QUICK_UPLOADS = {WARM: 5, COLD: 2}

POLL_SECONDS = 0.002
"""Between two looks for an output: the figures are exact to this, and a HEAD."""

PATIENCE = 60
"""Seconds until an output counts as missing."""


@dataclass(frozen=True)
class Latency:
    """The measurements: seconds of every upload, by handler and by start."""

    seconds: Mapping[str, Mapping[str, tuple[float, ...]]]

    def tables(self) -> list[Table]:
        """Return one table."""
        rows = []
        for start in (WARM, COLD):
            for name, by_start in self.seconds.items():
                values = by_start[start]
                usual = find_percentile(self.seconds[USUAL][start], 50)
                median, last = (find_percentile(values, percent) for percent in (50, 99))
                figures = (f"{1000 * median:.0f}", f"{1000 * last:.0f}", f"{median / usual:.2f}")
                rows.append((name, start, f"{len(values)}", *figures))
        columns = ("who", "start", "uploads", "p50, ms", "p99, ms", "p50 / usual")
        return [Table("On-upload latency on the local AWS", columns, tuple(rows), words=2)]


def find_percentile(values: tuple[float, ...], percent: int) -> float:
    """Return a percentile of at least two values, between the two that are nearest to it."""
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


@dataclass(frozen=True)
class Pipeline:
    """A deployed handler and its buckets."""

    stack: Stack
    function: str
    source_bucket: str
    destination_bucket: str
    _starts: Iterator[int] = field(default_factory=itertools.count)

    def time_upload(self, body: bytes) -> float:
        """Upload an image, and return the seconds until its output is there.

        Raises:
            ToolError: There is no output.

        """
        s3 = self.stack.client("s3")
        key = f"{uuid.uuid4().hex}.jpg"
        began = time.perf_counter()
        s3.put_object(Bucket=self.source_bucket, Key=key, Body=body)
        while not _has_object(s3, self.destination_bucket, RENDITION.output_key(key)):
            if time.perf_counter() > began + PATIENCE:
                raise ToolError(f"{self.function} wrote no output within {PATIENCE} s: see its log")
            time.sleep(POLL_SECONDS)
        return time.perf_counter() - began

    def time_cold_upload(self, body: bytes) -> float:
        """Do the same with a new execution environment: a changed variable makes Lambda start one."""
        client = self.stack.client("lambda")
        variables = client.get_function_configuration(FunctionName=self.function)["Environment"]["Variables"]
        changed = variables | {"START": str(next(self._starts))}
        client.update_function_configuration(FunctionName=self.function, Environment={"Variables": changed})
        return self.time_upload(body)


def measure(source: Path, folder: Path, say: Say, uploads: Mapping[str, int]) -> Latency:
    """Deploy both handlers, and upload an image again and again, one at a time and by turns.

    Args:
        source: The image.
        folder: For the usual handler's package.
        say: Shows progress.
        uploads: How many of each start.

    Raises:
        ToolError: A program is missing, or an upload has no output.

    """
    body = source.read_bytes()
    with temporary_stack(say, target=RESIZING) as stack:
        pipelines = {
            OURS: Pipeline(stack, stack.function_name, stack.source_bucket, stack.destination_bucket),
            USUAL: deploy_usual(stack, make_package(folder)),
        }
        say("Measuring the latency of uploads")
        for pipeline in pipelines.values():
            pipeline.time_upload(body)
        found = {
            start: take_turns(
                {name: _bind(pipeline, start, body) for name, pipeline in pipelines.items()}, uploads[start]
            )
            for start in (WARM, COLD)
        }
    return Latency({name: {start: found[start][name] for start in found} for name in pipelines})


def _bind(pipeline: Pipeline, start: str, body: bytes) -> Callable[[], float]:
    run = pipeline.time_upload if start == WARM else pipeline.time_cold_upload
    return lambda: run(body)


def make_package(folder: Path) -> bytes:
    """Return the usual handler's zip, with the Pillow of this function as its wheel contains it."""
    package = build(Target.of_this_machine(), folder, for_aws=False)
    target = io.BytesIO()
    with zipfile.ZipFile(package.path) as ours, zipfile.ZipFile(target, "w") as usual:
        for name in ours.namelist():
            if name.startswith(("PIL/", "pillow.libs/")) and not name.endswith(".pyc"):
                usual.writestr(name, ours.read(name))
        usual.write(usual_handler.__file__, "usual_handler.py")
    return target.getvalue()


def deploy_usual(stack: Stack, package: bytes) -> Pipeline:
    """Deploy the usual handler beside this function, with its settings and buckets of its own."""
    s3, iam, functions = (stack.client(service) for service in ("s3", "iam", "lambda"))
    source_bucket, destination_bucket = "usual-in", "usual-out"
    for bucket in (source_bucket, destination_bucket):
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": stack.aws.region})
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    role = iam.create_role(RoleName=USUAL, AssumeRolePolicyDocument=_make_policy(trust))["Role"]["Arn"]
    use = {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": "arn:aws:s3:::usual-*/*"}
    log = {"Effect": "Allow", "Action": "logs:*", "Resource": "*"}
    iam.put_role_policy(RoleName=USUAL, PolicyName=USUAL, PolicyDocument=_make_policy(use, log))
    ours = functions.get_function_configuration(FunctionName=stack.function_name)
    function = functions.create_function(
        FunctionName=USUAL,
        Role=role,
        Handler="usual_handler.handler",
        Code={"ZipFile": package},
        Environment={"Variables": {"DESTINATION_BUCKET": destination_bucket}},
        **{name: ours[name] for name in ("Runtime", "Architectures", "MemorySize", "Timeout")},
    )["FunctionArn"]
    functions.add_permission(
        FunctionName=USUAL,
        StatementId=USUAL,
        Action="lambda:InvokeFunction",
        Principal="s3.amazonaws.com",
        SourceArn=f"arn:aws:s3:::{source_bucket}",
    )
    events = {"LambdaFunctionArn": function, "Events": ["s3:ObjectCreated:*"]}
    s3.put_bucket_notification_configuration(
        Bucket=source_bucket, NotificationConfiguration={"LambdaFunctionConfigurations": [events]}
    )
    return Pipeline(stack, USUAL, source_bucket, destination_bucket)


def _make_policy(*statements: Mapping[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def _has_object(s3: Any, bucket: str, key: str) -> bool:
    try:
        s3.head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] != "404":
            raise
        return False
    return True
