"""What compose.yaml and its broker say must be what the commands and a real broker understand."""

from pathlib import Path

import pytest
import yaml
from typer.main import get_command

from tsuji.cli import app
from tsuji_platform.settings import describe

_ROOT = Path(__file__).resolve().parents[2]
_COMPOSE = yaml.safe_load((_ROOT / "compose.yaml").read_text(encoding="utf-8"))
_OURS = {name: one for name, one in _COMPOSE["services"].items() if one["image"] == "tsuji"}


@pytest.mark.parametrize("name", _OURS)
def test_every_service_runs_a_command_that_there_is(name: str) -> None:
    commands = get_command(app).commands
    assert _OURS[name]["command"][0] in commands


@pytest.mark.parametrize("name", _OURS)
def test_every_service_gets_settings_that_there_are(name: str) -> None:
    known = {variable for variable, _, _ in describe()}
    assert set(_OURS[name]["environment"]) <= known


def test_what_services_wait_for_and_keep_is_there() -> None:
    services, volumes = _COMPOSE["services"], _COMPOSE["volumes"]
    for one in services.values():
        assert set(one.get("depends_on", ())) <= set(services)
        for volume in one.get("volumes", ()):
            source = volume.split(":")[0]
            assert source in volumes or (_ROOT / source).exists()


def test_the_image_is_built_from_what_there_is() -> None:
    for line in (_ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines():
        if line.startswith("COPY ") and "--from" not in line:
            for source in line.split()[1:-1]:
                assert (_ROOT / source).exists(), source
