"""Whatever the OpenAPI document allows, or does not: the API answers as it says it does, whoever asks."""

import os
import subprocess
import sys
from pathlib import Path

import httpx

from database_logins import with_roles
from hub_processes import HubProcesses
from tsuji_platform.contract.scopes import Scope
from tsuji_platform.store import Database, Refresher
from tsuji_platform.store.keys import Keys
from tsuji_platform.store.roles import Purpose

_CONFIG = Path(__file__).with_name("schemathesis.toml")
_WITH_A_KEY = (
    "--phases=examples,coverage,fuzzing",
    "--max-examples=12",
    "--exclude-checks=ignored_auth",  # what it makes up in one header leaves the key in the other
)
_WITHOUT = ("--phases=examples,fuzzing", "--max-examples=6")


def _asking(url: str, folder: Path, *options: str) -> subprocess.Popen[str]:
    folder.mkdir()
    return subprocess.Popen(
        [
            str(Path(sys.executable).with_name("schemathesis")),
            f"--config-file={_CONFIG}",
            "run",
            f"{url}/openapi.json",
            f"--url={url}",
            "--checks=all",
            "--exclude-path=/v1/live",  # it never ends
            # a busy machine answers late, and makes up questions slowly
            "--request-timeout=240",
            "--suppress-health-check=too_slow",
            "--seed=1",
            "--no-color",
            *options,
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=folder,
        env={**os.environ, "COLUMNS": "120"},
    )


def test_every_operation_answers_as_described_with_a_key_and_without(
    hub: HubProcesses, city: Database, tmp_path: Path
) -> None:
    key = Keys(city).create("test", list(Scope))
    Refresher(city.url).refresh()  # as ingest does all the time
    hub.environment["TSUJI_DATABASE_URL"] = with_roles(city.url)[Purpose.API]
    hub.start("api")
    document = httpx.get(f"{hub.api_url}/openapi.json", timeout=240)
    assert document.status_code == 200  # put together once, while nobody waits for ten seconds only
    known = _asking(hub.api_url, tmp_path / "key", f"--header=X-API-Key: {key}", *_WITH_A_KEY)
    stranger = _asking(hub.api_url, tmp_path / "none", *_WITHOUT)
    for one in (known, stranger):
        said, _ = one.communicate()
        assert one.returncode == 0, said
    assert "permission denied" not in hub.log("api").read_text()
