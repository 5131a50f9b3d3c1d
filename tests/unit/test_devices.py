"""The files of a broker for real use: certificates that clients check, and secrets that only their owner
reads."""

import json
import ssl
import stat
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath

import pytest
from click.testing import Result
from cryptography import x509
from typer.testing import CliRunner

from tsuji.devices import app
from tsuji_platform.devices.certificates import (
    CertificateError,
    make_authority,
    make_certificate,
)
from tsuji_platform.devices.folder import (
    BrokerFolderError,
    Places,
    make_folder,
    renew_certificate,
)
from tsuji_platform.devices.passwords import make_password
from tsuji_platform.devices.rights import RIGHTS, Role, check_name, role_document
from tsuji_platform.settings import describe

_NOW = datetime.now(UTC)
_PLACES = Places(folder=PurePosixPath("/broker"), plugins=PurePosixPath("/usr/lib"))


def _names(certificate: bytes) -> x509.SubjectAlternativeName:
    found = x509.load_pem_x509_certificate(certificate)
    return found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value


def test_a_certificate_is_for_the_hosts_that_were_named() -> None:
    made = make_certificate(make_authority(_NOW), ["Broker.Example.org", "10.0.0.5", "::1"], _NOW)
    names = _names(made.certificate)
    assert names.get_values_for_type(x509.DNSName) == ["broker.example.org"]
    assert [str(one) for one in names.get_values_for_type(x509.IPAddress)] == ["10.0.0.5", "::1"]


@pytest.mark.parametrize("host", ["", "two words", "*.example.org", "http://host", "a" * 64, "-a"])
def test_what_is_no_host_is_refused_with_its_value(host: str) -> None:
    with pytest.raises(CertificateError, match="is no host"):
        make_certificate(make_authority(_NOW), [host], _NOW)


def test_no_certificate_outlives_its_authority() -> None:
    authority = make_authority(_NOW - timedelta(days=3_650))
    with pytest.raises(CertificateError, match="ends on"):
        make_certificate(authority, ["host"], _NOW, 30)


def _files(folder: Path) -> Iterator[tuple[str, int]]:
    for path in folder.rglob("*"):
        if path.is_file():
            yield str(path.relative_to(folder)), stat.S_IMODE(path.stat().st_mode)


def test_a_folder_holds_its_secrets_closed_and_what_clients_need_open(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "hub"
    make_folder(folder, ["broker.example.org"], _PLACES, _NOW)
    assert dict(_files(folder)) == {
        "broker/mosquitto.conf": 0o644,
        "broker/tls/ca.crt": 0o644,
        "broker/tls/server.crt": 0o644,
        "broker/tls/server.key": 0o600,
        "broker/data/dynamic-security.json": 0o600,
        "private/ca.key": 0o600,
        "private/admin.password": 0o600,
        "private/ingest.password": 0o600,
    }
    modes = {"private": 0o700, "broker": 0o755, "broker/tls": 0o755, "broker/data": 0o700}
    assert {name: stat.S_IMODE((folder / name).stat().st_mode) for name in modes} == modes
    for name in ("admin", "ingest"):
        password = (folder / "private" / f"{name}.password").read_text().strip()
        for file, _ in _files(folder / "broker"):
            assert password not in (folder / "broker" / file).read_text()
    assert list(folder.parent.iterdir()) == [folder], "no draft is left"


def test_a_folder_is_made_whole_or_not_at_all(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("mine")
    (tmp_path / "file").write_text("mine")
    for name in ("full", "file"):
        with pytest.raises(BrokerFolderError, match="is there already"):
            make_folder(tmp_path / name, ["host"], _PLACES, _NOW)
    with pytest.raises(CertificateError):
        make_folder(tmp_path / "new", ["no host"], _PLACES, _NOW)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "full"]


def test_a_new_certificate_is_of_the_same_authority(tmp_path: Path) -> None:
    folder = tmp_path / "hub"
    make_folder(folder, ["old.example.org"], _PLACES, _NOW)
    tls = folder / "broker" / "tls"
    before = {name: (tls / name).read_bytes() for name in ("ca.crt", "server.crt", "server.key")}
    renew_certificate(folder, ["new.example.org"], _NOW)
    assert (tls / "ca.crt").read_bytes() == before["ca.crt"]
    assert (tls / "server.key").read_bytes() != before["server.key"]
    names = _names((tls / "server.crt").read_bytes())
    assert names.get_values_for_type(x509.DNSName) == ["new.example.org"]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls / "server.crt", tls / "server.key")  # they fit
    assert stat.S_IMODE((tls / "server.key").stat().st_mode) == 0o600
    with pytest.raises(BrokerFolderError, match=r"ca\.crt"):
        renew_certificate(tmp_path / "nowhere", ["host"], _NOW)


