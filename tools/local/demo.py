"""The main job, shown: uploads images to the pipeline on the local AWS and tells what became of each."""

import io
import json
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import ExifTags, Image, UnidentifiedImageError

from tools.common.cli import Say, save
from tools.common.errors import ToolError
from tools.common.local_stack import Stack
from tools.imaging.pictures import Upload, demo_uploads
from tools.local.invocation import log_events
from tools.local.stack import RENDITION, temporary_stack
from tools.preview import rejections, tfvars
from tools.preview.model import Rejection, Step
from tools.preview.pipeline import Written, render_report

REPORT = "report.html"

RESIZING = "module.notification"
"""The part of the module that resizes. Lifecycle rules, alarms and a queue policy would take the provider 30 s more."""

PATIENCE = 120
"""Seconds until the demo gives up on an image; the function's own time-out and retries end before."""


@dataclass(frozen=True)
class Result:
    """What became of one upload.

    Attributes:
        output: The resized image; None where there is none.
        why: Why there is none, as the failure queue says it.
        message: The same, in a sentence.
        milliseconds: From reading the source to having written the output; None where nothing was written.
        render_milliseconds: Of these, those of rendering.
        steps: What happened when; empty where nothing was written.

    """

    upload: Upload
    output: bytes | None
    why: str = ""
    message: str = ""
    milliseconds: int | None = None
    render_milliseconds: int = 0
    steps: Sequence[Step] = ()

    @property
    def output_key(self) -> str:
        """The key that the pipeline writes for this upload."""
        return RENDITION.output_key(self.upload.key)


def demo(photos: Sequence[Path], directory: Path, say: Say, *, heic: bool = False) -> None:
    """Run ``photos`` (or pictures of the demo's own) through the pipeline, save and show the results.

    Args:
        photos: Files of the user's.
        directory: Where the uploads and the results are saved, below their keys.
        say: Shows progress and the results.
        heic: Whether the function reads HEIC.

    Raises:
        ToolError: Something on this machine is missing, a photo cannot be read, or a result cannot be written;
            nothing is left running.

    """
    uploads = list(_uploads_of(photos) if photos else demo_uploads())
    with temporary_stack(say, heic=heic, target=RESIZING) as stack:
        results = run_through(stack, uploads, say)
        say(f"\n{table(results)}\n")
        for result in results:
            save(result.upload.body, directory / result.upload.key)
            if result.output is not None:
                save(result.output, directory / result.output_key)
        save(page(results), directory / REPORT)
        say(f"Saved to {directory}; to look at: {directory / REPORT}")


def run_through(stack: Stack, uploads: Sequence[Upload], say: Say) -> list[Result]:
    """Upload, and wait for what becomes of each.

    Raises:
        ToolError: Of one nothing has become.

    """
    say(f"Uploading {len(uploads)} files and waiting for their results")
    s3, began = stack.client("s3"), {}
    for upload in uploads:
        began[upload.key] = time.time_ns() // 1_000_000
        s3.put_object(Bucket=stack.source_bucket, Key=upload.key, Body=upload.body)
    return _await_results(stack, uploads, began)


def page(results: Sequence[Result]) -> str:
    """Lay the results out as the preview does, with the timeline of each."""
    written = [
        Written(one.upload.key, one.upload.body, one.output, one.render_milliseconds / 1000, one.steps)
        for one in results
        if one.output is not None
    ]
    refused = [
        Rejection(
            one.upload.key, len(one.upload.body), one.why, one.message, rejections.find_advice(one.why, one.message)
        )
        for one in results
        if one.output is None
    ]
    origin = "Uploaded to the pipeline on a local AWS, deployed by Terraform with the module's default settings."
    return render_report(written, refused, tfvars.read_settings([]), origin)


