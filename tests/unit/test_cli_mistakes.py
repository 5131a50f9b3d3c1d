"""What a person can mend is known by its name, without importing all that could be wrong."""

import subprocess
import sys
from importlib import import_module

import pytest

from tsuji.mistakes import _OF_SETTINGS, MENDABLE, is_mendable
from tsuji_platform.store import DatabaseAwayError


@pytest.mark.parametrize("name", sorted(MENDABLE | _OF_SETTINGS))
def test_each_name_is_that_of_an_error(name: str) -> None:
    module, _, kind = name.rpartition(".")
    found = getattr(import_module(module), kind)
    assert (found.__module__, found.__qualname__) == (module, kind)
    assert issubclass(found, Exception)


def test_kinds_of_them_are_mendable_and_nothing_else_is() -> None:
    assert is_mendable(DatabaseAwayError("away"))
    assert not is_mendable(ValueError("a defect of ours"))


def test_to_know_them_loads_none_of_their_packages() -> None:
    known = "from tsuji.mistakes import is_mendable; is_mendable(OSError('x')); import sys"
    loaded = "print(*{'numpy', 'pyarrow', 'tsuji_geo', 'tsuji_simulators'} & sys.modules.keys())"
    done = subprocess.run(
        [sys.executable, "-c", f"{known}; {loaded}"], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == ""
