"""Signed Content Credentials: the library's own verifier, libvips and exiftool read the outputs of every format."""

import contextlib
import importlib
import io
import json
import struct
import sys
import threading
import zlib
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import boto3
import c2pa
import pytest
import pyvips
from botocore.config import Config
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives import serialization
from moto import mock_aws
from PIL.PngImagePlugin import PngInfo

from aws.settings import SigningKey
from aws.signing import Signing, to_raw
from errors import RejectedError, SettingsError
from imaging.content_credentials import Notary
from imaging.formats import ENCODERS, FORMATS, inspect
from imaging.limits import Limits
from imaging.records import Provenance
from imaging.render import Output, render
from renditions import Rendition
from tests.certificates import Authority, make_kms_key, make_private_key
from tests.images import encode, encode_oriented, load, picture
from tests.judges.exiftool import Exiftool
from tests.unit.conftest import ENVIRONMENT, REGION
from tools.local.aws.moto_patches import sign_digests

AUTHORITY = Authority()
PRIVATE_KEY, PRIVATE_PEM = make_private_key()
TRADITIONAL_PEM = PRIVATE_KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
).decode()
CHAIN = AUTHORITY.chain(PRIVATE_KEY.public_key())
ROOT = AUTHORITY.root

AI = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"

MEDIA_TYPES = {name: f"image/{name.lower()}" for name in ("JPEG", "PNG", "WEBP", "AVIF", "TIFF", "GIF")}

sign_digests()

SEVERAL = {"save_all": True, "append_images": [picture().rotate(90 * turn) for turn in (1, 2)]}
SOURCES = {name: encode(picture(), name) for name in MEDIA_TYPES} | {
    f"{name} of 3": encode(picture(), name, **SEVERAL) for name in ("PNG", "WEBP", "AVIF", "GIF")
}


def sign_source(body: bytes, media_type: str, set_up: Callable[[Any], object] = lambda _: None) -> bytes:
    """Sign a source as an AI would, with the manifest in the file."""
    action = {"action": "c2pa.created", "digitalSourceType": AI}
    builder = c2pa.Builder({"assertions": [{"label": "c2pa.actions.v2", "data": {"actions": [action]}}]})
    set_up(builder)
    target = io.BytesIO()
    info = c2pa.C2paSignerInfo(b"es256", CHAIN.encode(), PRIVATE_PEM.encode(), None)
    builder.sign(c2pa.Signer.from_info(info), media_type, io.BytesIO(body), target)
    return target.getvalue()


def read(output: Output) -> Any:
    """Read the manifests of an output, with the test's root as the only trusted one."""
    settings = {"trust": {"user_anchors": ROOT}, "verify": {"verify_trust": True}}
    context = c2pa.Context.from_dict(settings)
    return c2pa.Reader(output.content_type, io.BytesIO(output.body), context=context)


