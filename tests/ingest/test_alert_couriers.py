"""What is said of alerts reaches brokers and webhooks, whatever they do meanwhile."""

import runpy
import socket
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import orjson
import paho.mqtt.client as mqtt
import psycopg
import pytest
from paho.mqtt import publish
from paho.mqtt.enums import CallbackAPIVersion
from pydantic import ValidationError

from alarmed import HOT, Alarmed
from own_ports import own_port
from tsuji_ingest.alerting import webhooks
from tsuji_ingest.alerting.courier import Courier
from tsuji_ingest.alerting.mqtt import MqttCourier
from tsuji_ingest.alerting.service import Alerting
from tsuji_ingest.alerting.signing import SecretError, headers, key_of
from tsuji_ingest.alerting.webhooks import (
    REFUSALS,
    WebhookCourier,
    WebhookError,
    backoff_s,
    parse_urls,
    target_of,
)
from tsuji_platform.runtime.private import PrivateServer
from tsuji_platform.settings import AlertSettings, BrokerAddress
from tsuji_platform.store.alert_outbox import Target
from webhook_receiver import SECRET_BYTES, Receiver

AT_ONCE = HOT.replace('for = "2m"\n', "").replace('clears_after = "2m"\n', "")


@pytest.fixture
def city(hub_url: str) -> Iterator[Callable[..., Alarmed]]:
    made: list[Alarmed] = []

    def make(*targets: str) -> Alarmed:
        made.append(Alarmed(hub_url, AT_ONCE, targets))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def bring() -> Iterator[Callable[[Courier], None]]:
    """Start a courier."""
    started: list[Courier] = []

    def start(one: Courier) -> None:
        started.append(one)
        one.start()

    yield start
    for one in started:
        one.stop()


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Receivers are in this process, and slow where the machine is busy: that is not to count as a try."""
    monkeypatch.setattr(webhooks, "_TIMEOUT", httpx.Timeout(90.0))
    monkeypatch.setattr(webhooks, "_LONGEST_S", 90.0)


def raise_alerts(city: Alarmed, *degrees: float) -> None:
    """One alert begins and ends with each value that is hot and the one that is cool behind it."""
    begin = (city.now.hour, city.now.minute)
    for number, value in enumerate(degrees, begin[0] * 60 + begin[1] + 1):
        city.say("pole-1", number, air_temperature=value)
        city.turn()


def target(city: Alarmed, name: str) -> Target:
    (found,) = [one for one in city.alerts.targets() if one.target == name]
    return found


def test_messages_come_in_order_again_and_again_until_they_are_taken(
    hub_url: str, city, bring, eventually
) -> None:
    answers = {1: (503, {"Retry-After": "1"}), 2: (500, {}), 4: (429, {})}
    with Receiver(lambda number: answers.get(number, (204, {}))) as receiver:
        dead = f"http://127.0.0.1:{own_port()}/"
        alarmed = city(target_of(dead), target_of(receiver.url))
        raise_alerts(alarmed, 36, 20, 37)
        for url in (dead, receiver.url):
            bring(WebhookCourier(hub_url, url, SECRET_BYTES))
        eventually(lambda: len(receiver.taken) == 3)
        eventually(lambda: target(alarmed, target_of(dead)).problem != "")
        assert receiver.problems == []
        assert [it["type"] for it in receiver.taken] == [
            "alert.started", "alert.ended", "alert.started",
        ]  # fmt: skip
        assert sum(receiver.tries.values()) == 6
        assert [
            orjson.loads(body) for _, body in alarmed.alerts.messages_after(0)
        ] == receiver.taken
    left = target(alarmed, target_of(dead))
    assert (left.waiting, left.given_up) == (3, 0)
    assert left.problem == "it can't be reached: ConnectError"


def test_a_redirect_is_not_followed_and_a_message_that_is_refused_is_given_up_in_the_end(
    hub_url: str, city, bring, eventually
) -> None:
    with Receiver() as other, Receiver(lambda n: (302, {"Location": other.url})) as moved:
        alarmed = city(target_of(moved.url))
        raise_alerts(alarmed, 36)
        with psycopg.connect(hub_url, autocommit=True) as connection:
            connection.execute(f"UPDATE alert_delivery SET attempts = {REFUSALS - 2}")
        bring(WebhookCourier(hub_url, moved.url, SECRET_BYTES))
        eventually(lambda: "redirect" in target(alarmed, target_of(moved.url)).problem)
        with psycopg.connect(hub_url, autocommit=True) as connection:
            connection.execute("UPDATE alert_delivery SET next_at = now()")
        eventually(lambda: target(alarmed, target_of(moved.url)).given_up == 1)
        assert (moved.tries.total(), other.tries.total()) == (2, 0)


def test_a_receiver_that_never_ends_its_answer_is_left_after_a_while(
    hub_url: str, city, bring, eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "_LONGEST_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        alarmed = city(target_of(url))
        raise_alerts(alarmed, 36)
        bring(WebhookCourier(hub_url, url, SECRET_BYTES))
        eventually(
            lambda: (
                target(alarmed, target_of(url)).problem
                == "it can't be reached: it does not end its answer"
            ),
        )


def test_two_couriers_of_a_target_work_one_after_the_other(
    hub_url: str, city, bring, eventually
) -> None:
    with Receiver() as receiver:
        alarmed = city(target_of(receiver.url))
        raise_alerts(alarmed, *([36, 20] * 10))
        for _ in range(2):
            bring(WebhookCourier(hub_url, receiver.url, SECRET_BYTES))
        eventually(lambda: target(alarmed, target_of(receiver.url)).waiting == 0)
        assert set(receiver.tries.values()) == {1}
        assert len(receiver.taken) == 20
        assert [it["type"] for it in receiver.taken] == ["alert.started", "alert.ended"] * 10


def test_what_waits_for_an_address_that_is_named_no_more_is_given_up(
    hub_url: str, city, broker: PrivateServer, tmp_path: Path, eventually
) -> None:
    alarmed = city("mqtt", "webhook gone 12345678")
    raise_alerts(alarmed, 36)
    (tmp_path / "rules.toml").write_text(AT_ONCE, encoding="utf-8")
    settings = AlertSettings(alerts=str(tmp_path / "rules.toml"), webhook_urls="")
    alerting = Alerting(hub_url, BrokerAddress.parse(broker.url), "other", settings, 8)
    alerting.start()
    try:
        eventually(lambda: target(alarmed, "webhook gone 12345678").given_up == 1)
        eventually(lambda: target(alarmed, "mqtt").waiting == 0)
    finally:
        alerting.stop()


def kept(broker: PrivateServer) -> dict[str, bytes]:
    """What a newcomer gets of alerts, up to a message that is published after it has subscribed."""
    address = BrokerAddress.parse(broker.url)
    found: dict[str, bytes] = {}
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.on_message = lambda _client, _data, message: found.__setitem__(
        message.topic, message.payload
    )
    client.on_subscribe = lambda *_: client.publish("test/end", b"x", qos=1)
    client.connect(address.host, address.port)
    client.subscribe([("tsuji/v1/alerts/+", 1), ("test/end", 1)])
    while "test/end" not in found:
        client.loop(1)
    client.disconnect()
    del found["test/end"]
    return found


def test_the_broker_keeps_the_alerts_that_are_on_and_has_them_again_after_it_was_away(
    hub_url: str, city, broker: PrivateServer, bring, eventually
) -> None:
    address = BrokerAddress.parse(broker.url)
    broker.stop()
    alarmed = city("mqtt")
    raise_alerts(alarmed, 36, 20, 37)
    bring(MqttCourier(hub_url, address, "alerts-test"))
    eventually(lambda: target(alarmed, "mqtt").waiting == 3)
    broker.start()
    eventually(lambda: target(alarmed, "mqtt").waiting == 0)
    ((topic, body),) = kept(broker).items()
    (on,) = alarmed.found(on=True)
    assert topic == f"tsuji/v1/alerts/{on.alert_id}"
    message = orjson.loads(body)
    assert (message["type"], message["data"]["peak"]["value"]) == ("alert.started", 37.0)
    publish.single(topic, b"", qos=1, retain=True, hostname=address.host, port=address.port)
    assert kept(broker) == {}  # as if it had forgotten
    broker.kill()
    broker.start()
    eventually(lambda: kept(broker) == {topic: body}, what="it is kept again")
    raise_alerts(alarmed, 20)
    eventually(lambda: kept(broker) == {}, what="nothing is on any more")


@pytest.mark.parametrize(
    "text", ["example.org/hook", "ftp://example.org", "https://", "https://a:99999/s3cret", "https://[::1"]
)  # fmt: skip
def test_an_address_that_is_none_is_refused_without_its_text(text: str) -> None:
    with pytest.raises(WebhookError, match="address 2") as refused:
        parse_urls(f"https://example.org/good,{text}")
    assert "s3cret" not in str(refused.value)


def test_addresses_are_read_once_each_and_named_without_their_secrets() -> None:
    urls = parse_urls(" https://a.org/s3cret\nhttp://b.org:8080/x , https://a.org/s3cret ")
    assert urls == ["https://a.org/s3cret", "http://b.org:8080/x"]
    names = [target_of(url) for url in urls]
    assert names[0].startswith("webhook a.org ")
    assert names[1].startswith("webhook b.org:8080 ")
    assert "s3cret" not in str(names)
    assert target_of("https://a.org/other") != names[0]


def test_the_signature_is_that_of_the_standards_own_example() -> None:
    """The worked example of the Standard Webhooks specification."""
    key = key_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    body = b'{"test": 2432232314}'
    signed = headers(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert signed["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize(
    "secret", ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "a text of 24 bytes, or more"]
)
def test_a_receiver_as_the_docs_have_it_takes_what_is_ours_and_nothing_else(
    secret: str, tmp_path: Path
) -> None:
    page = (Path(__file__).parents[2] / "docs" / "alerts.md").read_text(encoding="utf-8")
    code = page.partition("  ```python\n")[2].partition("  ```\n")[0]
    (tmp_path / "receiver.py").write_text(textwrap.dedent(code), encoding="utf-8")
    is_of_the_hub = runpy.run_path(str(tmp_path / "receiver.py"))["is_of_the_hub"]
    now, body = int(time.time()), '{"id": "暑い"}'.encode()
    ours = headers(key_of(secret), "one", now, body)
    assert is_of_the_hub(secret, ours, body)
    assert not is_of_the_hub(secret, ours, body + b" ")
    assert not is_of_the_hub(f"{secret}0000", ours, body)
    assert not is_of_the_hub(secret, ours | {"webhook-id": "two"}, body)
    assert not is_of_the_hub(secret, headers(key_of(secret), "one", now - 3_600, body), body)
    for name in ("webhook-timestamp", "webhook-signature"):
        assert not is_of_the_hub(secret, ours | {name: "é"}, body)


@pytest.mark.parametrize("secret", ["", "short", "whsec_", "whsec_%%%", "whsec_c2hvcnQ="])
def test_a_secret_that_is_too_short_or_broken_is_refused_without_its_text(secret: str) -> None:
    with pytest.raises(SecretError) as refused:
        key_of(secret)
    assert secret[6:] == "" or secret[6:] not in str(refused.value)
    assert key_of("x" * 24) == b"x" * 24


def test_webhooks_need_a_secret(tmp_path: Path) -> None:
    def begin(**settings: object) -> None:
        address = BrokerAddress(host="127.0.0.1", port=1)
        chosen = AlertSettings(alerts="demonstration", webhook_urls="https://a.org", **settings)
        Alerting("postgresql://nowhere/x", address, "test", chosen, 8)

    with pytest.raises(WebhookError, match="TSUJI_WEBHOOK_SECRET"):
        begin()
    begin(webhook_secret="x" * 30)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("TSUJI_WEBHOOK_SECRET_FILE", str(tmp_path / "secret"))
        with pytest.raises(ValidationError, match="TSUJI_WEBHOOK_SECRET_FILE"):
            begin()
        (tmp_path / "secret").write_text("x" * 30 + "\n")
        begin()
    assert "xxx" not in repr(AlertSettings(webhook_secret="x" * 30))


def test_pauses_double_up_to_an_hour() -> None:
    assert [backoff_s(n, lambda: 0.5) for n in (0, 1, 5, 12, 10**6)] == [1, 2, 32, 3600, 3600]
    assert (backoff_s(1, lambda: 0.0), backoff_s(1, lambda: 1.0)) == (1.5, 2.5)
