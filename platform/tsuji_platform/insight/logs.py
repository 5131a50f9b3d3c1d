"""How every line of every service's log looks, and which request or batch it belongs to.

Libraries' loggers go the same way, uvicorn's too: it is started with `log_config=None`.
"""

import json
import logging
import math
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime

from pythonjsonlogger.core import LogData
from pythonjsonlogger.orjson import OrjsonFormatter

from tsuji_platform.insight import traces
from tsuji_platform.settings import RuntimeSettings
from tsuji_platform.settings_insight import InsightSettings

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
"""Of the request that is being answered; the caller has it as `X-Request-ID`."""
batch_id: ContextVar[str | None] = ContextVar("batch_id", default=None)
"""Of the messages that ingest stores in one go."""

_NOISY = ("httpx", "httpcore", "psycopg.pool", "asyncio", "opentelemetry")
_REPEATING = {
    "psycopg.pool": logging.LogRecord.getMessage,
    "opentelemetry.exporter.otlp.proto.http.trace_exporter": lambda record: str(record.msg),
}
"""Who says every try of an outage of hours, and what of a line makes it the same."""
_MINUTE_S = 60.0
_MOST_LINES = 100
_TEXT = "%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s: %(message)s%(ids)s"
_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))} | {
    ord("\n"): "\\n",
    ord("\r"): "\\r",
    ord("\t"): "\t",
}
"""Names and topics are others' to choose: none of them begins a line of its own or colours a terminal."""

_NO_TEXT = re.compile("[\ud800-\udfff]")
"""What stands for bytes that are no UTF-8."""


@contextmanager
def within(variable: ContextVar[str | None], value: str) -> Iterator[None]:
    """Lines that are logged meanwhile say that they belong to this request or batch."""
    token = variable.set(value)
    try:
        yield
    finally:
        variable.reset(token)


class _Ids(logging.Filter):
    """Notes on each record what it belongs to, in the thread and task that logs it."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let everything pass."""
        ids = {
            "request_id": request_id.get(),
            "batch_id": batch_id.get(),
            "trace_id": traces.trace_id(),
        }
        known = {name: value for name, value in ids.items() if value is not None}
        record.__dict__.update(known)
        record.ids = "".join(f" [{name}={value}]" for name, value in known.items())
        return True


class _OnceAMinute(logging.Filter):
    """Lets a line through that was not said for a minute."""

    def __init__(self, same: Callable[[logging.LogRecord], str]) -> None:
        super().__init__()
        self._same = same
        self._said: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether it is worth saying."""
        line = self._same(record)
        since_s = record.created - self._said.get(line, -math.inf)
        if 0 <= since_s < _MINUTE_S:  # below 0, the clock was set back
            return False
        if len(self._said) >= _MOST_LINES:
            self._said.clear()
        self._said[line] = record.created
        return True


class _Text(logging.Formatter):
    """One line a message, then the traceback of an exception; times in UTC."""

    def __init__(self) -> None:
        super().__init__(_TEXT, datefmt="%Y-%m-%dT%H:%M:%S")
        self.converter = time.gmtime

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - its name
        """The line."""
        line = super().formatMessage(record).translate(_CONTROLS)
        return line.encode(errors="backslashreplace").decode()


class _Json(OrjsonFormatter):
    """One JSON object a line: time, level, service, logger, message, then ids and an exception."""

    def __init__(self, service: str) -> None:
        super().__init__(reserved_attrs=[*logging.makeLogRecord({}).__dict__, *_NOT_SAID])
        self._service = service

    def add_fields(
        self, log_data: LogData, record: logging.LogRecord, message_dict: LogData
    ) -> None:
        """Put our names first."""
        when = datetime.fromtimestamp(record.created, UTC)
        log_data |= {
            "time": when.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "service": self._service,
            "logger": record.name,
            "message": record.getMessage(),
        }
        super().add_fields(log_data, record, message_dict)
        for theirs, ours in (("exc_info", "exception"), ("stack_info", "stack")):
            if theirs in log_data:
                log_data[ours] = log_data.pop(theirs)

    def jsonify_log_record(self, log_data: LogData) -> str:
        """The line; what is no text (names of files may be any bytes) must not cost it."""
        try:
            return super().jsonify_log_record(log_data)
        except TypeError:
            line = json.dumps(log_data, default=str, skipkeys=True, ensure_ascii=False)
            return _NO_TEXT.sub(lambda found: rf"\\u{ord(found[0]):04x}", line)


_NOT_SAID = ("ids", "message", "asctime", "color_message", "taskName")
"""Of what stands on a record: ours in another form, and what uvicorn says again in colour."""


def set_up(service: str) -> None:
    """Log to standard error: one line a message, or one JSON object a line; times in UTC.

    Args:
        service: says so, where it is JSON: `ingest`, `api`, …
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_Ids())
    if InsightSettings().log_format == "json":
        handler.setFormatter(_Json(service))
    else:
        handler.setFormatter(_Text())
    logging.basicConfig(level=RuntimeSettings().log_level.upper(), handlers=[handler], force=True)
    logging.captureWarnings(True)
    for noisy in _NOISY:
        logging.getLogger(noisy).setLevel(logging.WARNING)
    for name, same in _REPEATING.items():
        repeating = logging.getLogger(name)
        repeating.filters = [it for it in repeating.filters if not isinstance(it, _OnceAMinute)]
        repeating.addFilter(_OnceAMinute(same))