def test_passwords_are_long_and_never_the_same() -> None:
    made = {make_password() for _ in range(200)}
    assert len(made) == 200
    assert all(len(one) == 32 and not one.startswith("-") for one in made)


@pytest.mark.parametrize("name", ["", "a/b", "+", "#", "%u", "a b", "ü", "-a", "admin", "x" * 65])
@pytest.mark.parametrize("role", [Role.THING, Role.READER])
def test_a_name_that_could_mean_more_than_itself_is_refused(name: str, role: Role) -> None:
    with pytest.raises(ValueError, match=r"must be|manages"):
        check_name(name, role)


def test_nobody_is_named_like_the_hub_itself() -> None:
    for name in ("tsuji-ingest", "ingest-1"):
        with pytest.raises(ValueError, match="client id"):
            check_name(name, Role.THING)
    assert check_name("tsuji-ingest", Role.INGEST)
    assert check_name("pole:1", Role.THING)


def test_what_a_role_is_sent_is_no_more_than_it_may_subscribe_to() -> None:
    for role, rights in RIGHTS.items():
        assert {one.removeprefix("$share/+/") for one in rights.subscribe} == set(rights.receive)
        assert json.dumps(role_document(role))


@pytest.fixture
def tsuji(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Result]:
    """`tsuji devices` without a broker."""
    for name, _, _ in describe():
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TSUJI_HOME", str(tmp_path / "home"))
    return lambda *words: CliRunner().invoke(app, words)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["add", "a/b"], "'a/b'"),
        (["add", "pole-7", "pole-7"], "named twice"),
        (["add", "tsuji-ingest"], "client id"),
        (["add", "pole-7", "--role", "king"], "'king'"),
        (["add"], "NAMES"),
        (["init", "folder"], "--host"),
        (["init", "folder", "--host", "host", "--owner", "no-such-user"], "no-such-user"),
        (
            ["init", "folder", "--host", "host", "--owner", "99999999999:1", "--container"],
            "99999999999",
        ),
        (
            ["init", "folder", "--host", "host", "--owner", "1:4294967295", "--container"],
            "4294967294",
        ),
        (["init", "folder", "--host", "host", "--owner", "987654:1"], "no user 987654"),
    ],
)
def test_wrong_usage_is_said_before_anything_is_done(
    tsuji: Callable[..., Result], tmp_path: Path, words: list[str], said: str
) -> None:
    done = tsuji(*words)
    assert done.exit_code == 2
    assert said.lower() in "".join(done.stderr.lower().split("\n"))
    assert not (tmp_path / "folder").exists()


def test_a_folder_is_made_by_the_command_as_it_says(
    tsuji: Callable[..., Result], tmp_path: Path
) -> None:
    folder = tmp_path / "hub"
    done = tsuji("init", str(folder), "--host", "broker.example.org", "--container", "--json")
    assert done.exit_code == 0, done.output
    files = json.loads(done.stdout)
    assert Path(files["admin"]).read_text().strip()
    assert "/mosquitto/config/tls/server.crt" in Path(files["configuration"]).read_text()
    before = (folder / "broker/tls/server.crt").read_bytes()
    done = tsuji("certificate", str(folder), "--host", "10.0.0.5", "--days", "30")
    assert done.exit_code == 0, done.output
    assert (folder / "broker/tls/server.crt").read_bytes() != before
    ours = tsuji("init", str(tmp_path / "ours"), "--host", "::1")
    assert ours.exit_code == 0, ours.output
    assert "mqtts://[::1]:8883" in ours.stderr
    assert str(tmp_path / "ours" / "broker" / "tls") in (
        (tmp_path / "ours" / "broker" / "mosquitto.conf").read_text()
    )


def test_who_makes_a_folder_without_a_mosquitto_learns_that_its_plugins_are_elsewhere(
    tsuji: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tsuji_platform.runtime.mosquitto.shutil.which", lambda *_, **__: None)
    done = tsuji("init", str(tmp_path / "hub"), "--host", "localhost")
    assert done.exit_code == 0, done.output
    assert "no Mosquitto on this machine" in done.stderr
    in_a_container = tsuji("init", str(tmp_path / "other"), "--host", "localhost", "--container")
    assert "no Mosquitto" not in in_a_container.stderr
