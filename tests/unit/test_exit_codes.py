"""All commands end alike: 2 for wrong usage, 1 for what fails, and say why in a line of their own."""

from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import typer

from tsuji import cli, exit_codes

NOWHERE = "postgresql://nobody@127.0.0.1:9/none"
AWAY = {
    "migrate": [], "ingest": [], "simulate": [],
    "import": ["missing.csv"], "export": ["out"], "record": ["a.tsuji"],
    "replay files": ["missing.tsuji"],
    "replay melbourne": ["missing.csv", "--locations", "missing.csv"],
    "replay amedas": ["missing.csv", "--stations", "missing.csv"],
    "areas import": ["missing.geojson"], "areas list": [], "areas demo": [],
    "areas mesh": ["139", "35", "139.1", "35.1"], "areas remove": ["wards"],
    "datasets import": ["missing.csv"], "datasets list": [], "datasets show": ["wc"],
    "datasets remove": ["wc"], "alerts check": ["missing.toml"], "alerts list": [],
    "alerts rules": [], "alerts targets": [], "rejected list": [], "rejected show": ["1"],
    "rejected retry": ["1"], "rejected purge": ["--all", "--yes"], "retention show": [],
    "retention apply": [], "retention columnstore": [], "keys create": ["mine"], "keys list": [],
    "keys revoke": ["abc"], "devices add": ["pole-1"], "devices list": [],
    "devices revoke": ["pole-1"], "devices rotate": ["pole-1"], "devices rights": [],
    "devices certificate": ["missing", "--host", "broker.example.org"], "backup": ["one.tsuji-backup"],
    "restore": ["missing"], "roles list": [], "roles apply": [], "healthy": ["api"],
}  # fmt: skip
"""Arguments that are good as such, where neither files nor a database nor a broker are there."""
NEED_NOTHING = {
    "up", "doctor", "dashboard", "areas fetch", "alerts schema", "api", "simulate-past",
    "devices init", "roles sql",
}  # fmt: skip
"""Or wait for it."""


def commands(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[str]:
    inner = getattr(command, "commands", None)
    if inner is None:
        yield " ".join(path)
    else:
        for name, one in inner.items():
            yield from commands(one, (*path, name))


ALL = sorted(commands(typer.main.get_command(cli.app)))


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr("sys.argv", ["tsuji", *words])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)


@pytest.fixture(autouse=True)
def nothing_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TSUJI_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("signal.signal", lambda *_: None)


def test_every_command_is_held_to_it() -> None:
    assert set(ALL) == AWAY.keys() | NEED_NOTHING


@pytest.mark.parametrize("command", ALL)
def test_an_option_that_there_is_not_is_wrong_usage(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, *command.split(), "--no-such-option") == exit_codes.WRONG_USAGE
    assert capsys.readouterr().err.startswith(f"Usage: tsuji {command} ")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["keys", "create", "mine", "--rate", "-1"], "'-1': must be greater than or equal to 0"),
        (["keys", "create", "mine", "--rate", "ten"], "'ten': must be a valid integer"),
        (["keys", "create", "mine", "--scope", "al\x1bl"], "'al\\x1bl' is not one of 'counts'"),
        (["healthy", "broker"], "'broker' is not one of 'ingest', 'api', 'dashboard'"),
    ],
)
def test_a_value_that_an_option_can_not_take_is_quoted_with_what_it_must_be(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    said: str,
) -> None:
    assert run(monkeypatch, *words) == exit_codes.WRONG_USAGE
    shown = capsys.readouterr().err
    assert said in shown
    assert not any(foreign in shown for foreign in ("Value error", "Input should"))


@pytest.mark.parametrize("command", sorted(AWAY))
def test_what_is_not_there_is_a_failure_in_one_line(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TSUJI_DATABASE_URL", NOWHERE)
    monkeypatch.setenv("TSUJI_RAW_DAYS", "30")
    assert run(monkeypatch, *command.split(), *AWAY[command]) == exit_codes.FAILED
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("tsuji: ")


def test_a_setting_that_can_not_be_used_is_wrong_usage(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TSUJI_RAW_DAYS", "long")
    monkeypatch.setenv("TSUJI_DATABASE_URL", NOWHERE)
    assert run(monkeypatch, "retention", "show") == exit_codes.WRONG_USAGE
    assert capsys.readouterr().err == (
        "tsuji: TSUJI_RAW_DAYS: is no number of days and no length such as 90s, 15m, 1h, 7d or PT15M, "
        "got 'long'\n"
    )


def test_the_codes_are_those_of_the_documentation() -> None:
    text = (Path(__file__).parents[2] / "docs" / "commands.md").read_text(encoding="utf-8")
    told = {int(line.split("|")[1]) for line in text.splitlines() if line[:3].strip("| ").isdigit()}
    assert told == {value for name, value in vars(exit_codes).items() if name.isupper()}
