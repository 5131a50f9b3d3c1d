"""Fetches programs on Debian through the machine's own apt, into a folder, without root.

Only signed package lists of the machine's own mirror are used; apt checks every file against them. The
machine's packages and apt's state are left alone: lists, cache and the (empty) list of installed packages
are private, so apt itself works out everything that a program needs.
"""

import fcntl
import json
import platform
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tsuji_platform.runtime import elf
from tsuji_platform.runtime.account import service_account
from tsuji_platform.runtime.apt import Apt, release_mirrors
from tsuji_platform.runtime.basics import Progress, SetupError, quiet
from tsuji_platform.runtime.process import launcher

_ONLY_FOR_SCRIPTS = re.compile(
    r"""perl.*|libperl.*|lib.*-perl|debconf.*|libdebconfclient0|adduser|passwd|login\.defs|base-passwd
    |init-system-helpers|sysvinit-utils|systemd|systemd-sysusers|libllvm.*|libz3-4|locales|libc-l10n|libc-bin
    |procps|libproc2-0|libncursesw6|ucf|sensible-utils|netbase|openssl|openssl-provider-legacy|ssl-cert
    |postgresql-common.*|postgresql-client-common|libpam-modules.*|libsemanage.*|libsepol2|libdb5\.3.*
    |libgdbm.*|readline-common|gcc-.*-base|libaudit-common|libsasl2-modules-db|libc-gconv-modules-extra
    |libsystemd-shared""",
    re.VERBOSE,
)
"""What packages ask for to be installed, not to run. Should a program need one after all, the check of its
libraries notices and everything is fetched."""

_LEFT_OUT = (
    "./usr/share/doc",
    "./usr/share/man",
    "./usr/share/locale",
    "./usr/share/lintian",
    "./usr/share/bug",
    "./etc",
    "./var",
    "*/bitcode",
    "*/llvmjit*",
)
_COMPLETE = "tree.json"
_NEEDED_TOOLS = ("apt-get", "apt-config", "dpkg", "dpkg-deb", "tar")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What to fetch, and what of it has to run.

    Attributes:
        name: the tree's folder.
        label: for people.
        suite: Debian's release.
        packages: their dependencies come by themselves.
        programs: patterns, relative to the tree, of the programs to make runnable.
        plugins: patterns of libraries that they load by name at run time.
        check: the program and arguments that must succeed before the tree counts.
        left_out: patterns of what is not unpacked, on top of documentation.
    """

    name: str
    label: str
    suite: str
    packages: tuple[str, ...]
    programs: tuple[str, ...]
    plugins: tuple[str, ...] = ()
    check: tuple[str, ...]
    left_out: tuple[str, ...] = ()


POSTGRESQL = Recipe(
    name="postgresql-17-timescaledb",
    label="PostgreSQL 17 with TimescaleDB",
    suite="trixie",
    packages=("postgresql-17-timescaledb",),
    programs=("usr/lib/postgresql/17/bin/*",),
    plugins=("usr/lib/postgresql/17/lib/*.so",),
    check=("usr/lib/postgresql/17/bin/postgres", "--version"),
)
MOSQUITTO = Recipe(
    name="mosquitto-sqlite",
    label="Mosquitto with its SQLite persistence",
    suite="testing",
    packages=("mosquitto",),
    programs=("usr/sbin/mosquitto",),
    plugins=("usr/lib/*/mosquitto/mosquitto_persist_sqlite.so",),
    check=("usr/sbin/mosquitto", "-h"),
)
RECIPES = {recipe.name: recipe for recipe in (POSTGRESQL, MOSQUITTO)}


def obstacle() -> str | None:
    """Say why nothing can be fetched on this machine; None where it can be tried."""
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        release = {}
    if release.get("ID") != "debian":
        return f"this system is {release.get('PRETTY_NAME', 'unknown')}, not Debian"
    for tool in _NEEDED_TOOLS:
        if shutil.which(tool) is None:
            return f"the program {tool} is missing"
    if not release_mirrors():
        return "apt's sources name no mirror of Debian"
    return None


def fetched(recipe: Recipe, programs: Path) -> Path | None:
    """Return the tree where it was fetched before for this machine and place, otherwise None."""
    tree = programs / recipe.name
    try:
        record = json.loads((tree / _COMPLETE).read_text())
    except (OSError, ValueError):
        return None
    return tree if record.get("made_for") == _made_for(tree) else None


def _made_for(tree: Path) -> list[str]:
    """What a tree is bound to: the loader's full path is part of its programs."""
    return [str(tree), platform.machine()]


