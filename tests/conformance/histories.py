"""Histories of uploads and events in which S3 or the handler fails, and the destination expected at their end."""

import contextlib
import itertools
import json
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any
from urllib.parse import quote_plus

from PIL import Image

from tests.conformance.adapter import Adapter
from tests.conformance.oracle import find_fault
from tests.conformance.schedule import DAMAGES, ERRORS, schedule
from tests.faults import Fault, await_held, inject, release
from tests.images import encode, picture
from tests.judges.chromium import Chromium
from tools.common.local_stack import LocalAws
from tools.common.paths import ROOT

ATTEMPTS = 3
"""How often Lambda delivers an asynchronous event before it gives up."""

TIMEOUT_SECONDS = 60
"""The timeout of an invocation."""

POLL_SECONDS = 0.5
"""How often to check whether an invocation ended without the awaited request."""

KEYS = ("cake.jpg", "a/b/cake.jpg", "two words.jpg", "1+1=2.jpg", "größe & 100%.jpg")


@dataclass
class Cloud:
    """An S3 that can fail, and has two buckets for each history."""

    aws: LocalAws
    chromium: Chromium
    made: int = 0

    def open(self, adapter: Adapter) -> "History":
        """Make the buckets of a history."""
        self.made += 1
        buckets = f"uploads-{self.made}", f"outputs-{self.made}"
        s3 = self.aws.client("s3")
        for name in buckets:
            s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": self.aws.region})
            s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        return History(self, adapter, *buckets)


@dataclass
class History:
    """Uploads, and the invocations that handle their events."""

    cloud: Cloud
    adapter: Adapter
    source: str
    destination: str
    versions: dict[str, list[Image.Image]] = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)

    def upload(self, key: str, chance: Random) -> None:
        """Upload a picture of a random size, which identifies it."""
        drawn = picture(2 * chance.randint(40, 200), 2 * chance.randint(40, 200))
        self.cloud.aws.client("s3").put_object(Bucket=self.source, Key=key, Body=encode(drawn, quality=90))
        self.versions.setdefault(key, []).append(drawn)

    def start(self, key: str) -> "subprocess.Popen[bytes]":
        """Start an invocation with S3's event about a key."""
        event: dict[str, Any] = json.loads((ROOT / "events" / "put.json").read_text())
        where = event["Records"][0]["s3"]
        where["bucket"]["name"], where["object"]["key"] = self.source, quote_plus(key, safe="/")
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
            **self.cloud.aws.environment(),
            "AWS_DEFAULT_REGION": self.cloud.aws.region,
            "SOURCE_BUCKET": self.source,
            "DESTINATION_BUCKET": self.destination,
            "NO_PROXY": "127.0.0.1,localhost",
        }
        # A pipe would break if the handler didn't read it.
        with tempfile.TemporaryFile("w+") as content:
            json.dump(event, content)
            content.seek(0)
            null = subprocess.DEVNULL
            return subprocess.Popen(
                self.adapter.handler, cwd=ROOT, env=environment, stdin=content, stdout=null, stderr=null
            )

    @contextlib.contextmanager
    def hold(self, key: str, method: str, bucket: str) -> Iterator["subprocess.Popen[bytes]"]:
        """Start an invocation, and hold its first request of this kind, if it makes one, until the block ends."""
        aws = self.cloud.aws
        fault = inject(aws, Fault(method, bucket, hold=True, functions_only=False))
        process = self.start(key)
        while process.poll() is None:
            with contextlib.suppress(TimeoutError):
                await_held(aws, fault, seconds=POLL_SECONDS)
                break
        yield process
        release(aws, fault)

    def deliver(self, key: str, first: "subprocess.Popen[bytes] | None" = None) -> None:
        """Deliver an event until an attempt succeeds, as Lambda does; ``first`` is an attempt that already runs."""
        attempts = itertools.chain([first] if first else [], (self.start(key) for _ in itertools.count()))
        for process in itertools.islice(attempts, ATTEMPTS):
            if self.finish(process):
                return
        self.failed.add(key)

    @staticmethod
    def finish(process: "subprocess.Popen[bytes]") -> bool:
        """Wait for an invocation; tell whether it succeeded."""
        with process:
            try:
                return process.wait(TIMEOUT_SECONDS) == 0
            except subprocess.TimeoutExpired:
                process.kill()
                return False

    def find_fault(self) -> str:
        """Return what is wrong with the destination; a key whose event failed may have an older output, or none."""
        s3 = self.cloud.aws.client("s3")
        for key, versions in self.versions.items():
            has_failed = key in self.failed
            try:
                body = s3.get_object(Bucket=self.destination, Key=self.adapter.output_key(key))["Body"].read()
            except s3.exceptions.NoSuchKey:
                wrong = "" if has_failed else "missing, though each event was handled"
            else:
                wrong = min(self._find_fault(body, drawn) for drawn in (versions if has_failed else versions[-1:]))
            if wrong:
                return f"the output of {key}: {wrong}"
        return ""

    def _find_fault(self, body: bytes, drawn: Image.Image) -> str:
        return find_fault(body, "jpeg", (drawn.width // 2, drawn.height // 2), drawn, self.cloud.chromium)


def fail_requests(adapter: Adapter, cloud: Cloud, chance: Random) -> str:
    """Deliver events in any order, some of them twice, while requests fail and reads are cut short."""
    history = cloud.open(adapter)
    faults_by_request = {
        ("GET", history.source): (*ERRORS, *DAMAGES),
        ("HEAD", history.source): ERRORS,
        ("PUT", history.destination): ERRORS,
    }
    faults = schedule(faults_by_request, chance.uniform(0.1, 0.5), chance.randrange(1 << 30))
    injected = [inject(cloud.aws, replace(fault, functions_only=False)) for fault in faults]
    keys = chance.sample(KEYS, 2)
    events = [*keys, chance.choice(keys)]
    for key in events:
        history.upload(key, chance)
    for key in chance.sample(events, len(events)):
        history.deliver(key)
    for fault in injected:
        release(cloud.aws, fault)
    return history.find_fault()


@contextlib.contextmanager
def hold_upload(
    adapter: Adapter, cloud: Cloud, chance: Random
) -> "Iterator[tuple[History, str, subprocess.Popen[bytes]]]":
    """Yield a history with an upload, its key, and its invocation, whose read or write is held in the block."""
    history, key = cloud.open(adapter), chance.choice(KEYS)
    method, bucket = chance.choice([("GET", history.source), ("PUT", history.destination)])
    history.upload(key, chance)
    with history.hold(key, method, bucket) as process:
        yield history, key, process


def overtake(adapter: Adapter, cloud: Cloud, chance: Random) -> str:
    """Hold an invocation's read or write until a newer upload of its key was handled."""
    with hold_upload(adapter, cloud, chance) as (history, key, older):
        history.upload(key, chance)
        history.deliver(key)
    history.deliver(key, older)
    return history.find_fault()


def kill(adapter: Adapter, cloud: Cloud, chance: Random) -> str:
    """Kill an invocation in its read or its write; Lambda delivers the event again."""
    with hold_upload(adapter, cloud, chance) as (history, key, process):
        process.kill()
    history.deliver(key, process)
    return history.find_fault()


HISTORIES: Mapping[str, Callable[[Adapter, Cloud, Random], str]] = {
    "failing requests": fail_requests,
    "an overtaken invocation": overtake,
    "a killed invocation": kill,
}
"""The histories, by name."""
