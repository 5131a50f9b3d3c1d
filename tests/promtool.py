"""Prometheus' own judge of its files, Debian's, which is fetched where the machine hasn't got it."""

import shutil
import subprocess
from functools import cache
from pathlib import Path

from tsuji_platform.runtime import debian
from tsuji_platform.runtime.home import programs_folder

_RECIPE = debian.Recipe(
    name="promtool",
    label="Prometheus' promtool",
    suite="trixie",
    packages=("prometheus",),
    programs=("usr/bin/promtool",),
    check=("usr/bin/promtool", "--version"),
    left_out=("./usr/bin/prometheus", "./usr/share/fonts", "./usr/share/javascript"),
)


@cache
def program() -> Path:
    """Where it is."""
    found = shutil.which("promtool")
    if found:
        return Path(found)
    return debian.fetch(_RECIPE, programs_folder()) / _RECIPE.programs[0]


def judge(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run it; what it says is in stdout and stderr."""
    return subprocess.run(
        [program(), *map(str, arguments)], capture_output=True, text=True, check=False, timeout=180
    )
