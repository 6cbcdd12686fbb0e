"""A bug in the function is a failed event with a traceback in the log, never a rejection or a worse image.

The test breaks every function of every module that an event runs through, one at a time.
"""

import builtins
import functools
import gzip
import importlib
import inspect
import json
import struct
import sys
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import CodeType, FunctionType
from typing import Any

import numpy as np
import pytest
from moto import mock_aws
from PIL import Image, ImageCms

from aws import clients
from errors import IncompleteError
from imaging.formats import jpeg
from tests import gain_maps, pngs, tiffs
from tests.images import apple_exif, encode, picture
from tests.pngs import chunk
from tests.unit.conftest import REGION, SESSION
from tools.common.paths import FUNCTION

RENDITIONS = json.dumps(
    {
        "half": {"scale": 0.5},
        "icon": {"width": 16, "height": 16, "fit": "cover", "format": "jpeg", "ssimulacra2": 70, "focus": "metadata"},
        "strip": {"width": 16, "height": 4, "fit": "cover", "focus": "entropy"},
        "card": {"width": 20, "height": 20, "fit": "contain"},
    }
)

FACE = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><r:Description '
    b'xmlns:m="http://www.metadataworkinggroup.com/schemas/regions/" xmlns:a="http://ns.adobe.com/xmp/sType/Area#">'
    b'<m:Regions><r:li m:Type="Face"><m:Area a:x="0.5" a:y="0.5"/></r:li></m:Regions>'
    b"</r:Description></r:RDF></x:xmpmeta>"
)


SIGNING = frozenset({"aws.signing", "imaging.content_credentials"})
"""Modules that no event here runs: only settings with a signing key import them, and other tests of the process."""


class InjectedError(
    KeyError,
    IndexError,
    UnicodeError,
    TypeError,
    ArithmeticError,
    RuntimeError,
    AssertionError,
    EOFError,
    OSError,
    struct.error,
    zlib.error,
    ImageCms.PyCMSError,
):
    """Any exception that a bug may raise, so that every handler that catches too much catches it."""


def fail(*_: object, **__: object) -> None:
    """Replace a function of the pipeline."""
    raise InjectedError("injected")


def make_exif() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112], exif[0x013B] = 3, "Zoë"
    exif.get_ifd(0x8769)[0xA002] = 40
    return exif


def frames(image_format: str, mode: str, **options: Any) -> bytes:
    pages = [picture(24, 18, mode).rotate(90 * turn) for turn in range(3)]
    return encode(pages[0], image_format, save_all=True, append_images=pages[1:], **options)


def draw_transparent(mode: str) -> Image.Image:
    image = picture(24, 18).convert(mode)
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    return image


def draw_16_bit(side: int) -> Image.Image:
    return Image.linear_gradient("L").resize((side, side)).convert("I").point(lambda value: value * 257).convert("I;16")


def draw_samples(channels: int) -> tiffs.Samples:
    return np.random.default_rng(0).integers(0, 1 << 16, (130, 24, channels)).astype(np.uint16)


