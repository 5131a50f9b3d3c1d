"""Settings come from the environment when asked for; what can't be used is refused without secrets."""

import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from tsuji.mistakes import lines_of
from tsuji_ingest.alerting.service import webhooks
from tsuji_ingest.alerting.webhooks import WebhookError
from tsuji_platform.settings import (
    CONCERNS,
    AlertSettings,
    ApiSettings,
    BrokerAddress,
    BrokerSettings,
    DashboardSettings,
    DatabaseSettings,
    RetentionSettings,
    SharedSecretSettings,
    describe,
)
from tsuji_platform.settings_broker import BrokerTls, BrokerTlsError
from tsuji_platform.settings_files import file_variable, is_secret


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, _, _ in describe():
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("mqtt://broker", BrokerAddress(host="broker", port=1883)),
        ("mqtt://127.0.0.1:1884/", BrokerAddress(host="127.0.0.1", port=1884)),
        ("mqtt://[::1]:1884", BrokerAddress(host="::1", port=1884)),
        (
            "mqtt://us%40er:p%3A%2F%40%23@host:9",
            BrokerAddress(host="host", port=9, username="us@er", password="p:/@#"),
        ),
        ("mqtt://user@host", BrokerAddress(host="host", port=1883, username="user")),
        ("mqtts://host", BrokerAddress(host="host", port=8883, tls=BrokerTls())),
    ],
)
def test_a_broker_address_is_read(url: str, expected: BrokerAddress) -> None:
    assert BrokerAddress.parse(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        "",
        "broker:1883",
        "http://broker",
        "mqttss://broker",
        "mqtt://",
        "mqtt://:1883",
        "mqtt://broker/topic",
        "mqtt://broker:99999",
        "mqtt://broker:eighteen",
        "mqtt://[::1",
    ],
)
def test_what_is_no_broker_address_is_refused_with_what_one_looks_like(url: str) -> None:
    with pytest.raises(ValueError, match="mqtt://user:password@host:1883"):
        BrokerAddress.parse(url)


def test_a_refused_address_without_a_secret_is_quoted() -> None:
    with pytest.raises(ValueError, match="'http://broker:1883'"):
        BrokerAddress.parse("http://broker:1883")


@pytest.mark.parametrize(
    "url",
    [
        "amqp://user:hunter2@host",
        "mqtt://user:hunter2@host:port",
        "mqtt://user:hunter2@ho@st/x",
        "mqtt://user:hun/hunter2@host",
        "mqtt://user:x#hunter2@host",
        "mqtt://user:x?hunter2@host",
        "mqtt://user:@hunter2@:1",
        "mqtt:user:hunter2@host",
        "user:hunter2@host",
        "mqtt://user:hunter2",
        "mqtt://user:hunter2/",
        "mqtt://user:1?hunter2@host",
        "mqtt://user:1#hunter2@host",
    ],
)
def test_a_refused_address_does_not_show_its_password(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match="broker address") as refused:
        BrokerAddress.parse(url)
    assert "hunter2" not in str(refused.value)
    monkeypatch.setenv("TSUJI_BROKER_URL", url)
    with pytest.raises(ValidationError) as invalid:
        BrokerSettings()
    assert "hunter2" not in invalid.value.errors()[0]["msg"]


def test_settings_are_read_when_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ApiSettings().api_port == 8000
    monkeypatch.setenv("TSUJI_API_PORT", "8123")
    assert ApiSettings().api_port == 8123
    monkeypatch.setenv("TSUJI_DATABASE_URL", "postgresql://somewhere/db")
    assert DatabaseSettings().database_url == "postgresql://somewhere/db"


