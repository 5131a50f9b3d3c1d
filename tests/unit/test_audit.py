"""What is known to be wrong with a package fails the check, unless somebody looked at it not too long ago."""

import importlib.util
import json
import sys
import threading
from collections.abc import Iterator
from datetime import date, datetime, tzinfo
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType

import pytest

_ROOT = Path(__file__).resolve().parents[2]
_TODAY = date(2026, 11, 22)


@pytest.fixture(scope="module")
def audit() -> ModuleType:
    spec = importlib.util.spec_from_file_location("audit", _ROOT / "tools" / "audit.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["audit"] = module
    spec.loader.exec_module(module)
    return module


def test_the_list_of_accepted_ones_is_whole_and_none_is_too_old(audit: ModuleType) -> None:
    listed = audit.accepted((_ROOT / "tools" / "audit.toml").read_text(encoding="utf-8"))
    assert all(len(one.reason) > 20 for one in listed)
    with pytest.raises(ValueError, match="last day"):
        audit.accepted('[[accepted]]\nid = "GHSA-1"\nreason = "none"\n')


def test_what_was_accepted_passes_until_its_last_day_under_any_of_its_names(
    audit: ModuleType,
) -> None:
    found = [audit.Finding(package="a 1", ids=("PYSEC-1", "CVE-1"), fixed_in=())]
    listed = audit.accepted(
        '[[accepted]]\nid = "CVE-1"\nreason = "never used"\nuntil = 2026-11-22\n'
    )
    assert audit.verdict(found, listed, _TODAY) == []
    (late,) = audit.verdict(found, listed, date(2026, 11, 23))
    assert "a 1: PYSEC-1 CVE-1" in late
    assert "until 2026-11-22 only" in late
    (unknown,) = audit.verdict(found, [], _TODAY)
    assert "tools/audit.toml" in unknown


class _Today(datetime):
    """A clock that stands."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> "_Today":
        return cls(_TODAY.year, _TODAY.month, _TODAY.day, 12, tzinfo=tz)


class _Known(BaseHTTPRequestHandler):
    """Knows one thing, the way OSV tells it."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        vulnerable = {
            "id": "GHSA-test-test-test",
            "aliases": ["CVE-2026-1"],
            "summary": "of a test",
            "published": "2026-01-01T00:00:00Z",
            "affected": [
                {
                    "package": {"name": "typer", "ecosystem": "PyPI"},
                    "ranges": [
                        {"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "999.1"}]}
                    ],
                }
            ],
        }
        answer = {"vulns": [vulnerable]} if asked["package"]["name"] == "typer" else {}
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def mirror() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Known)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1/query"
    server.shutdown()


def test_the_lock_file_is_looked_up_once_a_day_and_a_finding_fails_the_check(
    audit: ModuleType, mirror: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    pins = audit._PIN.findall((_ROOT / "requirements.lock").read_text(encoding="utf-8"))
    assert len(pins) > 30
    lock, listed = tmp_path / "requirements.lock", tmp_path / "audit.toml"
    lock.write_text("".join(one for one in pins if one.startswith(("annotated-doc==", "typer=="))))
    listed.write_text("")
    monkeypatch.setattr(audit, "LOCK", lock)
    monkeypatch.setattr(audit, "ACCEPTED", listed)
    monkeypatch.setattr(audit, "_KEPT", tmp_path / "kept.json")
    monkeypatch.setattr(audit, "datetime", _Today)  # midnight must not come in between
    monkeypatch.delenv("AUDIT", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("AUDIT_OSV_URL", mirror)
    assert audit.main() == 1
    said = capsys.readouterr().out
    assert "GHSA-test-test-test" in said
    assert "fixed in 999.1: `make lock`" in said
    listed.write_text('[[accepted]]\nid = "CVE-2026-1"\nreason = "of a test"\nuntil = 2999-01-01\n')
    monkeypatch.setenv("AUDIT_OSV_URL", "http://127.0.0.1:9/")  # nobody is asked again today
    assert audit.main() == 0
    assert "1 known vulnerabilities, all accepted against the 2 packages" in capsys.readouterr().out
    lock.write_text(next(one for one in pins if one.startswith("annotated-doc==")))
    assert audit.main() == 0
    assert "NOT audited today" in capsys.readouterr().out
    monkeypatch.setenv("AUDIT", "strict")
    assert audit.main() == 1
