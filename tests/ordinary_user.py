"""A Python that runs as an ordinary user, for tests that root runs, too."""

import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import tsuji_platform
from tsuji_platform.runtime.home import data_folder


def ordinary_command(folder: Path) -> tuple[tuple[str, ...], dict[str, str]]:
    """Return a Python that runs as an ordinary user, and its environment.

    Root's Python may stand where others cannot read it. Then the system's takes its place, and where that
    will not do the user is lent the right to read everything.
    """
    packages = Path(tsuji_platform.__path__[0]).parent
    paths = [str(packages), *(path for path in sys.path if path.endswith("-packages"))]
    environment = {
        "HOME": str(folder),
        "PYTHONPATH": os.pathsep.join(paths),
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin:/usr/sbin:/sbin",
        # The fetched programs are the same for all.
        "XDG_DATA_HOME": str(data_folder().parent),
    }
    if os.geteuid() != 0:
        return (sys.executable,), environment
    nobody = pwd.getpwnam("nobody")
    shutil.chown(folder, nobody.pw_uid, nobody.pw_gid)
    switch = ("setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups")
    system = f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}"
    candidates = (
        (*switch, sys.executable),
        (*switch, system),
        (*switch, "--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search", sys.executable),
    )
    # The second start counts: setpriv itself can still reach what its user cannot.
    probe = (
        "import subprocess, sys, psycopg, tsuji_platform.runtime.private;"
        "subprocess.run([sys.executable, '-c', ''], check=True)"
    )
    for command in candidates:
        done = subprocess.run(
            [*command, "-c", probe], env=environment, cwd=folder, capture_output=True, check=False
        )
        if done.returncode == 0:
            return command, environment
    pytest.fail(f"no Python runs as an ordinary user: {done.stderr.decode()}")
