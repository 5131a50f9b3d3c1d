"""Who we are at the broker and how the connection is secured, from settings; no password in any text."""

import contextlib
import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from pydantic import ValidationError

from tsuji_platform.devices.certificates import make_authority, make_certificate
from tsuji_platform.settings import BrokerAddress, BrokerSettings, describe
from tsuji_platform.settings_broker import BrokerTls, BrokerTlsError, trouble

_NOW = datetime.now(UTC)


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, _, _ in describe():
        monkeypatch.delenv(name, raising=False)


def _address(monkeypatch: pytest.MonkeyPatch, **given: str) -> BrokerAddress:
    for name, value in given.items():
        monkeypatch.setenv(f"TSUJI_BROKER_{name.upper()}", value)
    settings = BrokerSettings()
    assert settings.broker_url is not None
    return settings.address(settings.broker_url)


def test_user_and_password_come_from_settings_of_their_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "password"
    file.write_text("hunter2\n")
    given = {"url": "mqtt://host", "user": "ingest", "password_file": str(file)}
    assert _address(monkeypatch, **given) == BrokerAddress(
        host="host", port=1883, username="ingest", password="hunter2"
    )


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"url": "mqtt://me:a@host", "user": "me"}, "names a user already"),
        ({"url": "mqtt://me:a@host", "password": "hunter2"}, "holds a password already"),
        ({"url": "mqtt://host", "password": "hunter2"}, "set TSUJI_BROKER_USER"),
        ({"url": "mqtt://host", "ca_file": "/ca.crt"}, "mqtts://"),
        ({"url": "mqtt://host", "certificate_file": "/ca.crt"}, "mqtts://"),
        ({"url": "mqtts://host", "key_file": "/our.key"}, "TSUJI_BROKER_CERTIFICATE_FILE"),
    ],
)
def test_what_contradicts_itself_is_refused(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], said: str
) -> None:
    with pytest.raises(ValidationError, match=said) as refused:
        _address(monkeypatch, **given)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("setting", ["ca_file", "certificate_file"])
@pytest.mark.parametrize("content", [None, "no certificate"], ids=["missing", "other"])
def test_a_file_that_is_no_certificate_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, setting: str, content: str | None
) -> None:
    file = tmp_path / "file.pem"
    if content is not None:
        file.write_text(content)
    with pytest.raises(BrokerTlsError, match=f"TSUJI_BROKER_{setting.upper()}: .*file.pem"):
        _address(monkeypatch, url="mqtts://host", **{setting: str(file)})


def test_a_password_shows_in_no_text() -> None:
    address = BrokerAddress.parse("mqtts://me:hunter2@host")
    assert address.password == "hunter2"
    assert "hunter2" not in f"{address} {address!r}"
    assert str(BrokerAddress.parse("mqtt://me:hunter2@[::1]:9")) == "[::1]:9"


def _refusal(tmp_path: Path, hosts: list[str], trusted: bytes, *, server: bytes, key: bytes) -> str:
    """What a client of ours says of a server with this certificate."""
    for name, octets in {"ca": trusted, "server": server, "key": key}.items():
        (tmp_path / name).write_bytes(octets)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server", tmp_path / "key")
    near, far = socket.socketpair()

    def serve() -> None:
        with far, contextlib.suppress(OSError):
            context.wrap_socket(far, server_side=True).recv(1)

    thread = threading.Thread(target=serve)
    thread.start()
    ours = BrokerTls(ca=tmp_path / "ca").context()
    try:
        with near, pytest.raises(ssl.SSLError) as refused:
            ours.wrap_socket(near, server_hostname=hosts[0])
    finally:
        thread.join()
    return trouble(refused.value)


def test_a_broker_that_is_not_trusted_is_refused_with_what_to_do(tmp_path: Path) -> None:
    ours, other = make_authority(_NOW), make_authority(_NOW)
    made = make_certificate(ours, ["broker.example.org", "127.0.0.1"], _NOW)
    served = {"server": made.certificate, "key": made.key}
    said = _refusal(tmp_path, ["broker.example.org"], other.certificate, **served)
    assert "TSUJI_BROKER_CA_FILE" in said
    for host in ("broker.example.com", "127.0.0.2"):
        said = _refusal(tmp_path, [host], ours.certificate, **served)
        assert "another's" in said
        assert host in said
    for days, problem in ((-9, "has expired"), (9, "is not yet valid")):
        made = make_certificate(ours, ["broker.example.org"], _NOW + timedelta(days=days), 2)
        served = {"server": made.certificate, "key": made.key}
        said = _refusal(tmp_path, ["broker.example.org"], ours.certificate, **served)
        assert problem in said
        assert "Renew it" in said
        assert "TSUJI_BROKER_CA_FILE" not in said


def _own_certificate(folder: Path) -> Path:
    """One for us, signed by itself, with its key in the same file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ingest")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(_NOW - timedelta(days=1))
        .not_valid_after(_NOW + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    file = folder / "own.pem"
    file.write_bytes(
        made.public_bytes(Encoding.PEM)
        + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    return file


def test_a_broker_that_wants_a_certificate_gets_ours(tmp_path: Path) -> None:
    authority = make_authority(_NOW)
    made = make_certificate(authority, ["broker"], _NOW)
    for name, octets in {"ca": authority.certificate, "server": made.certificate}.items():
        (tmp_path / name).write_bytes(octets)
    (tmp_path / "key").write_bytes(made.key)
    own = _own_certificate(tmp_path)
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=own)
    server.verify_mode = ssl.CERT_REQUIRED
    server.load_cert_chain(tmp_path / "server", tmp_path / "key")
    near, far = socket.socketpair()
    names: list[object] = []

    def serve() -> None:
        with server.wrap_socket(far, server_side=True) as accepted:
            names.append(dict(accepted.getpeercert() or {})["subject"])

    thread = threading.Thread(target=serve)
    thread.start()
    context = BrokerTls(ca=tmp_path / "ca", certificate=own).context()
    with context.wrap_socket(near, server_hostname="broker") as line:
        assert line.recv(1) == b""
    thread.join()
    assert names == [((("commonName", "ingest"),),)]


def test_trouble_is_said_in_words() -> None:
    assert trouble(ConnectionRefusedError(111, "Connection refused")) == "Connection refused"
    assert trouble(None) == "it does not answer"
    assert trouble(TimeoutError("timed out")) == "timed out"
