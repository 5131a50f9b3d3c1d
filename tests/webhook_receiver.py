"""A webhook's receiver for tests: a real HTTP server that refuses first and checks signatures by itself."""

import base64
import hashlib
import hmac
import json
import threading
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SECRET_BYTES = bytes(range(32))
SECRET = "whsec_" + base64.b64encode(SECRET_BYTES).decode()


class Receiver:
    """Runs between `with`.

    Args:
        answer: status (and headers) by the number of the request, from 1 on; 204 where left out.

    Attributes:
        taken: bodies of the requests that were answered with 2xx, in order, repetitions included.
        problems: what was wrong with requests.
        tries: requests by message id.
    """

    def __init__(
        self, answer: Callable[[int], tuple[int, dict[str, str]]] = lambda _: (204, {})
    ) -> None:
        self.taken: list[dict[str, Any]] = []
        self.problems: list[str] = []
        self.tries: Counter[str] = Counter()
        self._answer = answer
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                status, headers = receiver._take(dict(self.headers), body)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/hook?token=hidden"

    def __enter__(self) -> "Receiver":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _take(self, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, str]]:
        given = {name.lower(): value for name, value in headers.items()}
        message_id = given["webhook-id"]
        signed = f"{message_id}.{given['webhook-timestamp']}.".encode() + body
        expected = base64.b64encode(hmac.digest(SECRET_BYTES, signed, hashlib.sha256)).decode()
        if given["webhook-signature"] != f"v1,{expected}":
            self.problems.append(f"bad signature {given['webhook-signature']!r}")
        content = json.loads(body)
        if content["id"] != message_id:
            self.problems.append(f"{content['id']} came as {message_id}")
        self.tries[message_id] += 1
        status, more = self._answer(self.tries.total())
        if status < 300:
            self.taken.append(content)
        return status, more
