"""Finds or fetches the Chromium that browser tests and screenshots use.

`python -m tsuji_platform.runtime.browser` prints its path, so that a script can prepare a fresh machine.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tsuji_platform.runtime import debian
from tsuji_platform.runtime.basics import Progress, SetupError, quiet
from tsuji_platform.runtime.files import write
from tsuji_platform.runtime.home import programs_folder

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_PACKAGES = ("chromium", "fonts-noto-cjk")

CHROMIUM = debian.Recipe(
    name="chromium",
    label="Chromium and Japanese fonts",
    suite="trixie",
    packages=_PACKAGES,
    programs=("usr/lib/chromium/chromium", "usr/lib/chromium/chrome_crashpad_handler"),
    check=("usr/lib/chromium/chromium", "--version"),
    left_out=("./usr/share/icons", "./usr/lib/chromium/chrome-sandbox"),
)

_FONTS = """\
<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd">
<fontconfig>
  <dir>{tree}/usr/share/fonts</dir>
  <dir>/usr/share/fonts</dir>
  <cachedir prefix="xdg">fontconfig</cachedir>
</fontconfig>
"""
_WRAPPER = """\
#!/bin/sh
export FONTCONFIG_FILE='{tree}/fonts.conf'
exec '{tree}/usr/lib/chromium/chromium' "$@"
"""


def find() -> Path | None:
    """Return the Chromium that is there, installed or fetched before; None where there is none."""
    for name in _NAMES:
        found = shutil.which(name)
        if found:
            return Path(found)
    wrapper = programs_folder() / CHROMIUM.name / "chromium"
    return wrapper if debian.fetched(CHROMIUM, programs_folder()) and wrapper.exists() else None


def ensure(progress: Progress = quiet) -> Path:
    """Return a Chromium, installing (as root) or fetching it where there is none.

    Raises:
        SetupError: where it cannot be had.
    """
    found = find()
    if found:
        return found
    if os.geteuid() == 0 and shutil.which("apt-get"):
        progress(f"installing {' and '.join(_PACKAGES)}")
        _install()
        found = find()
        if found:
            return found
    tree = debian.fetch(CHROMIUM, programs_folder(), progress)
    # Fonts are found by absolute paths, which only now are known.
    write(tree / "fonts.conf", _FONTS.format(tree=tree))
    write(tree / "chromium", _WRAPPER.format(tree=tree), mode=0o755)
    return tree / "chromium"


def _install() -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (
        ["apt-get", "-q", "update"],
        ["apt-get", "-q", "install", "-y", "--no-install-recommends", *_PACKAGES],
    ):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SetupError(f"{' '.join(command)} failed:\n{done.stderr.strip()}")


def main() -> None:
    """Print the path of a Chromium, and what is done for it on the side."""
    try:
        path = ensure(lambda line: print(line, file=sys.stderr))
    except SetupError as error:
        sys.exit(str(error))
    print(path)


if __name__ == "__main__":
    main()
