"""`invoke demo`: uploads images to the pipeline on a local AWS, and shows the result of each."""

import io
import json
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError
from PIL import ExifTags, Image, UnidentifiedImageError

from imaging.losses import Loss, Lost
from tools.common.cli import Say, read_photo, save
from tools.common.errors import ToolError
from tools.common.local_stack import Stack
from tools.common.table import Table
from tools.imaging.pictures import Upload, demo_uploads
from tools.local.stack import RENDITION, RESIZING, temporary_stack
from tools.preview import pipeline
from tools.preview.model import Rejection, Report, Step
from tools.preview.page import render_page
from tools.preview.pages import check_overwriting
from tools.preview.pipeline import Written
from tools.preview.rejections import find_advice

REPORT = "report.html"

PATIENCE = 120
"""Seconds until the demo stops waiting; the function's timeout and retries end earlier."""


@dataclass(frozen=True)
class Result:
    """The result of one upload.

    Attributes:
        output: The resized image; None if the function rejected the upload.
        reason: Why it was rejected, from the record in the failure queue.
        message: The reason as a sentence.
        milliseconds: From reading the source to the last write; None if nothing was written.
        lost: From the function's log.
        steps: The timeline; empty if nothing was written.

    """

    upload: Upload
    output: bytes | None
    reason: str = ""
    message: str = ""
    milliseconds: int | None = None
    lost: Sequence[Loss] = ()
    steps: Sequence[Step] = ()

    @property
    def output_key(self) -> str:
        """The key that the pipeline writes for this upload."""
        return RENDITION.output_key(self.upload.key)


def demo(photos: Sequence[Path], directory: Path, say: Say, *, heic: bool = False) -> None:
    """Run ``photos``, or generated pictures, through the pipeline; show and save the results.

    Args:
        photos: The user's files.
        directory: Where to save uploads and outputs, under their keys.
        say: Shows progress and the results.
        heic: Whether the function reads HEIC.

    Raises:
        ToolError: A program is missing, a photo can't be read, or a result can't be written or would overwrite
            another file than an earlier result. Nothing is left running.

    """
    uploads = list(_read_uploads(photos) if photos else demo_uploads())
    check_overwriting(directory / REPORT, photos)
    _check_results(uploads, directory)
    with temporary_stack(say, extras=["heic"] if heic else [], target=RESIZING) as stack:
        results = run_through(stack, uploads, say)
        say(f"{make_table(results).text()}\n")
        for result in results:
            save(result.upload.body, directory / result.upload.key)
            if result.output is not None:
                save(result.output, directory / result.output_key)
        save(render_page(make_report(results, directory / REPORT)), directory / REPORT)
        say(f"Saved to {directory}. Open {directory / REPORT} in a browser.")


def run_through(stack: Stack, uploads: Sequence[Upload], say: Say) -> list[Result]:
    """Upload files and wait for the result of each.

    Raises:
        ToolError: An upload produced neither an image nor a record.

    """
    say(f"Uploading {len(uploads)} files and waiting for their results")
    s3, began = stack.client("s3"), {}
    for upload in uploads:
        began[upload.key] = time.time_ns() // 1_000_000
        s3.put_object(Bucket=stack.source_bucket, Key=upload.key, Body=upload.body)
    return _await_results(stack, uploads, began)


def make_report(results: Sequence[Result], output: Path) -> Report:
    """Return a report like the preview's, with the timeline of each upload, for the page ``output``."""
    written = [
        Written(one.upload.key, one.upload.body, one.output, one.lost, one.steps)
        for one in results
        if one.output is not None
    ]
    rejected = [
        Rejection(one.upload.key, len(one.upload.body), one.reason, one.message, find_advice(one.reason, one.message))
        for one in results
        if one.output is None
    ]
    origin = "Uploaded to the pipeline on a local AWS, deployed by Terraform with the module's default settings."
    return pipeline.make_report(written, rejected, RENDITION, origin, output)


def make_table(results: Iterable[Result]) -> Table:
    """Return a row for each result."""
    columns = ("key in", "key out", "pixels in", "pixels out", "bytes in", "bytes out", "ms")
    rows = tuple(
        (
            result.upload.key,
            result.output_key if result.output is not None else f"- ({result.reason})",
            _format_size(result.upload.body),
            _format_size(result.output),
            f"{len(result.upload.body):,}",
            f"{len(result.output):,}" if result.output is not None else "-",
            str(result.milliseconds) if result.milliseconds is not None else "-",
        )
        for result in results
    )
    return Table("", columns, rows, words=2)


def _read_uploads(photos: Sequence[Path]) -> Iterator[Upload]:
    seen: set[str] = set()
    for photo in photos:
        # A photo below the current folder keeps its folders in its key.
        inside = not photo.is_absolute() and ".." not in photo.parts
        key = photo.as_posix() if inside else photo.name
        if key in seen:
            raise ToolError(f"Two photos would have the key {key}: rename one of them")
        seen.add(key)
        yield Upload(key, read_photo(photo))