def test_the_data_apis_address_may_be_of_ipv6(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TSUJI_API_URL", "http://[2001:db8::1]:8000")
    assert DashboardSettings().api_url == "http://[2001:db8::1]:8000"
    monkeypatch.setenv("TSUJI_API_URL", "user:hunter2@hub")
    with pytest.raises(ValidationError) as refused:
        DashboardSettings()
    (line,) = lines_of(refused.value)
    assert "http://[::1]:8000" in line
    assert "hunter2" not in line


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TSUJI_API_PORT", "0"),
        ("TSUJI_API_PORT", "65536"),
        ("TSUJI_API_PORT", "eight"),
        ("TSUJI_INGEST_BATCH", "0"),
        ("TSUJI_INGEST_WAIT_MS", "-1"),
        ("TSUJI_INGEST_ID", "with space"),
        ("TSUJI_INGEST_ID", ""),
        ("TSUJI_LOG_LEVEL", "loud"),
        ("TSUJI_HISTORY_DAYS", "61"),
        ("TSUJI_HISTORY_DAYS", "nan"),
        ("TSUJI_SIMULATE", "perhaps"),
        ("TSUJI_API_URL", "::1"),
        ("TSUJI_API_URL", "localhost:8000"),
        ("TSUJI_API_URL", "http://::1:8000"),
        ("TSUJI_API_URL", "http://[::1"),
        ("TSUJI_API_URL", "https://"),
        ("TSUJI_API_URL", " http://127.0.0.1:8000"),
        ("TSUJI_API_URL", "http://127.0.0.1:8000\n"),
        ("TSUJI_API_URL", "http://my hub"),
    ],
)
def test_bad_values_are_refused(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    (concern,) = (c for c in CONCERNS if name.removeprefix("TSUJI_").lower() in c.model_fields)
    with pytest.raises(ValidationError) as invalid:
        concern()
    assert f"TSUJI_{invalid.value.errors()[0]['loc'][0]}".upper() == name


@pytest.mark.parametrize(
    ("value", "days"), [("30", 30), ("1.5", 1.5), ("30d", 30), ("P2W", 14), ("36h", 1.5)]
)
def test_days_are_numbers_or_lengths_of_time(
    value: str, days: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TSUJI_RAW_DAYS", value)
    assert RetentionSettings().raw_days == days
    monkeypatch.setenv("TSUJI_QUERY_SECONDS", "PT30S")
    assert ApiSettings().query_seconds == 30


def test_every_setting_has_a_name_of_its_own_and_a_meaning() -> None:
    rows = describe()
    names = [name for name, _, _ in rows]
    fields = [field for c in CONCERNS for field in c.model_fields.values()]
    assert len(names) == len(set(names)) == len(fields) + sum(map(is_secret, fields))
    assert all(meaning for _, _, meaning in rows)
    assert ("TSUJI_API_PORT", "8000", "port of the data API") in rows
    assert "TSUJI_BROKER_URL" in names


def test_settings_do_not_change(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValidationError):
        ApiSettings().api_port = 1


SECRETS = [
    (concern, name)
    for concern in CONCERNS
    for name, field in concern.model_fields.items()
    if is_secret(field)
]


def test_whatever_may_hold_a_secret_may_be_given_as_a_file() -> None:
    names = {name for _, name in SECRETS}
    assert names >= {"database_url", "broker_url", "webhook_secret", "dashboard_key"}
    suspicious = {
        name
        for concern in CONCERNS
        for name, field in concern.model_fields.items()
        if name.endswith(("_secret", "_key", "_password", "_token")) or "SecretStr" in f"{field!r}"
    }
    assert suspicious <= names


@pytest.mark.parametrize(("concern", "name"), SECRETS, ids=lambda it: str(it))
def test_a_secret_comes_from_its_file_and_is_not_shown(
    concern: type, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = {
        "database_url": "postgresql://tsuji:hunter2@host/db",
        "database_read_url": "postgresql://tsuji:hunter2@host/db",
        "broker_url": "mqtt://tsuji:hunter2@host",
    }.get(name, "hunter2-hunter2-hunter2-hunter2")
    monkeypatch.setenv(f"TSUJI_{name.upper()}_FILE", str(tmp_path / "secret"))
    for written in (f"{secret}\n", f"\ufeff{secret}\r\n"):
        (tmp_path / "secret").write_text(written, encoding="utf-8")
        settings = concern()
        held = getattr(settings, name)
        assert getattr(held, "get_secret_value", lambda held=held: held)() == secret
        assert "hunter2" not in f"{settings!r} {settings}"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "can't be read"),
        (b"", "is empty"),
        (b"\r\n", "is empty"),
        (b"hunter2 \xff", "no UTF-8"),
        (b"hunter2-hunter2-hunter2\n# old: hunter2\n", "more than one line"),
        (b"hunter2-hunter2\0-hunter2\n", "NUL"),
        (b"hunter2" * 10_000, "longer than 65,536 bytes"),
        (b"hunter2", "take 16 characters or more"),
    ],
)
def test_a_secret_that_cannot_be_had_is_told_by_name_and_never_quoted(
    content: bytes | None, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "key"
    if content is not None:
        file.write_bytes(content)
    monkeypatch.setenv("TSUJI_DASHBOARD_KEY_FILE", str(file))
    with pytest.raises(ValidationError) as refused:
        SharedSecretSettings()
    (line,) = lines_of(refused.value)
    assert line.startswith("TSUJI_DASHBOARD_KEY: ")
    assert said in line
    assert "hunter2" not in f"{line} {refused.value} {refused.value!r}"


def test_a_secret_is_not_waited_for_where_its_file_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "pipe")  # into which nobody writes
    for odd in (tmp_path / "pipe", tmp_path, Path("/dev/zero"), Path("/dev/null")):
        (tmp_path / "link").unlink(missing_ok=True)
        (tmp_path / "link").symlink_to(odd)
        monkeypatch.setenv("TSUJI_DASHBOARD_KEY_FILE", str(tmp_path / "link"))
        with pytest.raises(
            ValidationError, match=r"no ordinary file: name one, not a pipe|Is a dir"
        ):
            SharedSecretSettings()
        with pytest.raises(WebhookError, match=r"URLS_FILE: .*(no ordinary file|Is a dir)"):
            webhooks(AlertSettings(webhook_urls_file=odd))
        for tls in (BrokerTls(ca=odd), BrokerTls(certificate=odd)):
            with pytest.raises(BrokerTlsError, match="no ordinary file"):
                tls.context()
    data = tmp_path / "..2026"  # as Kubernetes mounts a secret
    data.mkdir()
    (data / "key").write_text("hunter2-hunter2-hunter2\n")
    (tmp_path / "..data").symlink_to(data.name)
    (tmp_path / "key").symlink_to("..data/key")
    monkeypatch.setenv("TSUJI_DASHBOARD_KEY_FILE", str(tmp_path / "key"))
    assert SharedSecretSettings().dashboard_key is not None


