"""The broker configuration of compose.yaml, run by a real Mosquitto."""

import subprocess
from collections.abc import Callable
from pathlib import Path

from own_ports import own_port
from tsuji_platform.runtime import broker, mqtt
from tsuji_platform.runtime.mosquitto import Mosquitto

_CONFIGURATION = Path(__file__).resolve().parents[2] / "deploy" / "mosquitto.conf"


def test_mosquitto_starts_with_it_and_keeps_messages(
    tmp_path: Path, eventually: Callable[..., None]
) -> None:
    program, _, _ = broker.find()
    assert isinstance(program, Mosquitto)
    port = own_port()
    text = _CONFIGURATION.read_text(encoding="utf-8")
    for before, after in {
        "listener 1883": f"listener {port} 127.0.0.1",
        "user mosquitto\n": "user root\n",
        "/mosquitto/data": str(tmp_path),
        "/usr/lib/mosquitto_persist_sqlite.so": str(program.plugin),
    }.items():
        assert before in text
        text = text.replace(before, after)
    configuration = tmp_path / "mosquitto.conf"
    configuration.write_text(text, encoding="utf-8")
    log = (tmp_path / "log").open("wb")
    with subprocess.Popen(
        [program.program, "-c", configuration], stdout=log, stderr=subprocess.STDOUT
    ) as process:
        try:
            eventually(lambda: mqtt.answers(port), what=(tmp_path / "log").read_text())
            assert (tmp_path / "mosquitto.sqlite3").stat().st_size > 0
        finally:
            process.terminate()