def _check_results(uploads: Sequence[Upload], directory: Path) -> None:
    """Check that results overwrite no other file; a folder with a report has earlier results."""
    if (directory / REPORT).exists():
        return
    for upload in uploads:
        for path in (directory / upload.key, directory / RENDITION.output_key(upload.key)):
            # With --output=., an upload is saved over its own file.
            if path.is_file() and path.read_bytes() != upload.body:
                raise ToolError(
                    f"Cannot write {path}: it exists and is not a result of the demo: choose another --output"
                )


def _await_results(stack: Stack, uploads: Sequence[Upload], began: Mapping[str, int]) -> list[Result]:
    """Poll the destination, the log and the failure queue until each upload has an image or a record."""
    outputs: dict[str, bytes] = {}
    failures: dict[str, dict[str, str]] = {}
    log = Log({}, {})
    deadline = time.monotonic() + PATIENCE
    while missing := [one for one in uploads if one.key not in (outputs.keys() & log.written.keys()) | failures.keys()]:
        if time.monotonic() > deadline:
            keys = ", ".join(one.key for one in missing)
            raise ToolError(f"No image and no failure record after {PATIENCE} s for: {keys}")
        failures |= _receive_failures(stack)
        outputs |= {one.key: body for one in missing if (body := _get_output(stack, one)) is not None}
        log = Log.of(stack)
    return [_make_result(one, outputs.get(one.key), failures.get(one.key, {}), log, began[one.key]) for one in uploads]


def _make_result(upload: Upload, output: bytes | None, failure: Mapping[str, str], log: "Log", began: int) -> Result:
    if output is None:
        return Result(upload, None, failure["reason"], failure["message"])
    written = log.written[upload.key]
    return Result(
        upload,
        output,
        milliseconds=written.line["milliseconds"],
        lost=tuple(Loss(Lost(what), why) for what, why in written.line["lost"].items()),
        steps=log.steps(written, began),
    )


def _get_output(stack: Stack, upload: Upload) -> bytes | None:
    s3 = stack.client("s3")
    try:
        response = s3.get_object(Bucket=stack.destination_bucket, Key=RENDITION.output_key(upload.key))
    except ClientError as error:
        # XML can't hold a key with control characters: botocore can't parse the answer, and knows only its status.
        if error.response["Error"]["Code"] in {"NoSuchKey", "404"}:
            return None
        raise
    body: bytes = response["Body"].read()
    return body


def _receive_failures(stack: Stack) -> dict[str, dict[str, str]]:
    """Wait up to a second for records in the failure queue, by key."""
    received = stack.client("sqs").receive_message(
        QueueUrl=stack.failure_queue_url, WaitTimeSeconds=1, MaxNumberOfMessages=10
    )
    records = [json.loads(message["Body"]) for message in received.get("Messages", [])]
    return {record["key"]: record for record in records if "reason" in record}


@dataclass(frozen=True)
class Line:
    """A line of the log and its time, in milliseconds since 1970."""

    line: dict[str, Any]
    at: int


@dataclass(frozen=True)
class Log:
    """The function's log.

    Attributes:
        written: The last ``written`` line of each key.
        invoked: The start of each invocation by request ID, in milliseconds since 1970.

    """

    written: Mapping[str, Line]
    invoked: Mapping[str, int]

    @classmethod
    def of(cls, stack: Stack) -> "Log":
        """Read the whole log."""
        written: dict[str, Line] = {}
        invoked: dict[str, int] = {}
        for event in stack.log_events():
            line = _parse(event["message"])
            if line.get("message") == "written":
                written[line["key"]] = Line(line, event["timestamp"])
            if start := re.match(r"START RequestId: (\S+)", event["message"]):
                invoked[start[1]] = event["timestamp"]
        return cls(written, invoked)

    def steps(self, written: Line, uploaded: int) -> list[Step]:
        """Return an object's timeline, in milliseconds since the start of its upload."""
        line = written.line
        # The function logs the line after the last put, with the duration of each part.
        read = written.at - line["milliseconds"] + line["read_milliseconds"]
        moments = {
            "uploaded": uploaded,
            # The time of START is the time when the local AWS read the line, which is late on a busy machine.
            "invoked": min(self.invoked[line["requestId"]], read),
            "read": read,
            "rendered": read + line["render_milliseconds"],
            "written": written.at,
        }
        return [Step(name, at - uploaded) for name, at in moments.items()]


def _parse(line: str) -> dict[str, Any]:
    """Return a JSON log line; empty for Lambda's own lines, which are plain text."""
    try:
        parsed = json.loads(line)
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _format_size(body: bytes | None) -> str:
    """Return width and height as displayed; a dash if Pillow can't read them."""
    if body is None:
        return "-"
    try:
        with Image.open(io.BytesIO(body)) as image:
            width, height = image.size
            turned = image.getexif().get(ExifTags.Base.Orientation, 1) in {5, 6, 7, 8}
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError):
        return "-"
    return f"{height} x {width}" if turned else f"{width} x {height}"