def list_actions(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    (found,) = (one["data"]["actions"] for one in manifest["assertions"] if one["label"] == "c2pa.actions.v2")
    return list(found)


def name_actions(manifest: dict[str, Any]) -> list[str]:
    return [action["action"].removeprefix("c2pa.") for action in list_actions(manifest)]


@pytest.fixture(scope="module")
def notary() -> Notary:
    return Notary.with_key(PRIVATE_PEM, CHAIN)


def render_signed(source: bytes, notary: Notary, **options: Any) -> Output:
    size: dict[str, Any] = {} if options.keys() & {"scale", "width"} else {"scale": 0.5}
    rendered = render(source, [Rendition("r", **size, **options)], limits=Limits(1 << 30), notary=notary)
    return rendered.outputs[0]


@pytest.mark.parametrize("name", SOURCES)
def test_a_signed_output_is_trusted_and_its_parent_is_the_source(name: str, notary: Notary) -> None:
    output = render_signed(SOURCES[name], notary)
    reader = read(output)
    assert reader.get_validation_state() == "Trusted"
    manifest = reader.get_active_manifest()
    assert [info["name"] for info in manifest["claim_generator_info"]] == ["image-resize"]
    (parent,) = manifest["ingredients"]
    assert (parent["relationship"], parent["format"]) == ("parentOf", MEDIA_TYPES[name.partition(" ")[0]])
    assert name_actions(manifest) == ["opened", "resized"]
    assert list_actions(manifest)[0]["parameters"]["ingredients"]
    assert output.lost == ()


@pytest.mark.parametrize("name", MEDIA_TYPES)
@pytest.mark.parametrize("to", [None, "jpeg", "png", "webp", "avif"])
def test_the_source_s_manifests_and_its_ai_label_are_kept(name: str, to: str | None, notary: Notary) -> None:
    source = sign_source(SOURCES[name], MEDIA_TYPES[name])
    output = render_signed(source, notary, format=to)
    reader = read(output)
    assert reader.get_validation_state() == "Trusted"
    manifest = reader.get_active_manifest()
    (parent,) = manifest["ingredients"]
    assert list_actions(reader.get_manifest(parent["active_manifest"]))[0]["digitalSourceType"] == AI
    assert list_actions(manifest)[0]["digitalSourceType"] == AI
    is_converted = to is not None and to.upper() != name
    assert name_actions(manifest) == ["opened", "resized", *(["transcoded"] if is_converted else [])]
    assert output.lost == ()


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF"])
def test_an_ai_label_in_xmp_is_in_the_manifest(name: str, notary: Notary) -> None:
    source = encode(picture(), name, **xmp_options(name, f'Iptc4xmpExt:DigitalSourceType="{AI}"'))
    output = render_signed(source, notary)
    assert list_actions(read(output).get_active_manifest())[0]["digitalSourceType"] == AI


def test_another_text_is_no_label(notary: Notary) -> None:
    source = encode(picture(), **xmp_options("JPEG", 'Iptc4xmpExt:DigitalSourceType="made by me"'))
    assert "digitalSourceType" not in list_actions(read(render_signed(source, notary)).get_active_manifest())[0]


def xmp_options(name: str, attribute: str) -> dict[str, Any]:
    """Return the encoder's options for XMP with one property."""
    packet = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" '
        f"{attribute}/></rdf:RDF></x:xmpmeta>"
    )
    if name == "PNG":
        info = PngInfo()
        info.add_itxt("XML:com.adobe.xmp", packet)
        return {"pnginfo": info}
    return {"tiffinfo": {700: packet.encode()}} if name == "TIFF" else {"xmp": packet.encode()}


def test_pages_of_a_tiff_are_kept_without_a_signature(notary: Notary) -> None:
    source = sign_source(encode(picture(), "TIFF", **SEVERAL), "image/tiff")
    output = render_signed(source, notary)
    assert load(output.body).n_frames == 3  # type: ignore[attr-defined]
    assert [loss.what for loss in output.lost] == ["content_credentials"]
    assert read(render_signed(source, notary, format="png")).get_validation_state() == "Trusted"


def test_a_label_of_an_earlier_manifest_is_found(notary: Notary) -> None:
    first = render_signed(sign_source(SOURCES["PNG"], "image/png"), notary)
    builder = c2pa.Builder({"assertions": []})
    builder.add_ingredient({"relationship": "parentOf"}, "image/png", io.BytesIO(first.body))
    target = io.BytesIO()
    builder.set_intent(c2pa.C2paBuilderIntent.EDIT)
    builder.sign(notary.signer, "image/png", io.BytesIO(first.body), target)
    second = render_signed(target.getvalue(), notary)
    assert list_actions(read(second).get_active_manifest())[0]["digitalSourceType"] == AI