def table(results: Iterable[Result]) -> str:
    """Lay the results out, one line each."""
    rows = [("KEY IN", "KEY OUT", "PIXELS IN", "PIXELS OUT", "BYTES IN", "BYTES OUT", "MS")]
    for result in results:
        rows.append(  # noqa: PERF401 - a row reads better in its own lines
            (
                result.upload.key,
                result.output_key if result.output is not None else f"- ({result.why})",
                _pixels(result.upload.body),
                _pixels(result.output),
                f"{len(result.upload.body):,}",
                f"{len(result.output):,}" if result.output is not None else "-",
                str(result.milliseconds) if result.milliseconds is not None else "-",
            )
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if index < 2 else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def _uploads_of(photos: Sequence[Path]) -> Iterator[Upload]:
    seen: set[str] = set()
    for photo in photos:
        # Below the current folder a photo keeps its folders; from elsewhere only its name.
        inside = not photo.is_absolute() and ".." not in photo.parts
        key = photo.as_posix() if inside else photo.name
        if key in seen:
            raise ToolError(f"Two photos would have the key {key}: give one of them another name")
        seen.add(key)
        try:
            yield Upload(key, photo.read_bytes())
        except OSError as error:
            raise ToolError(f"Cannot read {photo}: {error.strerror}") from None


def _await_results(stack: Stack, uploads: Sequence[Upload], began: Mapping[str, int]) -> list[Result]:
    """Ask the destination and the log, and the failure queue, until they account for every upload."""
    outputs: dict[str, bytes] = {}
    failures: dict[str, dict[str, str]] = {}
    log = Log({}, {})
    deadline = time.monotonic() + PATIENCE
    while missing := [one for one in uploads if one.key not in (outputs.keys() & log.written.keys()) | failures.keys()]:
        if time.monotonic() > deadline:
            keys = ", ".join(one.key for one in missing)
            raise ToolError(f"No image and no failure record after {PATIENCE} s for: {keys}")
        failures |= _received_failures(stack)
        outputs |= {one.key: body for one in missing if (body := _output(stack, one)) is not None}
        log = Log.of(stack)
    return [_result(one, outputs.get(one.key), failures.get(one.key, {}), log, began[one.key]) for one in uploads]


def _result(upload: Upload, output: bytes | None, failure: Mapping[str, str], log: "Log", began: int) -> Result:
    if output is None:
        return Result(upload, None, failure["reason"], failure["message"])
    written = log.written[upload.key]
    return Result(
        upload,
        output,
        milliseconds=written.line["milliseconds"],
        render_milliseconds=written.line["render_milliseconds"],
        steps=log.steps(written, began),
    )


def _output(stack: Stack, upload: Upload) -> bytes | None:
    s3 = stack.client("s3")
    try:
        response = s3.get_object(Bucket=stack.destination_bucket, Key=RENDITION.output_key(upload.key))
    except s3.exceptions.NoSuchKey:
        return None
    body: bytes = response["Body"].read()
    return body


def _received_failures(stack: Stack) -> dict[str, dict[str, str]]:
    """Receive what the failure queue has within a second: key to record."""
    received = stack.client("sqs").receive_message(
        QueueUrl=stack.failure_queue_url, WaitTimeSeconds=1, MaxNumberOfMessages=10
    )
    records = [json.loads(message["Body"]) for message in received.get("Messages", [])]
    return {record["key"]: record for record in records if "reason" in record}


@dataclass(frozen=True)
class Line:
    """A line of the log, and when it was written, in milliseconds since 1970."""

    line: dict[str, Any]
    at: int


@dataclass(frozen=True)
class Log:
    """What the function's log says.

    Attributes:
        written: The last ``written`` of each key.
        invoked: When each invocation began, by its request id, in milliseconds since 1970.

    """

    written: Mapping[str, Line]
    invoked: Mapping[str, int]

    @classmethod
    def of(cls, stack: Stack) -> "Log":
        """Read all of it."""
        written: dict[str, Line] = {}
        invoked: dict[str, int] = {}
        for event in log_events(stack):
            line = _parsed(event["message"])
            if line.get("message") == "written":
                written[line["key"]] = Line(line, event["timestamp"])
            if start := re.match(r"START RequestId: (\S+)", event["message"]):
                invoked[start[1]] = event["timestamp"]
        return cls(written, invoked)

    def steps(self, written: Line, uploaded: int) -> list[Step]:
        """When what happened to an object, in milliseconds since its upload was begun."""
        line = written.line
        # The line is logged after the last put, and tells how long each part took.
        read = written.at - line["milliseconds"] + line["read_milliseconds"]
        moments = {
            "uploaded": uploaded,
            # A line counts from when it was seen, which a busy machine puts off.
            "invoked": min(self.invoked[line["requestId"]], read),
            "read": read,
            "rendered": read + line["render_milliseconds"],
            "written": written.at,
        }
        return [Step(name, at - uploaded) for name, at in moments.items()]


def _parsed(line: str) -> dict[str, Any]:
    """Read a JSON log line; the platform's own lines are plain text."""
    try:
        parsed = json.loads(line)
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _pixels(body: bytes | None) -> str:
    """Width and height as displayed."""
    if body is None:
        return "-"
    try:
        with Image.open(io.BytesIO(body)) as image:
            width, height = image.size
            turned = image.getexif().get(ExifTags.Base.Orientation, 1) in {5, 6, 7, 8}
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError):
        return "-"
    return f"{height} x {width}" if turned else f"{width} x {height}"