PNG = encode(picture(24, 18), "PNG")
GAMMA = PNG[:33] + chunk(b"gAMA", struct.pack(">I", 100_000)) + PNG[33:]
SOURCES: dict[str, Callable[[], bytes]] = {
    "photo.jpg": lambda: encode(picture(16, 300), subsampling=0, exif=make_exif(), xmp=b"<x tiff:Orientation='6'/>"),
    "face.jpg": lambda: encode(picture(16, 24), xmp=FACE),
    "hdr.jpg": lambda: gain_maps.ultra_hdr_jpeg(*gain_maps.hdr_pictures(64, 48)),
    "apple.jpg": lambda: gain_maps.apple_jpeg(*gain_maps.hdr_pictures(64, 48, exif=apple_exif(1.0, 0.0)), headroom=""),
    "cmyk.jpg": lambda: encode(picture(24, 18, "CMYK"), icc_profile=b"no profile"),
    "text.png": lambda: encode(picture(24, 300).quantize(9), "PNG", exif=make_exif()),
    "key.png": lambda: encode(draw_16_bit(24), "PNG", transparency=7),
    "gamma.png": lambda: GAMMA,
    "hdr.png": lambda: PNG[:33] + chunk(b"cICP", bytes([9, 18, 0, 1])) + PNG[33:],
    "alpha.png": lambda: encode(draw_transparent("RGB"), "PNG"),
    "noisy.png": lambda: encode(Image.effect_noise((128, 128), 9), "PNG"),
    "animated.png": lambda: frames("PNG", "RGB", duration=50),
    "animated.gif": lambda: frames("GIF", "RGB", duration=50, comment=b"unseen"),
    "animated.webp": lambda: frames("WEBP", "RGB", duration=50),
    "animated.avif": lambda: frames("AVIF", "RGB", duration=50, loop=3),
    "alpha.avif": lambda: encode(draw_transparent("RGB"), "AVIF", exif=make_exif()),
    "pages.tif": lambda: frames("TIFF", "RGB", compression="tiff_lzw", exif=make_exif()),
    "tall.tif": lambda: encode(picture(9, 300), "TIFF"),
    "colours.png": lambda: pngs.png(draw_samples(4), 6, 16),
    "colours.tif": lambda: tiffs.tiff(draw_samples(4), tiffs.Kind(16, tiffs.RGB, extra=(1,))),
    "deep.tif": lambda: encode(draw_16_bit(24).convert("I"), "TIFF"),
    "alpha.bmp": lambda: encode(draw_transparent("RGB"), "BMP"),
    "packed.bmp": lambda: gzip.compress(encode(picture(24, 18), "BMP")),
    "none.txt": lambda: b"no image",
    "damaged.jpg": lambda: encode(picture(24, 18))[:300],
    "folder/": lambda: b"",
}


class Context:
    """The context that Lambda passes with the event."""

    def get_remaining_time_in_millis(self) -> int:
        return 120_000


class Pipeline:
    """The function with its buckets and its failure queue."""

    def __init__(self, handler: Any, s3: Any, sqs: Any, queue: str) -> None:
        self.handler, self.s3, self.sqs, self.queue = handler, s3, sqs, queue
        for key, make in SOURCES.items():
            encoding = {"ContentEncoding": "gzip"} if key.startswith("packed") else {}
            metadata = {"by": "us", "focus": "0.3,0.7"} if key == "photo.jpg" else {"by": "us"}
            s3.put_object(Bucket="uploads", Key=key, Body=make(), Metadata=metadata, **encoding)

    def send(self, key: str) -> object:
        record = {"eventSource": "aws:s3", "eventVersion": "2.1"} | {
            "s3": {"bucket": {"name": "uploads"}, "object": {"key": key}}
        }
        # Empty the caches of earlier events, so that every function runs.
        reconciler = self.handler.reconciler
        self.handler.reconciler = replace(reconciler, settings=replace(reconciler.settings))
        self.handler.get_sqs.cache_clear()
        jpeg.make_tables.cache_clear()
        return self.handler.lambda_handler({"Records": [record]}, Context())

    def is_recorded(self) -> bool:
        """Return whether a rejection was recorded since the last call."""
        messages = self.sqs.receive_message(QueueUrl=self.queue, WaitTimeSeconds=0).get("Messages", [])
        for message in messages:
            self.sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])
        return bool(messages)


