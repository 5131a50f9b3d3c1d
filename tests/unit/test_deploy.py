"""What the files of a deployment say must be what the commands and others' schemas understand."""

import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from typer.main import get_command

from deployment import COMPOSE, KUBERNETES, OURS, ROOT, UNITS, environment, manifests, pods, unit
from tsuji.cli import app
from tsuji_platform.settings import describe

_KUBERNETES = "1.34"
_EXPOSURE = "20"
"""Of 100, by systemd's own reckoning; a unit without any hardening has 96."""
_PROGRAMS = Path(sys.executable).parent
_SETTINGS = {variable for variable, _, _ in describe()}
_COMMANDS = set(get_command(app).commands)
_DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")


def _run(*command: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(it) for it in command], capture_output=True, text=True, check=False)


# compose.yaml


def test_compose_keeps_to_the_specification() -> None:
    schema = ("--builtin-schema", "vendor.compose-spec")
    done = _run(_PROGRAMS / "check-jsonschema", *schema, ROOT / "compose.yaml")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", OURS)
def test_every_service_runs_a_command_with_settings_that_there_are(name: str) -> None:
    assert OURS[name]["command"][0] in _COMMANDS
    assert set(environment(name)) <= _SETTINGS


def test_what_services_wait_for_keep_and_are_told_is_there() -> None:
    services, volumes = COMPOSE["services"], COMPOSE["volumes"]
    for one in services.values():
        for other, how in one.get("depends_on", {}).items():
            asked = services[other].get("healthcheck", {})
            assert how["condition"] != "service_healthy" or "test" in asked, other
        for volume in one.get("volumes", ()):
            source = volume.split(":")[0]
            assert source in volumes or (ROOT / source).is_file(), source
        told = [it for key, it in one.get("environment", {}).items() if key.endswith("_FILE")]
        told += [it.rpartition("=")[2] for it in one.get("command", ()) if "/run/secrets/" in it]
        named = {Path(it).name for it in told}
        assert named == set(one.get("secrets", ()))
        assert named <= set(COMPOSE["secrets"])
        assert set(one["networks"]) <= set(COMPOSE["networks"])


@pytest.mark.parametrize("name", ["ingest", "simulate", "simulate-past", "admin"])
def test_whoever_writes_into_the_home_has_a_place_there(name: str) -> None:
    # all else of a container's file system can't be written: `areas fetch` keeps what it downloads
    assert OURS[name]["volumes"][0].endswith(":/var/lib/tsuji")


@pytest.mark.parametrize("name", COMPOSE["services"])
def test_every_service_is_bounded(name: str) -> None:
    one = COMPOSE["services"][name]
    tag = one["image"].rpartition(":")[2]
    assert re.search(r"\d", tag), one["image"]
    assert one["cap_drop"] == ["ALL"]
    assert one["security_opt"] == ["no-new-privileges:true"]
    assert set(one["deploy"]["resources"]["limits"]) == {"cpus", "memory", "pids"}
    assert one["logging"]["options"]["max-size"]
    assert one["restart"] in ("unless-stopped", "on-failure", "no")
    assert one["healthcheck"]
    assert "container_name" not in one
    assert all(port.startswith("127.0.0.1:") for port in one.get("ports", ()))
    if name != "database":  # whose image gives up root by itself and writes where it likes
        assert one["read_only"] is True
    if name in OURS:
        assert one["user"] == "10001:10001"


def test_the_secrets_are_made_once_and_fit(tmp_path: Path) -> None:
    script = tmp_path / "deploy" / "secrets.sh"
    script.parent.mkdir()
    shutil.copy(ROOT / "deploy" / "secrets.sh", script)
    assert _run(script).returncode == 0
    folder = script.with_name("secrets")
    made = {one.name: one.read_text() for one in folder.iterdir()}
    assert set(made) == {Path(it["file"]).name for it in COMPOSE["secrets"].values()}
    assert folder.stat().st_mode & 0o777 == 0o700
    for role in ("owner", "ingest", "api", "admin", "backup"):
        assert made[f"{role}_password"] in made[f"{role}_url"]
    assert len(set(made.values())) == len(made)
    assert all(len(text) >= 64 and text == text.strip() for text in made.values())
    assert _run(script).stdout == ""
    assert {one.name: one.read_text() for one in folder.iterdir()} == made


