"""The containers with a broker for real use get what `tsuji devices init` makes for them."""

import json
import socket
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from deployment import COMPOSE, ROOT
from tsuji_platform.devices.folder import IN_CONTAINER, SERVICES_PORT, make_folder
from tsuji_platform.devices.rights import RIGHTS, Role
from tsuji_platform.settings import describe


class _Loader(yaml.SafeLoader):
    """Takes what the Compose specification marks as taking the place of what stood before."""


_Loader.add_constructor(
    "!override", lambda loader, node: loader.construct_sequence(node, deep=True)
)
_FILE = ROOT / "deploy" / "compose.broker.yaml"
_MORE: dict[str, Any] = yaml.load(_FILE.read_text(encoding="utf-8"), _Loader)


def test_it_keeps_to_the_specification(tmp_path: Path) -> None:
    file = tmp_path / "compose.json"
    file.write_text(json.dumps(_MORE))
    check = Path(sys.executable).parent / "check-jsonschema"
    done = subprocess.run(
        [check, "--builtin-schema", "vendor.compose-spec", file],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_it_changes_services_that_there_are_with_settings_that_there_are() -> None:
    known = {variable for variable, _, _ in describe()}
    for name, service in _MORE["services"].items():
        environment = service.get("environment", {})
        assert environment.keys() <= known
        before = COMPOSE["services"][name].get("environment", {})
        if environment:
            assert "TSUJI_BROKER_URL" in before, "that is what takes another's place"
        told = {Path(value).name for value in environment.values() if "/run/secrets/" in value}
        assert told == set(service.get("secrets", ())) <= _MORE["secrets"].keys()


def test_everybody_who_speaks_with_the_broker_is_changed() -> None:
    speak = {
        name
        for name, service in COMPOSE["services"].items()
        if "TSUJI_BROKER_URL" in service.get("environment", {})
    }
    assert speak <= _MORE["services"].keys()


def test_each_comes_as_its_user_to_the_port_for_its_kind() -> None:
    for name, service in _MORE["services"].items():
        told = service.get("environment")
        if told is None:
            continue
        role = {"ingest": Role.INGEST, "admin": Role.ADMIN, "simulate": Role.REPLAY}[name]
        # where client ids are the users' names, for those who have to keep to theirs
        port = 8883 if RIGHTS[role].bound else SERVICES_PORT
        assert told["TSUJI_BROKER_URL"] == f"mqtts://broker:{port}"
        assert told["TSUJI_BROKER_USER"] == name
        networks = COMPOSE["services"][name]["networks"]
        assert set(networks) & set(COMPOSE["services"]["broker"]["networks"])


def test_what_it_mounts_is_made(tmp_path: Path) -> None:
    folder = tmp_path / "deploy" / "broker"
    make_folder(folder, ["broker"], IN_CONTAINER, datetime.now(UTC), for_containers=True)
    for name, secret in _MORE["secrets"].items():
        file = tmp_path / secret["file"]
        if (
            name == "broker_simulate"
        ):  # a demonstration's, whose user is added later, and kept there
            assert file.parent == folder / "private"
            assert file.name in (ROOT / "docs" / "broker.md").read_text(encoding="utf-8")
            continue
        assert file.stat().st_mode & 0o777 == (0o644 if file.suffix == ".crt" else 0o444)
    source, _, target = _MORE["services"]["broker"]["volumes"][0].partition(":")
    assert (tmp_path / source).is_dir()
    assert target == str(IN_CONTAINER.folder)
    assert (folder / "private").stat().st_mode & 0o777 == 0o700


def test_its_health_is_whether_it_listens() -> None:
    program, *words = _MORE["services"]["broker"]["healthcheck"]["test"][1:]
    ours = f"{SERVICES_PORT:04X}"
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = f"{server.getsockname()[1]:04X}"
        asked = [program, *(word.replace(ours, port) for word in words)]
        assert asked != [program, *words]
        assert subprocess.run(asked, check=False).returncode == 0
        client = socket.create_connection(server.getsockname())
    with client:  # it is still connected, but nobody listens
        assert subprocess.run(asked, check=False).returncode == 1
