"""An authority and the broker's certificate for a first set-up, where a city has none of its own."""

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITY_DAYS = 3_653
CERTIFICATE_DAYS = 825
"""The most that clients of some makers accept."""
_CLOCKS_DIFFER = timedelta(hours=1)
_HOST = re.compile(
    r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*"
)


class CertificateError(Exception):
    """No certificate can be made of what was given; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A certificate and its key, both PEM."""

    certificate: bytes
    key: bytes


def make_authority(now: datetime) -> Pair:
    """An authority that signs certificates of brokers, for ten years.

    Args:
        now: aware.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("Tsuji broker authority")
    usage = _usage(key_cert_sign=True, crl_sign=True)
    built = (
        _begun(name, name, key.public_key(), now, AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
    )
    return _pair(built.sign(key, hashes.SHA256()), key)


def make_certificate(
    authority: Pair, hosts: Sequence[str], now: datetime, days: int = CERTIFICATE_DAYS
) -> Pair:
    """A broker's certificate.

    Args:
        authority: signs it.
        hosts: names and addresses under which clients reach the broker; the first names the certificate.
        now: aware.
        days: for which it is valid.

    Raises:
        CertificateError: where a host can't be one, or the authority's files are none.
    """
    names = [_general_name(one) for one in hosts]
    if not names:
        raise CertificateError("name a host under which clients reach the broker")
    try:
        issuer = x509.load_pem_x509_certificate(authority.certificate)
        issuer_key = serialization.load_pem_private_key(authority.key, password=None)
    except (ValueError, TypeError) as error:
        raise CertificateError(
            f"the authority's certificate or key can't be read: {error}"
        ) from None
    if not isinstance(issuer_key, ec.EllipticCurvePrivateKey):
        raise CertificateError("the authority's key is none that was made here")
    ends = now + timedelta(days=days)
    if ends > issuer.not_valid_after_utc:
        raise CertificateError(
            f"the authority's certificate ends on {issuer.not_valid_after_utc:%Y-%m-%d}, before this "
            f"one would ({ends:%Y-%m-%d}): take fewer days, or make a new authority"
        )
    key = ec.generate_private_key(ec.SECP256R1())
    usage = _usage(digital_signature=True)
    built = (
        _begun(_name(hosts[0][:64]), issuer.subject, key.public_key(), now, days)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()),
            critical=False,
        )
    )
    return _pair(built.sign(issuer_key, hashes.SHA256()), key)


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        if _HOST.fullmatch(host.lower()):
            return x509.DNSName(host.lower())
    raise CertificateError(
        f"{host!r:.100} is no host: give a name such as broker.example.org, or an address"
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _begun(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime, days: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCKS_DIFFER)
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(
    *, digital_signature: bool = False, key_cert_sign: bool = False, crl_sign: bool = False
) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        encipher_only=False,
        decipher_only=False,
    )


def _pair(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Pair:
    return Pair(
        certificate=certificate.public_bytes(serialization.Encoding.PEM),
        key=key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    )
