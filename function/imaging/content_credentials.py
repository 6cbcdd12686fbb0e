"""Signs Content Credentials: gives an output a C2PA manifest that names its source as parent, and what was done to it.

Only a zip built with ``--c2pa`` has the library. It is imported only if the settings ask for signatures.
"""

import io
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import c2pa

from imaging import memory
from imaging.losses import NO_CREDENTIALS
from imaging.records import Header, Provenance

SETTINGS = {
    # Anyone may have made the source: its manifest must not make the function open a connection. There is no list of
    # trusted signers here, so the manifest says nothing of the trust in the source's signer.
    "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False, "verify_trust": False, "verify_after_sign": False},
    # A few kilobytes can hold hundreds of megabytes.
    "core": {"max_decompressed_manifest_size_in_mb": 8},
    # A viewer that shows a thumbnail of a thumbnail shows nothing new, and it takes up to 200 kB.
    "builder": {"thumbnail": {"enabled": False}},
}
"""The library's settings."""

GENERATOR, PARENT = "image-resize", "source"
"""The claim generator's name, and the name by which the action ``c2pa.opened`` refers to the source."""

SOURCE_FOLD, OUTPUT_FOLD, MANIFEST_BYTES = 3, 6, 64 << 20
"""The memory that the library takes, as multiples of the source and of the output, where up to 2.3 and 5 were measured;
and for compressed manifests. It ends the process if an allocation fails."""

SOURCE_TYPE = re.compile(r"http://(cv\.iptc\.org/newscodes|c2pa\.org)/digitalsourcetype/\w{1,100}")
"""How an image came to be: IPTC's and C2PA's lists, which tell a photo from an image that an AI made."""


@dataclass(frozen=True)
class Notary:
    """Signs outputs with one key.

    Attributes:
        signer: The library's signer.
        failures: Why the last signature could not be made: the library hides an exception of the function that signs.

    """

    signer: Any
    failures: list[Exception] = field(default_factory=list)
    context: Any = field(default_factory=lambda: c2pa.Context.from_dict(SETTINGS))

    @classmethod
    def with_key(cls, private_key: str, certificate_chain: str) -> "Notary":
        """Sign with a private key.

        Args:
            private_key: A key of the curve P-256, in PEM.
            certificate_chain: The key's certificate and those of its issuers without the root, in PEM.

        Raises:
            c2pa.C2paError: The library does not accept them.

        """
        # Without a timestamp authority, which would be one more service to reach for each output.
        info = c2pa.C2paSignerInfo(b"es256", certificate_chain.encode(), private_key.encode(), None)
        return cls(c2pa.Signer.from_info(info))

    @classmethod
    def with_service(cls, sign: Callable[[bytes], bytes], certificate_chain: str) -> "Notary":
        """Let a service sign.

        Args:
            sign: Returns the ES256 signature of data: the numbers r and s, 32 bytes each (RFC 7518, 3.4).
            certificate_chain: The key's certificate and those of its issuers without the root, in PEM.

        Raises:
            c2pa.C2paError: The library does not accept the certificates.

        """
        failures: list[Exception] = []

        def try_to_sign(data: bytes) -> bytes:
            try:
                return sign(data)
            except Exception as error:  # noqa: BLE001 - raised by the method `sign`
                failures.append(error)
                return b""

        return cls(c2pa.Signer.from_callback(try_to_sign, c2pa.C2paSigningAlg.ES256, certificate_chain), failures)

    def sign(self, body: bytes, media_type: str, provenance: Provenance) -> tuple[bytes, bool]:
        """Return an output with a signed manifest, and whether this contains the manifests of the source.

        Args:
            body: The output.
            media_type: The output's.
            provenance: Where it comes from.

        Raises:
            MemoryError: The memory does not suffice.
            c2pa.C2paError: The library can't sign, as with an expired certificate.
            Exception: Whatever the service raised that signs.

        """
        header = provenance.header
        has_manifests = bool(set(NO_CREDENTIALS) & set(header.losses))
        memory.require(
            SOURCE_FOLD * len(header.source) + OUTPUT_FOLD * len(body) + (MANIFEST_BYTES if has_manifests else 0)
        )
        manifests = self._read_manifests(header) if has_manifests else {}
        opened: dict[str, Any] = {"action": "c2pa.opened", "parameters": {"ingredientIds": [PARENT]}}
        types = (provenance.source_type, *_find_source_types(manifests))
        if source_type := next(filter(SOURCE_TYPE.fullmatch, types), None):
            opened["digitalSourceType"] = source_type
        manifest = {
            "claim_generator_info": [{"name": GENERATOR}],
            "assertions": [
                {
                    "label": "c2pa.actions.v2",
                    "data": {"actions": [opened, *({"action": action} for action in provenance.actions)]},
                }
            ],
        }
        builder, has_source = self._make_builder(manifest, header)
        target = io.BytesIO()
        self.failures.clear()
        try:
            builder.sign(self.signer, media_type, io.BytesIO(body), target)
        except c2pa.C2paError:
            if self.failures:
                raise self.failures[0] from None
            raise
        return target.getvalue(), has_source and bool(manifests)

    def _read_manifests(self, header: Header) -> Mapping[str, Any]:
        """Return the source's manifest store, as the library describes it; empty if it can't be read."""
        try:
            reader = c2pa.Reader.try_create(header.format.media_type, io.BytesIO(header.source), context=self.context)
            return json.loads(reader.json()) if reader else {}
        except c2pa.C2paError:
            return {}

    def _make_builder(self, manifest: Mapping[str, Any], header: Header) -> tuple[Any, bool]:
        """Return a builder of the manifest with the source as parent, and whether the library could read the source."""
        parent = {"relationship": "parentOf", "label": PARENT, "format": header.format.media_type}
        builder = c2pa.Builder(manifest, self.context)
        try:
            builder.add_ingredient(parent, header.format.media_type, io.BytesIO(header.source))
        except c2pa.C2paError:
            # It is stricter than decoders, and refuses a damaged manifest.
            return c2pa.Builder({**manifest, "ingredients": [parent]}, self.context), False
        return builder, True


def _find_source_types(store: Mapping[str, Any]) -> Iterator[str]:
    """Yield how an image came to be, as its manifests say, the newest first.

    Anyone may have written the manifests, and the library passes values on that it does not know.
    """
    manifests: Mapping[str, Any] = store.get("manifests", {})
    label, seen = store.get("active_manifest"), set()
    while isinstance(label, str) and label in manifests and label not in seen:
        seen.add(label)
        for action in _list_actions(manifests[label]):
            if isinstance(action, dict) and isinstance(action.get("digitalSourceType"), str):
                yield action["digitalSourceType"]
        ingredients = manifests[label].get("ingredients", [])
        label = next((one.get("active_manifest") for one in ingredients if one["relationship"] == "parentOf"), None)


def _list_actions(manifest: Mapping[str, Any]) -> Sequence[Any]:
    """Return the entries of a manifest's actions."""
    for assertion in manifest.get("assertions", []):
        match assertion:
            case {"label": "c2pa.actions" | "c2pa.actions.v2", "data": {"actions": [*actions]}}:
                return actions
    return ()