@pytest.fixture
def pipeline(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pipeline]:
    # A replaced code object keeps the globals of its function's module.
    monkeypatch.setattr(builtins, "InjectedError", InjectedError, raising=False)
    with mock_aws():
        s3, sqs = SESSION.client("s3"), SESSION.client("sqs")
        for bucket in ("uploads", "resized"):
            s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
        queue = sqs.create_queue(QueueName="failures")["QueueUrl"]
        bus = SESSION.client("events").create_event_bus(Name="media")["EventBusArn"]
        environment = {
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1769",
            "SOURCE_BUCKET": "uploads",
            "DESTINATION_BUCKET": "resized",
            "FAILURE_QUEUE_URL": queue,
            "RENDITIONS": RENDITIONS,
            "METADATA": "all",
            "MANIFEST": "{dir}{name}.renditions.json",
            "PLACEHOLDERS": "true",
            "MIRROR_DELETES": "true",
            "EVENTS": json.dumps({"eventbridge_bus_arn": bus}),
        }
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        yield Pipeline(importlib.import_module("lambda_function"), s3, sqs, queue)
        del sys.modules["lambda_function"]


def find_functions() -> dict[CodeType, FunctionType]:
    """Return all functions and methods of the pipeline's modules by their code."""
    found: dict[CodeType, FunctionType] = {}
    modules = {
        name: module
        for name, module in sys.modules.items()
        if name not in SIGNING and (getattr(module, "__file__", None) or "").startswith(str(FUNCTION))
    }
    for name, module in modules.items():
        for thing in vars(module).values():
            members = vars(thing).values() if inspect.isclass(thing) and thing.__module__ == name else [thing]
            for member in members:
                for function in unwrap(member):
                    found[function.__code__] = function
    return {code: function for code, function in found.items() if code.co_filename.startswith(str(FUNCTION))}


def unwrap(member: Any) -> list[FunctionType]:
    """Return the functions behind a member of a module or class."""
    if isinstance(member, property):
        return [part for part in (member.fget, member.fset) if isinstance(part, FunctionType)]
    if isinstance(member, (classmethod, staticmethod)):
        member = member.__func__
    if isinstance(member, functools.cached_property):
        member = member.func
    member = inspect.unwrap(member) if callable(member) else member
    return [member] if isinstance(member, FunctionType) else []


def run_through(pipeline: Pipeline, key: str) -> set[CodeType]:
    """Return the code that an event about this object runs."""
    seen = set()

    def profile(frame: Any, event: str, _: object) -> None:
        if event == "call":
            seen.add(frame.f_code)

    threading.setprofile(profile)
    sys.setprofile(profile)
    try:
        pipeline.send(key)
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    return seen


@contextmanager
def break_function(function: FunctionType) -> Iterator[None]:
    """Make a function raise in every module that imported it."""
    code = function.__code__
    function.__code__ = fail.__code__.replace(co_freevars=code.co_freevars)
    try:
        yield
    finally:
        function.__code__ = code


def find_fault(pipeline: Pipeline, caplog: pytest.LogCaptureFixture, key: str) -> str:
    """Return how an event with an injected error ended, or nothing if it failed as it should."""
    caplog.clear()
    try:
        pipeline.send(key)
    except InjectedError:
        # Lambda's runtime logs the traceback.
        ended = ""
    except IncompleteError:
        logged = [record.exc_info for record in caplog.records if record.message == "failed"]
        ended = "" if any(info and info[0] is InjectedError for info in logged) else "without a traceback in the log"
    else:
        ended = "as a success"
    return "as a rejection" if pipeline.is_recorded() else ended


def test_an_exception_in_any_function_fails_the_event(pipeline: Pipeline, caplog: pytest.LogCaptureFixture) -> None:
    known = find_functions()
    modules = {function.__module__ for function in known.values()}
    # Botocore has already called it, and caches the answer.
    del known[clients.FewServicesLoader.list_available_services.__code__]
    wrong, broken_modules = [], set()
    for key in [*SOURCES, "gone.jpg"]:
        for code in run_through(pipeline, key) & known.keys():
            function = known.pop(code)
            pipeline.is_recorded()
            with break_function(function):
                if how := find_fault(pipeline, caplog, key):
                    wrong.append(f"{function.__module__}.{function.__qualname__} of {key} ended {how}")
            broken_modules.add(function.__module__)
    assert not wrong, "\n".join(wrong)
    assert broken_modules == modules
