"""`tsuji alerts`, and what ingest does with files of rules that are wrong or change."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from alarmed import BUSY, HOT, Alarmed
from hub_processes import HubProcesses
from tsuji.cli import app
from tsuji_ingest.alerting.service import RulesFile, alerts_evaluated, rest_s
from tsuji_platform.analytics.alert_rules import RulesError
from tsuji_platform.settings import AlertSettings, BrokerAddress
from tsuji_platform.store.alerting import LEASE


@pytest.fixture
def alarmed(hub_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Alarmed]:
    monkeypatch.setenv("TSUJI_DATABASE_URL", hub_url)
    city = Alarmed(hub_url, HOT.replace('for = "2m"\n', "") + BUSY)
    yield city
    city.close()


def test_alerts_and_the_rules_in_force_are_listed(alarmed: Alarmed) -> None:
    alarmed.say("pole-1", 0, air_temperature=36)
    alarmed.say("gate-1", 0, pedestrians=120)
    alarmed.turn()
    for minute in (1, 4):
        alarmed.say("pole-1", minute, air_temperature=20)
    alarmed.turn()
    told = CliRunner().invoke(app, ["alerts", "list"])
    assert told.stdout.splitlines() == [
        "2026-04-01T00:00:00Z on  busy  squares/W  peak 120 {person} at 2026-04-01T00:00:00Z",
        "2026-04-01T00:00:00Z to 2026-04-01T00:01:00Z (cleared)  hot  pole-1  "
        "peak 36 Cel at 2026-04-01T00:00:00Z",
    ]
    told = CliRunner().invoke(app, ["alerts", "list", "--on"])
    assert [line.split()[2] for line in told.stdout.splitlines()] == ["busy"]
    assert CliRunner().invoke(app, ["alerts", "list", "--rule", "none"]).stdout == ""
    (line,) = CliRunner().invoke(app, ["alerts", "targets"]).stdout.splitlines()
    assert line.startswith("mqtt: 3 waiting since 2")
    assert line.endswith(", 0 given up, last told never")
    told = CliRunner().invoke(app, ["alerts", "rules"])
    assert told.stdout.splitlines() == [
        "hot: air_temperature of all things of kind smart_pole >= 35 Cel; ends < 33 for 2m",
        "busy: footfall of all areas of squares >= 100 {person}; ends < 100",
    ]


def test_a_file_is_checked_and_every_mistake_is_on_a_line(
    hub: HubProcesses, tmp_path: Path
) -> None:
    file = tmp_path / "rules.toml"
    file.write_text(HOT.replace("35", "70") + BUSY.replace("footfall", "crowds"), encoding="utf-8")
    done = hub.run("alerts", "check", str(file))
    assert done.returncode == 1
    first, second = done.stderr.splitlines()
    assert "rule 1 ('hot')" in first
    assert "rule 2 ('busy')" in second
    assert "'crowds'" in second
    hub.environment["TSUJI_ALERTS"] = str(file)
    done = hub.run("ingest")
    assert done.returncode == 1
    assert "rule 1 ('hot')" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_file_is_held_against_what_the_hub_has(
    alarmed: Alarmed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def check(text: str) -> Result:
        (tmp_path / "rules.toml").write_text(text, encoding="utf-8")
        return CliRunner().invoke(app, ["alerts", "check", str(tmp_path / "rules.toml")])

    assert check(HOT + BUSY).stderr == ""
    done = check(HOT + BUSY.replace('"squares"', '"wards"'))
    assert isinstance(done.exception, RulesError)
    assert str(done.exception) == (
        f"{tmp_path}/rules.toml: rule 2 ('busy'): areas.set: there is no area set 'wards'; there are "
        "squares (`tsuji areas list`)"
    )
    done = check(BUSY.replace('"squares"', '"squares", codes = ["W", "N", "S"]'))
    assert "areas.codes: 'squares' has no N, S; its codes are at" in str(done.exception)
    done = check(HOT.replace('kind = "smart_pole"', 'ids = ["pole-1", "pole-9"]'))
    assert done.exit_code == 0
    assert done.stderr == "hot: no thing has registered as pole-9 yet\n"
    monkeypatch.setenv("TSUJI_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    done = check(BUSY.replace('"squares"', '"wards"'))
    assert (done.exit_code, done.stdout.splitlines()[-1]) == (0, "1 rules, all good")
    assert "was not checked: the database can't serve now" in done.stderr


def test_a_file_that_changes_is_read_again_and_one_that_breaks_changes_nothing(
    tmp_path: Path,
) -> None:
    path = tmp_path / "rules.toml"

    def write(text: str) -> None:
        draft = tmp_path / "draft"
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)

    write(HOT)
    file = RulesFile(str(path))
    assert not file.changed()
    write(HOT + BUSY)
    assert not file.changed()  # it may still be written
    assert file.changed()
    assert [rule.id for rule in file.rules.rule] == ["hot", "busy"]
    write(HOT + "[[rule")
    assert [file.changed(), file.changed()] == [False, False]
    assert [rule.id for rule in file.rules.rule] == ["hot", "busy"]
    assert "is no TOML" in file.problem
    path.unlink()
    assert [file.changed(), file.changed()] == [False, False]
    assert "can't be read" in file.problem
    path.write_text("")  # as an editor leaves it for a moment
    assert not file.changed()
    write(HOT)
    assert not file.changed()
    assert file.changed()
    assert file.problem == ""


def test_whoever_evaluates_is_back_before_its_office_is_free() -> None:
    assert rest_s(0.0, False) < rest_s(0.2, False) < LEASE.total_seconds() / 2
    assert rest_s(100.0, False) <= LEASE.total_seconds() / 2
    assert 0 < rest_s(3.0, True) < 3
    assert rest_s(0.0, None) > rest_s(0.0, False)


@pytest.mark.parametrize("place", [None, "none"])
def test_without_rules_nothing_is_done(place: str | None) -> None:
    nowhere = BrokerAddress(host="127.0.0.1", port=1)
    before = set(threading.enumerate())
    with alerts_evaluated("no address", nowhere, "test", AlertSettings(alerts=place)):
        assert set(threading.enumerate()) <= before