OPTIONAL = [
    (concern, name)
    for concern in CONCERNS
    for name, field in concern.model_fields.items()
    if field.default is None
]


@pytest.mark.parametrize(("concern", "name"), OPTIONAL, ids=lambda it: str(it))
def test_an_optional_setting_that_is_empty_is_not_set(
    concern: type, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"TSUJI_{name.upper()}", "")
    settings = concern()
    assert getattr(settings, name) is None
    assert name not in settings.model_fields_set


def test_a_secret_is_not_given_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "key").write_text("hunter2-hunter2-hunter2")
    monkeypatch.setenv("TSUJI_DASHBOARD_KEY_FILE", str(tmp_path / "key"))
    monkeypatch.setenv("TSUJI_DASHBOARD_KEY", "hunter2-hunter2-hunter2")
    with pytest.raises(ValidationError, match=file_variable("TSUJI_DASHBOARD_KEY")) as refused:
        SharedSecretSettings()
    assert "hunter2" not in str(refused.value)
    # code that names a value, as tests and `tsuji up` do, is right
    assert SharedSecretSettings(dashboard_key="x" * 16).dashboard_key is not None


def test_errors_quote_no_value_that_may_be_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TSUJI_DASHBOARD_KEY", "hunter2")
    with pytest.raises(ValidationError) as refused:
        SharedSecretSettings()
    assert "hunter2" not in str(refused.value)
    assert "hunter2" not in "".join(lines_of(refused.value))