def fetch(recipe: Recipe, programs: Path, progress: Progress = quiet) -> Path:
    """Return the recipe's tree, fetching it first where it is not there.

    Several processes may ask at once: one fetches, the others wait. A tree appears under its name only
    when everything in it was checked.

    Args:
        recipe: what to fetch.
        programs: the folder of all trees.
        progress: told what goes on.

    Raises:
        SetupError: where it cannot be had; the message has apt's own words.
    """
    present = fetched(recipe, programs)
    if present:
        return present
    reason = obstacle()
    if reason:
        raise SetupError(f"cannot fetch {recipe.label}: {reason}")
    service_account().make_way(programs)
    with _lock(programs / f".{recipe.name}.lock"):
        present = fetched(recipe, programs)
        if present:
            return present
        for stale in programs.glob(f".{recipe.name}.part-*"):  # of those killed while they fetched
            shutil.rmtree(stale, ignore_errors=True)
        work = Path(tempfile.mkdtemp(prefix=f".{recipe.name}.part-", dir=programs))
        try:
            return _fetch(recipe, programs / recipe.name, work, progress)
        finally:
            shutil.rmtree(work, ignore_errors=True)


def _fetch(recipe: Recipe, final: Path, work: Path, progress: Progress) -> Path:
    progress(f"looking for {recipe.label} in Debian {recipe.suite}")
    apt = Apt.first_that_works(recipe.suite, work, recipe.packages)
    wanted = apt.resolve(recipe.packages)
    chosen = [package for package in wanted if not _ONLY_FOR_SCRIPTS.fullmatch(package.name)]
    megabytes = sum(package.size for package in chosen) / 1e6
    progress(f"fetching {recipe.label} ({megabytes:.0f} MB)")
    tree = work / "tree"
    tree.mkdir()
    tree.chmod(0o755)
    _unpack(apt.download(chosen), tree, recipe.left_out)
    missing = _missing(recipe, tree, final)
    if missing:
        rest = [package for package in wanted if package not in chosen]
        progress(f"fetching {len(rest)} more packages for {', '.join(sorted(missing))}")
        _unpack(apt.download(rest), tree, recipe.left_out)
        missing = _missing(recipe, tree, final)
        if missing:
            raise SetupError(
                f"{recipe.label}: Debian's packages lack the libraries {', '.join(sorted(missing))}"
            )
    _make_runnable(recipe, tree, final)
    record = {package.name: package.version for package in wanted}
    mark = {"made_for": _made_for(final), "suite": recipe.suite, "packages": record}
    (tree / _COMPLETE).write_text(json.dumps(mark, indent=1))
    shutil.rmtree(final, ignore_errors=True)  # a tree without its mark is an old accident
    tree.rename(final)
    return final


def _unpack(files: Sequence[Path], tree: Path, left_out: Sequence[str]) -> None:
    exclude = [f"--exclude={pattern}" for pattern in (*_LEFT_OUT, *left_out)]
    for file in files:
        with subprocess.Popen(
            [*launcher(), "dpkg-deb", "--fsys-tarfile", str(file)], stdout=subprocess.PIPE
        ) as package:
            done = subprocess.run(
                [
                    "tar",
                    "-x",
                    "--no-same-owner",
                    "--no-same-permissions",
                    *exclude,
                    "-C",
                    str(tree),
                ],
                stdin=package.stdout,
                capture_output=True,
                text=True,
                check=False,
                umask=0o022,
            )
        if package.returncode or done.returncode:
            raise SetupError(f"cannot unpack {file.name}: {done.stderr.strip()}")
        file.unlink()
    elf.link_sonames(elf.library_folders(tree))


def _matches(tree: Path, patterns: Sequence[str]) -> list[Path]:
    found = [path for pattern in patterns for path in sorted(tree.glob(pattern))]
    return [path for path in found if elf.is_elf(path) and not path.is_symlink()]


def _missing(recipe: Recipe, tree: Path, final: Path) -> set[str]:
    """Return the names of libraries that the programs or their plugins need and the tree has not."""
    files = _matches(tree, recipe.programs) + _matches(tree, recipe.plugins)
    _, missing = elf.Tree(tree, final).closure(files)
    return missing


def _make_runnable(recipe: Recipe, tree: Path, final: Path) -> None:
    programs = _matches(tree, recipe.programs)
    patched = elf.Tree(tree, final)
    patched.patch(programs, _matches(tree, recipe.plugins))
    program, *arguments = recipe.check
    done = subprocess.run(
        [*patched.loader_command(tree / program), *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    # mosquitto answers -h with 3; a program that cannot load its libraries answers 126, 127 or a signal.
    if done.returncode < 0 or done.returncode >= 126 or not done.stdout.strip():
        raise SetupError(f"{recipe.label} does not run here: {done.stderr.strip()}")


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
