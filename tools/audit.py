"""Looks up what is known to be wrong with the packages of requirements.lock; `make check` runs it.

Asks PyPI, then OSV, through pip-audit; once a day for the same lock file. Where neither can be asked it says
so and lets the check go on, unless AUDIT=strict. What is found fails the check, but for what `audit.toml`
lists with a reason and a last day.

AUDIT=off asks nobody; AUDIT_OSV_URL names a mirror of OSV.
"""

import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "requirements.lock"
ACCEPTED = ROOT / "tools" / "audit.toml"
_KEPT = ROOT / ".venv" / ".tsuji-audit.json"
_LONGEST_S = 300
_PIN = re.compile(r"^\S+==.*(?:\n .*)*\n", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that is known to be wrong with a package.

    Attributes:
        package: name and version.
        ids: by which it is known, the usual one first.
        fixed_in: versions without it.
    """

    package: str
    ids: tuple[str, ...]
    fixed_in: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """Something that was looked at, and does no harm here until a day.

    Attributes:
        id: by which it is known.
        until: the last day on which it is accepted.
        reason: why.
    """

    id: str
    until: date
    reason: str


def findings(report: Mapping[str, Any]) -> tuple[list[Finding], int]:
    """What a report of pip-audit tells, and how many packages it could look up.

    Args:
        report: its JSON.
    """
    found, asked = [], 0
    for one in report["dependencies"]:
        asked += "skip_reason" not in one
        found += [
            Finding(
                package=f"{one['name']} {one['version']}",
                ids=(it["id"], *it.get("aliases", ())),
                fixed_in=tuple(it.get("fix_versions", ())),
            )
            for it in one.get("vulns", ())
        ]
    return found, asked


def accepted(text: str) -> list[Accepted]:
    """What a list of accepted ones says.

    Raises:
        ValueError: an entry lacks something.
    """
    listed = []
    for one in tomllib.loads(text).get("accepted", ()):
        if not (one.get("id") and one.get("reason") and isinstance(one.get("until"), date)):
            raise ValueError(
                f"tools/audit.toml: {one} needs an id, a reason and the last day, such as until = 2027-01-31"
            )
        listed.append(Accepted(id=one["id"], until=one["until"], reason=one["reason"]))
    return listed


def verdict(found: Sequence[Finding], listed: Sequence[Accepted], today: date) -> list[str]:
    """What fails the check, a line each, with what to do."""
    by_id = {one.id: one for one in listed}
    lines = []
    for one in found:
        known = next((by_id[it] for it in one.ids if it in by_id), None)
        if known is not None and today <= known.until:
            continue
        what = f"{one.package}: {' '.join(one.ids)}"
        if known is not None:
            lines.append(
                f"{what}: was accepted until {known.until} only ({known.reason}): look again"
            )
        elif one.fixed_in:
            lines.append(
                f"{what}: fixed in {', '.join(one.fixed_in)}: `make lock`, then `make test`"
            )
        else:
            lines.append(
                f"{what}: there is no fixed version yet: see what it does here, and replace the package or "
                "list it in tools/audit.toml with a reason and a last day"
            )
    return lines


def _report(requirements: Path, service: Sequence[str]) -> Mapping[str, Any] | None:
    """What pip-audit finds; None where the service can't be asked."""
    command = (
        sys.executable, "-m", "pip_audit", "--requirement", str(requirements), "--require-hashes",
        "--disable-pip", "--format", "json", "--progress-spinner", "off", "--timeout", "10", *service,
    )  # fmt: skip
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=_LONGEST_S
        )
        report: Mapping[str, Any] = json.loads(done.stdout)
    except (subprocess.TimeoutExpired, ValueError):
        return None
    return report if findings(report)[1] else None


def _ask() -> Mapping[str, Any] | None:
    """A report of all packages by the first service that knows any; None where none does."""
    mirror = os.environ.get("AUDIT_OSV_URL")
    services: list[tuple[str, ...]] = [("-s", "pypi"), ("-s", "osv")]
    if mirror:
        services = [("-s", "osv", "--osv-url", mirror)]
    with tempfile.TemporaryDirectory() as folder:
        one = Path(folder) / "one.txt"  # asked for one, a service says soon whether it is there
        one.write_text(_PIN.findall(LOCK.read_text(encoding="utf-8"))[0], encoding="utf-8")
        for service in services:
            report = _report(LOCK, service) if _report(one, service) is not None else None
            if report is not None:
                return report
    return None


def _lately(digest: str, today: date) -> Mapping[str, Any] | None:
    try:
        kept = json.loads(_KEPT.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    same = isinstance(kept, dict) and (kept.get("digest"), kept.get("day")) == (digest, f"{today}")
    return kept if same else None


def main() -> int:
    """Look it up and say it; 1 where the check fails."""
    how = os.environ.get("AUDIT", "")
    if how == "off":
        sys.stdout.write("audit: nobody was asked (AUDIT=off)\n")
        return 0
    today = datetime.now(UTC).date()
    digest = hashlib.sha256(LOCK.read_bytes()).hexdigest()
    kept = _lately(digest, today)
    if kept is None or (how == "strict" and kept["report"] is None):
        kept = {"digest": digest, "day": f"{today}", "report": _ask()}
        _KEPT.write_text(json.dumps(kept), encoding="utf-8")
    if kept["report"] is None:
        sys.stdout.write(
            "audit: neither PyPI nor OSV could be asked what is known of the packages of requirements.lock: "
            "NOT audited today\n"
        )
        return int(how == "strict")
    found, asked = findings(kept["report"])
    lines = verdict(found, accepted(ACCEPTED.read_text(encoding="utf-8")), today)
    for line in lines:
        sys.stdout.write(f"audit: {line}\n")
    if not lines:
        said = f"{len(found)} known vulnerabilities, all accepted" if found else "nothing is known"
        sys.stdout.write(f"audit: {said} against the {asked} packages that could be looked up\n")
    return int(bool(lines))


if __name__ == "__main__":
    sys.exit(main())
