"""Signs Content Credentials with a key of KMS, or with a private key that Secrets Manager keeps."""

import hashlib
import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from botocore.config import Config

from aws import clients
from aws.settings import SigningKey
from errors import SettingsError

try:
    from imaging.content_credentials import Notary
except ImportError:
    raise SettingsError(
        "CONTENT_CREDENTIALS is set, but this zip can't sign: run `invoke build --c2pa` and `terraform apply`"
    ) from None

PEM = re.compile(r"-----BEGIN ([A-Z ]+)-----.*?-----END \1-----", re.DOTALL)
"""A key or a certificate in a text."""

NUMBER_BYTES = 32
"""Bytes of each of the two numbers of a signature on the curve P-256."""


@dataclass(frozen=True)
class Signing:
    """Signs with the key of the settings.

    Attributes:
        client: A client of KMS or of Secrets Manager.

    """

    key: SigningKey
    client: Any

    @classmethod
    def of(cls, key: SigningKey, config: Config) -> "Signing":
        """Make the client; no request is sent."""
        return cls(key, clients.make_for(key.kms_key_arn or key.secret_arn, config))

    @cached_property
    def notary(self) -> Notary:
        """What signs outputs. A secret is read once in each execution environment.

        Raises:
            SettingsError: The secret has no private key or no certificate.
            botocore.exceptions.BotoCoreError, ClientError: The secret can't be read; a retry may succeed.
            c2pa.C2paError: The key or the certificates are not valid.

        """
        if self.key.kms_key_arn:
            return Notary.with_service(self._sign, self.key.certificate_chain)
        text = self.client.get_secret_value(SecretId=self.key.secret_arn)["SecretString"]
        keys: list[str] = []
        certificates: list[str] = []
        for found in PEM.finditer(text):
            if found[1] == "PRIVATE KEY":
                keys.append(found[0])
            elif found[1] == "CERTIFICATE":
                certificates.append(found[0])
        if len(keys) != 1 or not certificates:
            raise SettingsError(
                f"The secret {self.key.secret_arn} has {len(keys)} private keys and {len(certificates)} certificates: "
                "store one key in PKCS #8 (`openssl pkcs8 -topk8 -nocrypt`) and its certificate chain, in PEM"
            )
        return Notary.with_key(keys[0], "\n".join(certificates))

    def _sign(self, data: bytes) -> bytes:
        """Return the signature of data as two numbers: KMS returns them in DER (RFC 3279, 2.2.3)."""
        response = self.client.sign(
            KeyId=self.key.kms_key_arn,
            Message=hashlib.sha256(data).digest(),
            MessageType="DIGEST",
            SigningAlgorithm="ECDSA_SHA_256",
        )
        return to_raw(response["Signature"])


def to_raw(der: bytes) -> bytes:
    """Return the two numbers of a signature in DER, 32 bytes each."""
    # A sequence of two integers. Each has a type, a length and at most 33 bytes; the first byte may be zero.
    end = 4 + der[3]
    numbers = der[4:end], der[end + 2 :]
    return b"".join(int.from_bytes(number, "big").to_bytes(NUMBER_BYTES, "big") for number in numbers)
