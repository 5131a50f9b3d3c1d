"""Posts alerts to webhooks: signed, in order, and again until they are taken."""

import contextlib
import hashlib
import random
import re
import socket
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx

from tsuji_ingest.alerting.courier import Courier
from tsuji_ingest.alerting.signing import headers
from tsuji_platform.store.alert_outbox import Due

_TIMEOUT = httpx.Timeout(10.0, connect=5.0)
_LONGEST_S = 20.0
"""For the whole of a request, however slowly an answer drips."""
_FIRST_S = 1.0
_MOST_S = 3_600.0
GIVE_UP_AFTER = timedelta(days=3)
REFUSALS = 10
"""A receiver that refuses a message so often will not take it, and the others wait behind it."""
_TRY_LATER = frozenset({408, 409, 425, 429})


class WebhookError(Exception):
    """An address that can't be used; the text quotes nothing that may be secret."""


def parse_urls(text: str) -> list[str]:
    """Addresses, divided by spaces or commas.

    Raises:
        WebhookError: naming the one that is none.
    """
    urls = [one for one in re.split(r"[\s,]+", text) if one]
    for number, url in enumerate(urls, 1):
        try:
            parts = urlsplit(url)
            good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        except ValueError:
            good = None
        if not good:
            raise WebhookError(
                f"webhook address {number} must look like https://host/path (TSUJI_WEBHOOK_URLS); it is not "
                "shown, since it may hold a secret"
            )
    return list(dict.fromkeys(urls))


def target_of(url: str) -> str:
    """The name of a webhook: its host, and what tells it from others there; no secret of its path."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = "" if parts.port is None else f":{parts.port}"
    return f"webhook {host}{port} {hashlib.sha256(url.encode()).hexdigest()[:8]}"


def backoff_s(attempts: int, draw: Callable[[], float] = random.random) -> float:
    """How long to wait after so many attempts in vain: doubled each time, between 3/4 and 5/4 of that."""
    return float(min(_MOST_S, _FIRST_S * 2 ** min(attempts, 30)) * (0.75 + draw() / 2))


class WebhookCourier(Courier):
    """To one address.

    Args:
        database_url: PostgreSQL address.
        url: of the receiver.
        key: shared with it.
    """

    def __init__(self, database_url: str, url: str, key: bytes) -> None:
        super().__init__(database_url, target_of(url), 1)
        self._url = url
        self._key = key

    def deliver(self, due: Due) -> bool:
        """Post the oldest message."""
        (letter,) = due.letters
        body = letter.body.encode()
        problem, refused, after_s = self._post(letter.message_id, body)
        if problem is None:
            due.delivered([letter])
            return True
        age = datetime.now(UTC) - letter.created_at
        give_up = age > GIVE_UP_AFTER or (refused and letter.attempts + 1 >= REFUSALS)
        due.postponed(letter, problem, max(after_s, backoff_s(letter.attempts)), give_up=give_up)
        return give_up

    def _post(self, message_id: str, body: bytes) -> tuple[str | None, bool, float]:
        """What went wrong, None where nothing; whether it was refused; how long to wait at the least."""
        sent = {
            "content-type": "application/json",
            "user-agent": "tsuji",
            **headers(self._key, message_id, int(time.time()), body),
        }
        watch = _Watch()
        try:
            with (
                watch,
                httpx.Client(timeout=_TIMEOUT, follow_redirects=False) as client,
                client.stream(
                    "POST",
                    self._url,
                    content=body,
                    headers=sent,
                    extensions={"trace": watch.note},
                ) as answer,
            ):
                return _judge(answer)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            what = "it does not end its answer" if watch.ended else type(error).__name__
            return f"it can't be reached: {what}", False, 0.0


class _Watch:
    """Ends a request that takes too long as a whole: httpx only limits the wait for each piece."""

    def __init__(self) -> None:
        self.ended = False
        self._stream: Any = None
        self._timer = threading.Timer(_LONGEST_S, self._end)
        self._timer.daemon = True

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()

    def note(self, event: str, info: Mapping[str, Any]) -> None:
        """Remember the connection; a trace of httpcore."""
        if event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            self._stream = info["return_value"]

    def _end(self) -> None:
        self.ended = True
        if self._stream is not None:
            with contextlib.suppress(OSError):
                self._stream.get_extra_info("socket").shutdown(socket.SHUT_RDWR)


def _judge(answer: httpx.Response) -> tuple[str | None, bool, float]:
    status = answer.status_code
    if 200 <= status < 300:
        return None, False, 0.0
    if 300 <= status < 400:
        return f"it answers {status}, a redirect, which is not followed: name its aim", True, 0.0
    wanted = answer.headers.get("retry-after", "")
    after_s = min(_MOST_S, float(wanted)) if wanted.isascii() and wanted.isdecimal() else 0.0
    refused = 400 <= status < 500 and status not in _TRY_LATER
    return f"it answers {status}", refused, after_s
