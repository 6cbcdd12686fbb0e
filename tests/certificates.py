"""Certificates for Content Credentials: a root, and a chain for any public key of the curve P-256."""

import datetime
from dataclasses import dataclass, field
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NO_USAGE = dict.fromkeys(
    (
        *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"),
        *("key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
    ),
    False,
)


def make_private_key() -> tuple[ec.EllipticCurvePrivateKey, str]:
    """Return a key, and the key in PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return key, pem.decode()


def name(common_name: str) -> x509.Name:
    # C2PA requires an organisation.
    return x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Tests"), x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
    )


def make_kms_key(kms: Any) -> tuple[str, ec.EllipticCurvePublicKey]:
    """Make a key for signatures with a client of KMS; return its ARN and its public key."""
    key = kms.create_key(KeyUsage="SIGN_VERIFY", KeySpec="ECC_NIST_P256")["KeyMetadata"]
    public = serialization.load_der_public_key(kms.get_public_key(KeyId=key["KeyId"])["PublicKey"])
    assert isinstance(public, ec.EllipticCurvePublicKey)
    return key["Arn"], public


@dataclass(frozen=True)
class Authority:
    """Issues certificates that C2PA accepts (C2PA 2.1, 14.5)."""

    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: make_private_key()[0])

    @property
    def root(self) -> str:
        """The root certificate in PEM."""
        return self._issue("Root", self.key.public_key(), is_authority=True)

    def chain(self, public_key: ec.EllipticCurvePublicKey, days: int = 30) -> str:
        """Return a signer's certificate in PEM, without the root.

        Args:
            public_key: The signer's.
            days: How long it is valid; negative for a certificate that expired.

        """
        return self._issue("Signer", public_key, days=days)

    def _issue(
        self, common_name: str, public_key: ec.EllipticCurvePublicKey, *, is_authority: bool = False, days: int = 30
    ) -> str:
        now = datetime.datetime.now(datetime.UTC)
        usage = NO_USAGE | ({"key_cert_sign": True, "crl_sign": True} if is_authority else {"digital_signature": True})
        certificate = (
            x509.CertificateBuilder(name("Root"), name(common_name), public_key, x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=90))
            .not_valid_after(now + datetime.timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .add_extension(x509.KeyUsage(**usage), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
        )
        if not is_authority:
            purpose = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])
            certificate = certificate.add_extension(purpose, critical=False)
        return certificate.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()
