"""Settings come from the environment when asked for; what can't be used is refused without secrets."""

import pytest
from pydantic import ValidationError

from tsuji_platform.settings import (
    CONCERNS,
    ApiSettings,
    BrokerAddress,
    BrokerSettings,
    DatabaseSettings,
    RetentionSettings,
    describe,
)


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
        "mqtts://broker",
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
    assert len(names) == len(set(names)) == sum(len(c.model_fields) for c in CONCERNS)
    assert all(meaning for _, _, meaning in rows)
    assert ("TSUJI_API_PORT", "8000", "port of the data API") in rows
    assert "TSUJI_BROKER_URL" in names


def test_settings_do_not_change(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValidationError):
        ApiSettings().api_port = 1
