"""What the files of a deployment say, in a form that tests can hold against the code."""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
OURS: dict[str, Any] = {
    name: one for name, one in COMPOSE["services"].items() if one["image"].startswith("tsuji:")
}
KUBERNETES = sorted((ROOT / "deploy" / "kubernetes").glob("*.yaml"))
UNITS = sorted((ROOT / "deploy" / "systemd").glob("*.service"))
_DEFAULT = re.compile(r"\$\{\w+:-([^}]*)\}")


def environment(service: str) -> dict[str, str]:
    """What compose.yaml gives to a service where nobody sets anything."""
    return {
        name: _DEFAULT.sub(r"\1", str(value))
        for name, value in OURS[service].get("environment", {}).items()
    }


@cache
def manifests() -> list[dict[str, Any]]:
    """All objects of Kubernetes, without the list of its files."""
    return [
        one
        for file in KUBERNETES
        for one in yaml.safe_load_all(file.read_text(encoding="utf-8"))
        if one["kind"] != "Kustomization"
    ]


@cache
def pods() -> dict[str, dict[str, Any]]:
    """The pods' specifications by the names of what makes them."""
    return {
        one["metadata"]["name"]: one["spec"]["template"]["spec"]
        for one in manifests()
        if one["kind"] in ("Deployment", "StatefulSet", "Job")
    }


def unit(path: Path) -> Mapping[str, list[str]]:
    """The `[Service]` section of a unit of systemd."""
    section = ""
    found: dict[str, list[str]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            section = line
        elif section == "[Service]" and "=" in line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found