@pytest.mark.parametrize("name", sorted(SOURCES.keys() - {"AVIF of 3"}))
def test_libvips_sees_the_same_pixels_as_without_a_signature(name: str, notary: Notary) -> None:
    plain = render(SOURCES[name], [Rendition("r", scale=0.5)], limits=Limits(1 << 30)).outputs[0]
    signed = render_signed(SOURCES[name], notary)
    assert len(signed.body) > len(plain.body)
    one, other = (pyvips.Image.new_from_buffer(output.body, "") for output in (plain, signed))
    assert one.write_to_memory() == other.write_to_memory()


def test_exiftool_finds_the_manifest(notary: Notary, exiftool: Exiftool) -> None:
    found = exiftool.read({"signed": render_signed(SOURCES["JPEG"], notary).body})["signed"]
    assert any("JUMBF" in name or "JUMD" in name for name in found), sorted(found)


@pytest.mark.parametrize(
    ("options", "actions"),
    [
        ({"width": 100, "height": 100, "fit": "cover"}, ["opened", "cropped", "resized"]),
        ({"width": 300, "height": 320, "fit": "contain"}, ["opened", "resized"]),
        ({"scale": 1}, ["opened", "transcoded"]),
        ({"scale": 1, "format": "webp"}, ["opened", "transcoded"]),
        ({"width": 240, "height": 320}, ["opened", "transcoded"]),
    ],
)
def test_the_actions_say_what_was_done(options: dict[str, Any], actions: list[str], notary: Notary) -> None:
    source = encode_oriented(picture(240, 320), 6, "JPEG")
    assert name_actions(read(render_signed(source, notary, **options)).get_active_manifest()) == actions


def test_a_bitmap_holds_no_manifest(notary: Notary) -> None:
    output = render_signed(encode(picture(), "BMP"), notary)
    assert load(output.body).size == (160, 120)
    assert b"jumb" not in output.body
    converted = render_signed(encode(picture(), "BMP"), notary, format="png")
    assert read(converted).get_validation_state() == "Trusted"


@pytest.mark.parametrize("name", MEDIA_TYPES)
@pytest.mark.parametrize(
    "break_it",
    [
        pytest.param(lambda body: body.replace(b"jumdc2ma", b"jumdc2mb"), id="no manifest in the store"),
        pytest.param(lambda body: body.replace(b"c2pa.claim.v2", b"c2pa.clbim.v2"), id="no claim"),
        pytest.param(lambda body: body.replace(b"c2pa.signature", b"c2pa.sjgnature"), id="no signature"),
        pytest.param(lambda body: body.replace(b"jumbf=c2pa.assertions", b"jumbf=c2pa.bssertions"), id="no assertions"),
    ],
)
def test_a_damaged_manifest_does_not_keep_an_image_from_being_resized(
    name: str, break_it: Callable[[bytes], bytes], notary: Notary
) -> None:
    source = sign_source(SOURCES[name], MEDIA_TYPES[name])
    damaged = break_it(source)
    assert damaged != source
    # A PNG's reader needs right checksums.
    damaged = correct_checksum(damaged) if name == "PNG" else damaged
    output = render_signed(damaged, notary)
    reader = read(output)
    assert reader.get_validation_state() in {"Valid", "Trusted"}
    (parent,) = reader.get_active_manifest()["ingredients"]
    assert parent["relationship"] == "parentOf"
    assert [loss.what for loss in output.lost] == ([] if "active_manifest" in parent else ["content_credentials"])


def correct_checksum(png: bytes) -> bytes:
    """Return a PNG with the right checksum of its manifest store."""
    at = png.index(b"caBX")
    end = at + 4 + struct.unpack(">I", png[at - 4 : at])[0]
    return png[:end] + struct.pack(">I", zlib.crc32(png[at:end])) + png[end + 4 :]


def test_a_manifest_elsewhere_is_not_fetched(notary: Notary) -> None:
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()

        def refer(builder: Any) -> None:
            builder.set_no_embed()
            builder.set_remote_url(f"http://127.0.0.1:{server.server_port}/manifest")

        source = sign_source(SOURCES["JPEG"], "image/jpeg", refer)
        # The library would fetch it by default.
        with contextlib.suppress(c2pa.C2paError):
            c2pa.Reader("image/jpeg", io.BytesIO(source))
        assert asked
        asked.clear()
        output = render_signed(source, notary)
        server.shutdown()
    assert asked == []
    assert read(output).get_validation_state() == "Trusted"


