"""How lines of the log look, as text and as JSON, and what they belong to."""

import json
import logging
import re
import threading
import time
from collections.abc import Iterator

import pytest

from tsuji_platform.insight import logs


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    yield
    root.handlers[:] = before
    root.setLevel(level)
    logging.captureWarnings(False)


def _set_up(monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    monkeypatch.setenv("TSUJI_LOG_FORMAT", form)
    monkeypatch.setenv("TSUJI_LOG_LEVEL", "info")
    logs.set_up("api")


def test_json_lines_have_what_it_takes(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _set_up(monkeypatch, "json")
    log = logging.getLogger("tsuji.somewhere")
    log.debug("not shown")
    with logs.within(logs.request_id, "r-1"):
        log.warning("人が %d\nin two lines", 3, extra={"route": "/v1/x"})
    with logs.within(logs.batch_id, "b-1"):
        try:
            raise ValueError("odd")
        except ValueError:
            log.exception("it failed")
    log.info("of none")
    first, second, third = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", first.pop("time"))
    assert first == {
        "level": "warning",
        "service": "api",
        "logger": "tsuji.somewhere",
        "message": "人が 3\nin two lines",
        "request_id": "r-1",
        "route": "/v1/x",
    }
    assert second["batch_id"] == "b-1"
    assert "request_id" not in second
    assert "ValueError: odd" in second["exception"]
    assert {"request_id", "batch_id"}.isdisjoint(third)


def test_text_lines_end_with_the_ids(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _set_up(monkeypatch, "text")
    log = logging.getLogger("tsuji.somewhere")
    with logs.within(logs.request_id, "r-1"):
        log.info("hello")
        other = threading.Thread(target=log.info, args=("from another thread",))
        other.start()
        other.join()
    first, second = capsys.readouterr().err.splitlines()
    assert re.fullmatch(r"\S+Z INFO tsuji.somewhere: hello \[request_id=r-1\]", first)
    assert second.endswith("from another thread")


def test_what_others_chose_begins_no_line_and_costs_none(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    log = logging.getLogger("tsuji.somewhere")
    said = "no area set a\r\n2026-11-22T10:00:00.000Z ERROR tsuji: forged \x1b[31m\x85\udcff.csv"
    _set_up(monkeypatch, "text")
    log.info("%s", said)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith(
        r"a\r\n2026-11-22T10:00:00.000Z ERROR tsuji: forged \x1b[31m\x85\udcff.csv"
    )
    _set_up(monkeypatch, "json")
    log.info("%s", said, extra={"route": 2**70})
    line = capsys.readouterr().err
    assert json.loads(line)["message"] == said.replace("\udcff", r"\udcff")
    assert json.loads(line)["route"] == 2**70


def test_other_libraries_go_the_same_way(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("uvicorn", "uvicorn.error"):  # as a server of another test may have left them
        monkeypatch.setattr(logging.getLogger(name), "handlers", [])
        monkeypatch.setattr(logging.getLogger(name), "propagate", True)
    _set_up(monkeypatch, "json")
    logging.getLogger("uvicorn.error").error("of theirs", extra={"color_message": "in colour"})
    logging.getLogger("httpx").info("every request")
    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["logger"] == "uvicorn.error"
    assert "color_message" not in line


@pytest.mark.parametrize(
    ("name", "refused", "other"),
    [
        ("psycopg.pool", [("%s refused", n) for n in (1, 1, 1, 1)], ("%s refused", 2)),
        (
            "opentelemetry.exporter.otlp.proto.http.trace_exporter",
            [("refused, again in %s s", n) for n in (1, 2, 4, 8)],
            ("given up %s", 1),
        ),
    ],
)
def test_others_do_not_say_the_same_at_every_try(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    refused: list[tuple[str, int]],
    other: tuple[str, int],
) -> None:
    _set_up(monkeypatch, "text")
    log, begun = logging.getLogger(name), time.time()
    tries = zip((0, 1, 2, 3, 61), (*refused[:2], other, *refused[2:]), strict=True)
    for after_s, (said, what) in tries:
        record = log.makeRecord(log.name, logging.WARNING, "", 0, said, (what,), None)
        record.created = begun + after_s
        log.handle(record)
    lines = [line.rpartition(": ")[2] for line in capsys.readouterr().err.splitlines()]
    assert lines == [said % what for said, what in (refused[0], other, refused[3])]


def test_a_clock_that_was_set_back_does_not_silence_them(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _set_up(monkeypatch, "text")
    log, begun = logging.getLogger("psycopg.pool"), time.time()
    for after_s in (0, -3_600, -3_599, -3_500):
        record = log.makeRecord(log.name, logging.WARNING, "", 0, "refused", (), None)
        record.created = begun + after_s
        log.handle(record)
    assert capsys.readouterr().err.count("refused") == 3