def test_secrets_reach_neither_git_nor_the_builder() -> None:
    assert "/deploy/secrets/" in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()[1] == "*"


# Dockerfile


def test_the_dockerfile_is_found_good_by_hadolint() -> None:
    done = _run(_PROGRAMS / "hadolint", ROOT / "Dockerfile")
    assert done.returncode == 0, done.stdout


def test_the_image_is_built_from_what_there_is() -> None:
    let_through = {
        line[1:]
        for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
        if line.startswith("!")
    }
    copied = {
        source
        for line in _DOCKERFILE.splitlines()
        if line.startswith("COPY ") and "--from" not in line
        for source in line.split()[1:-1]
    }
    assert copied == let_through
    assert all((ROOT / source).exists() for source in copied)


def test_the_image_has_all_that_the_wheel_is_built_from() -> None:
    built = re.findall(
        r'^    "(\w+)/tsuji\w*",$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE
    )
    assert len(built) >= 5
    assert all(f"COPY {folder} {folder}\n" in _DOCKERFILE for folder in built)


def test_a_wheel_is_built_from_what_reaches_the_builder(tmp_path: Path) -> None:
    """With all that is no code, too: queries, migrations, styles, tables."""
    copied = [line.split() for line in _DOCKERFILE.splitlines() if line.startswith("COPY ")]
    for _, *sources, target in copied:
        for source in (it for it in sources if not it.startswith("--")):
            if (ROOT / source).is_dir():
                ignored = shutil.ignore_patterns("__pycache__")
                shutil.copytree(ROOT / source, tmp_path / target, ignore=ignored)
            elif (ROOT / source).is_file():
                shutil.copy(ROOT / source, tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as opened:
        packed = set(opened.namelist())
    sources = {
        str(Path(*file.relative_to(tmp_path).parts[1:]))
        for file in tmp_path.glob("*/tsuji*/**/*")
        if file.is_file()
    }
    assert len(sources) > 300
    assert sources - packed == set()


# Kubernetes


@pytest.mark.parametrize("file", KUBERNETES, ids=lambda file: file.name)
def test_every_manifest_keeps_to_its_schema(file: Path) -> None:
    for one in yaml.safe_load_all(file.read_text(encoding="utf-8")):
        if one["kind"] == "Kustomization":
            others = {it.name for it in KUBERNETES} - {file.name, "secrets.example.yaml"}
            assert set(one["resources"]) == others
        else:
            kubernetes_validate.validate(one, _KUBERNETES, strict=True)


@pytest.mark.parametrize("name", pods())
def test_every_pod_runs_a_command_with_settings_that_there_are(name: str) -> None:
    (container,) = pods()[name]["containers"]
    assert container["args"][0] in _COMMANDS
    assert {it["name"] for it in container.get("env", ())} <= _SETTINGS
    objects = {(it["kind"], it["metadata"]["name"]): it for it in manifests()}
    for source in container.get("envFrom", ()):
        assert set(objects["ConfigMap", source["configMapRef"]["name"]]["data"]) <= _SETTINGS
    mounted = {it["name"]: it["mountPath"] for it in container["volumeMounts"]}
    for volume in pods()[name]["volumes"]:
        where = mounted[volume["name"]]
        if "secret" in volume:
            held = objects["Secret", volume["secret"]["secretName"]]["stringData"]
            asked = {
                Path(it["value"]).name
                for it in container["env"]
                if it.get("value", "").startswith(f"{where}/")
            }
            assert asked == set(held)


@pytest.mark.parametrize("name", pods())
def test_every_pod_is_admitted_as_restricted(name: str) -> None:
    pod = pods()[name]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["resources"]["limits"]["memory"]


def _selected(one: dict[str, Any]) -> list[dict[str, str]]:
    """Labels by which an object finds pods."""
    spec = one.get("spec", {})
    if one["kind"] == "Service":
        return [spec["selector"]]
    if one["kind"] == "PodDisruptionBudget":
        return [spec["selector"]["matchLabels"]]
    if one["kind"] == "NetworkPolicy":
        return [spec["podSelector"].get("matchLabels", {})]
    return []


def test_services_budgets_and_policies_find_pods() -> None:
    labels = [
        one["spec"]["template"]["metadata"]["labels"]
        for one in manifests()
        if one["kind"] in ("Deployment", "StatefulSet", "Job")
    ]
    for one in manifests():
        for wanted in _selected(one):
            assert any(wanted.items() <= found.items() for found in labels), one["metadata"]


def test_every_probe_asks_a_port_and_a_path_of_its_service() -> None:
    paths = {
        "ingest": {"/health"},
        "api": {"/v1/observed-properties", "/v1/health"},
        "dashboard": {"/assets/favicon.svg"},
    }
    for name, pod in pods().items():
        (container,) = pod["containers"]
        ports = {it["name"] for it in container.get("ports", ())}
        asked = [it["httpGet"] for key, it in container.items() if key.endswith("Probe")]
        assert {it["port"] for it in asked} == ports - ({"figures"} if "http" in ports else set())
        assert {it["path"] for it in asked} == paths.get(name, set())


# systemd


def _installed_here(folder: Path) -> list[Path]:
    """The units with the programs of this environment, since those must be there."""
    made = []
    for source in UNITS:
        text = source.read_text(encoding="utf-8")
        assert "ExecStart=/opt/tsuji/bin/tsuji " in text
        target = folder / source.name.replace("@.", "@1.")
        target.write_text(text.replace("/opt/tsuji/bin", str(_PROGRAMS)), encoding="utf-8")
        made.append(target)
    return made


def test_systemd_takes_the_units_and_finds_them_confined(tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    assert program, "systemd-analyze is missing: apt-get install systemd"
    units = _installed_here(tmp_path)
    done = _run(program, "verify", "--man=no", *units)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    for one in units:
        judged = _run(program, "security", "--offline=yes", f"--threshold={_EXPOSURE}", one)
        assert judged.returncode == 0, judged.stdout


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_every_unit_runs_a_command_with_settings_and_credentials_that_there_are(
    path: Path,
) -> None:
    service = unit(path)
    assert service["ExecStart"][0].split()[1] in _COMMANDS
    given = dict(it.split("=", 1) for it in service["Environment"])
    assert set(given) <= _SETTINGS
    loaded = {it.split(":")[0] for it in service["LoadCredential"]}
    assert {it.removeprefix("%d/") for it in given.values() if it.startswith("%d/")} == loaded


def test_both_who_count_addresses_believe_the_ingress() -> None:
    (settings,) = (it["data"] for it in manifests() if it["kind"] == "ConfigMap")
    assert settings["TSUJI_DASHBOARD_PROXIES"] == settings["TSUJI_API_PROXIES"]


def test_units_start_before_their_database_and_the_migration_tries_again() -> None:
    # a unit that requires another is not started, and never again, where that one fails once
    for path in UNITS:
        assert "\nRequires=" not in path.read_text(encoding="utf-8"), path.name
    for name in ("tsuji-api", "tsuji-ingest@"):
        text = next(it for it in UNITS if it.stem == name).read_text(encoding="utf-8")
        assert "\nWants=tsuji-migrate.service\n" in text
        assert re.search(r"^After=.* tsuji-migrate\.service( |$)", text, re.MULTILINE)
    migration = unit(next(it for it in UNITS if it.stem == "tsuji-migrate"))
    assert migration["Restart"] == ["on-failure"]


def test_the_settings_of_all_units_are_there() -> None:
    lines = (ROOT / "deploy" / "systemd" / "tsuji.env").read_text(encoding="utf-8").splitlines()
    assert {it.split("=")[0] for it in lines if it and not it.startswith("#")} <= _SETTINGS
