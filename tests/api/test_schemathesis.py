"""Whatever the OpenAPI document allows, or does not: the API answers as it says it does."""

import os
import subprocess
import sys
from pathlib import Path

from hub_processes import HubProcesses
from tsuji_platform.contract.scopes import Scope
from tsuji_platform.store import Database, Refresher
from tsuji_platform.store.keys import Keys

_CONFIG = Path(__file__).with_name("schemathesis.toml")


def test_every_operation_answers_as_described(
    hub: HubProcesses, city: Database, tmp_path: Path
) -> None:
    key = Keys(city).create("test", list(Scope))
    Refresher(city.url).refresh()  # as ingest does all the time
    hub.start("api")
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("schemathesis")),
            f"--config-file={_CONFIG}",
            "run",
            f"{hub.api_url}/openapi.json",
            f"--url={hub.api_url}",
            "--checks=all",
            "--max-examples=15",
            "--phases=examples,coverage,fuzzing",
            "--exclude-path=/v1/live",  # it never ends
            f"--header=X-API-Key: {key}",
            "--seed=1",
            "--no-color",
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "COLUMNS": "120"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