def test_lack_of_memory_is_found_out_before_the_library_runs(notary: Notary, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def refuse(byte_count: int) -> None:
        asked.append(byte_count)
        raise MemoryError

    monkeypatch.setattr("imaging.content_credentials.memory.require", refuse)
    with pytest.raises(RejectedError, match="too_large"):
        render_signed(SOURCES["JPEG"], notary)
    assert asked[0] > 3 * len(SOURCES["JPEG"])


def test_a_manifest_that_unpacks_to_far_more_is_left_out(notary: Notary) -> None:
    context = c2pa.Context.from_dict(
        {"core": {"prefer_compress_manifests": True}, "verify": {"verify_after_sign": False}}
    )
    builder = c2pa.Builder({"thumbnail": {"format": "image/jpeg", "identifier": "bomb"}, "assertions": []}, context)
    builder.add_resource("bomb", io.BytesIO(bytes(9 << 20)))
    target = io.BytesIO()
    builder.sign(notary.signer, "image/png", io.BytesIO(SOURCES["PNG"]), target)
    assert len(target.getvalue()) < 50_000
    output = render_signed(target.getvalue(), notary)
    assert [loss.what for loss in output.lost] == ["content_credentials"]
    assert read(output).get_validation_state() == "Trusted"


def test_the_library_reads_and_writes_all_formats_that_hold_manifests() -> None:
    read, written = map(set, (c2pa.Reader.get_supported_mime_types(), c2pa.Builder.get_supported_mime_types()))
    assert {one.media_type for one in FORMATS.values()} - read == {"image/bmp"}
    assert {one.media_type for one in ENCODERS.values() if one.has_content_credentials} <= written


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws():
        yield


def make_signing_key(days: int = 30) -> SigningKey:
    arn, public_key = make_kms_key(boto3.client("kms", REGION))
    return SigningKey(kms_key_arn=arn, certificate_chain=AUTHORITY.chain(public_key, days))


def make_secret(text: str) -> SigningKey:
    secrets: Any = boto3.client("secretsmanager", REGION)
    return SigningKey(secret_arn=secrets.create_secret(Name="signer", SecretString=text)["ARN"])


@pytest.mark.usefixtures("account")
def test_a_key_of_kms_signs() -> None:
    signing = Signing.of(make_signing_key(), Config())
    for _ in range(8):
        # The numbers of a signature have different lengths in DER.
        assert read(render_signed(SOURCES["JPEG"], signing.notary)).get_validation_state() == "Trusted"


@pytest.mark.usefixtures("account")
def test_a_secret_is_read_once_and_its_key_signs() -> None:
    signing = Signing.of(make_secret(CHAIN + PRIVATE_PEM), Config())
    first = render_signed(SOURCES["PNG"], signing.notary)
    boto3.client("secretsmanager", REGION).delete_secret(
        SecretId=signing.key.secret_arn, ForceDeleteWithoutRecovery=True
    )
    second = render_signed(SOURCES["WEBP"], signing.notary)
    assert [read(one).get_validation_state() for one in (first, second)] == ["Trusted", "Trusted"]


@pytest.mark.usefixtures("account")
def test_a_refusal_of_kms_fails_the_event_with_kms_s_own_error() -> None:
    signing = Signing.of(make_signing_key(), Config())
    sign = signing.client.sign
    refusal = ClientError({"Error": {"Code": "ThrottlingException", "Message": "slow down"}}, "Sign")
    signing.client.sign = Mock(side_effect=refusal)
    with pytest.raises(ClientError, match="ThrottlingException"):
        render_signed(SOURCES["JPEG"], signing.notary)
    signing.client.sign = sign
    # A later failure has its own error.
    with pytest.raises(c2pa.C2paError):
        signing.notary.sign(b"no image", "image/png", Provenance(inspect(SOURCES["JPEG"]), "", []))
    assert read(render_signed(SOURCES["JPEG"], signing.notary)).get_validation_state() == "Trusted"


@pytest.mark.usefixtures("account")
def test_an_expired_certificate_fails_the_event() -> None:
    signing = Signing.of(make_signing_key(days=-1), Config())
    with pytest.raises(c2pa.C2paError):
        render_signed(SOURCES["JPEG"], signing.notary)


@pytest.mark.usefixtures("account")
@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "password",
            r"has 0 private keys and 0 certificates: store one key in PKCS #8 \(`openssl pkcs8 -topk8 -nocrypt`\)",
        ),
        (CHAIN, "has 0 private keys and 1 certificates"),
        # The library does not read the traditional format.
        (CHAIN + TRADITIONAL_PEM, "has 0 private keys and 1 certificates"),
        (PRIVATE_PEM, "has 1 private keys and 0 certificates"),
        (PRIVATE_PEM + PRIVATE_PEM + CHAIN, "has 2 private keys and 1 certificates"),
    ],
    # The key differs in each process.
    ids=["no PEM", "no key", "no PKCS 8", "no certificate", "two keys"],
)
def test_a_secret_without_a_key_or_certificates_is_explained(text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        Signing.of(make_secret(text), Config()).notary  # noqa: B018 - reading it is the test


@pytest.mark.parametrize(
    ("der", "r", "s"),
    [
        ("3006020101020102", 1, 2),
        ("3008020200ff02020100", 255, 256),
        ("3024022000" + "ff" * 31 + "0200", int("ff" * 31, 16), 0),
        ("3046022100" + "ff" * 32 + "022100" + "80" * 32, int("ff" * 32, 16), int("80" * 32, 16)),
    ],
)
def test_a_signature_becomes_two_numbers_of_32_bytes(der: str, r: int, s: int) -> None:
    assert to_raw(bytes.fromhex(der)) == r.to_bytes(32, "big") + s.to_bytes(32, "big")


@pytest.mark.usefixtures("account")
def test_the_function_signs_what_it_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    key = make_signing_key()
    s3: Any = boto3.client("s3", REGION)
    for bucket in (ENVIRONMENT["SOURCE_BUCKET"], ENVIRONMENT["DESTINATION_BUCKET"]):
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket=ENVIRONMENT["SOURCE_BUCKET"], Key="cake.jpg", Body=SOURCES["JPEG"])
    chosen = {"kms_key_arn": key.kms_key_arn, "certificate_chain": key.certificate_chain}
    for name, value in (ENVIRONMENT | {"CONTENT_CREDENTIALS": json.dumps(chosen)}).items():
        monkeypatch.setenv(name, value)
    event = json.loads((Path(__file__).parents[2] / "events" / "put.json").read_text())
    event["Records"][0]["s3"]["bucket"]["name"] = ENVIRONMENT["SOURCE_BUCKET"]
    event["Records"][0]["s3"]["object"]["key"] = "cake.jpg"
    module = importlib.import_module("lambda_function")
    try:
        module.lambda_handler(event, Context())
    finally:
        del sys.modules["lambda_function"]
    response = s3.get_object(Bucket=ENVIRONMENT["DESTINATION_BUCKET"], Key="resized-cake.jpg")
    output = Output(response["Body"].read(), response["ContentType"], 0, 0)
    assert read(output).get_validation_state() == "Trusted"
    unsigned = Rendition("resized", scale=0.5).digest("copyright")
    assert response["Metadata"]["resized-by"] == Rendition("resized", scale=0.5).digest("copyright", is_signed=True)
    assert response["Metadata"]["resized-by"] != unsigned


class Context:
    """The context that Lambda passes with the event."""

    def get_remaining_time_in_millis(self) -> int:
        return 60_000
