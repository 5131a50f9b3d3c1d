"""Fetches programs on Debian through the machine's own apt, into a folder, without root.

Only signed package lists of the machine's own mirror are used; apt checks every file against them. The
machine's packages and apt's state are left alone: lists, cache and the (empty) list of installed packages
are private, so apt itself works out everything that a program needs.
"""

import fcntl
import json
import os
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
from tsuji_platform.runtime.basics import Progress, SetupError, quiet
from tsuji_platform.runtime.sources import Mirror, read_mirrors

_ONLY_FOR_SCRIPTS = re.compile(
    r"""perl.*|libperl.*|lib.*-perl|debconf.*|libdebconfclient0|adduser|passwd|login\.defs|base-passwd
    |init-system-helpers|sysvinit-utils|systemd|systemd-sysusers|libllvm.*|libz3-4|locales|libc-l10n|libc-bin
    |procps|libproc2-0|libncursesw6|ucf|sensible-utils|netbase|openssl|openssl-provider-legacy|ssl-cert
    |postgresql-common.*|postgresql-client-common|libpam-modules.*|libsemanage.*|libsepol2|libdb5\.3.*
    |libgdbm.*|readline-common|gcc-.*-base|libaudit-common|libsasl2-modules-db|libc-gconv-modules-extra
    |libmount1|libblkid1|libsystemd-shared|media-types|mailcap|shared-mime-info|dbus.*|ucf""",
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
_DOWNLOAD_TIMEOUT_S = 900


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
    if not _release_mirrors():
        return "apt's sources name no mirror of Debian"
    return None


def fetched(recipe: Recipe, programs: Path) -> Path | None:
    """Return the tree where it was fetched before, otherwise None."""
    tree = programs / recipe.name
    return tree if (tree / _COMPLETE).is_file() else None


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
    programs.mkdir(parents=True, exist_ok=True)
    programs.chmod(0o755)
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
    apt = _Apt.first_that_works(recipe.suite, work, recipe.packages)
    wanted = apt.resolve(recipe.packages)
    chosen = [package for package in wanted if not _ONLY_FOR_SCRIPTS.fullmatch(package.name)]
    megabytes = sum(package.size for package in chosen) / 1e6
    progress(f"fetching {recipe.label} from Debian {recipe.suite} ({megabytes:.0f} MB)")
    tree = work / "tree"
    tree.mkdir(mode=0o755)
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
    (tree / _COMPLETE).write_text(json.dumps({"suite": recipe.suite, "packages": record}, indent=1))
    shutil.rmtree(final, ignore_errors=True)  # a tree without its mark is an old accident
    tree.rename(final)
    return final


def _unpack(files: Sequence[Path], tree: Path, left_out: Sequence[str]) -> None:
    exclude = [f"--exclude={pattern}" for pattern in (*_LEFT_OUT, *left_out)]
    for file in files:
        with subprocess.Popen(
            ["dpkg-deb", "--fsys-tarfile", str(file)], stdout=subprocess.PIPE
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Package:
    name: str
    version: str
    size: int


class _Apt:
    """The machine's apt with lists, cache and configuration of its own."""

    def __init__(self, folder: Path, sources: str) -> None:
        self._folder = folder
        for inside in ("lists/partial", "cache/archives/partial", "state", "parts"):
            (folder / inside).mkdir(parents=True, exist_ok=True)
        (folder / "status").touch()
        (folder / "apt.sources").write_text(sources)
        (folder / "apt.conf").write_text(self._configuration())

    def _configuration(self) -> str:
        # Proxies and the like come from the machine; its hooks and pins do not concern us.
        dump = subprocess.run(
            ["apt-config", "dump", "Acquire"], capture_output=True, text=True, check=False
        ).stdout
        acquire = [line for line in dump.splitlines() if "IndexTargets" not in line]
        own = {
            "Dir::Etc::Main": "/dev/null",
            "Dir::Etc::Parts": f"{self._folder}/parts",
            "Dir::Etc::SourceList": f"{self._folder}/apt.sources",
            "Dir::Etc::SourceParts": f"{self._folder}/parts",
            "Dir::Etc::Preferences": "/dev/null",
            "Dir::Etc::PreferencesParts": f"{self._folder}/parts",
            "Dir::State": f"{self._folder}/state",
            "Dir::State::Lists": f"{self._folder}/lists",
            "Dir::State::status": f"{self._folder}/status",
            "Dir::Cache": f"{self._folder}/cache",
            "Acquire::Languages": "none",
            "Acquire::Retries": "3",
            "Debug::NoLocking": "true",
        }
        if os.geteuid() == 0:
            own["APT::Sandbox::User"] = "root"  # the usual one cannot write to our folder
        return "\n".join([*acquire, *(f'{name} "{value}";' for name, value in own.items())]) + "\n"

    def run(self, *arguments: str) -> str:
        """Run apt-get and return what it printed.

        Raises:
            SetupError: with apt's own words.
        """
        environment = {**os.environ, "APT_CONFIG": f"{self._folder}/apt.conf", "LC_ALL": "C"}
        try:
            done = subprocess.run(
                ["apt-get", "-q", *arguments],
                env=environment,
                cwd=self._folder / "cache" / "archives",
                capture_output=True,
                text=True,
                check=False,
                timeout=_DOWNLOAD_TIMEOUT_S,
                stdin=subprocess.DEVNULL,
            )
        except subprocess.TimeoutExpired as error:
            raise SetupError(f"apt-get {arguments[0]} took over {error.timeout:.0f} s") from error
        if done.returncode:
            said = [line for line in done.stderr.splitlines() if line.startswith(("E:", "W:"))]
            raise SetupError(f"apt-get {arguments[0]}: " + "; ".join(said or ["it failed"])[:600])
        return done.stdout

    @classmethod
    def first_that_works(cls, suite: str, work: Path, packages: Sequence[str]) -> "_Apt":
        """Return an apt whose lists of `suite` are there, from the first mirror that has them."""
        errors = []
        for number, sources in enumerate(_possible_sources(suite)):
            apt = cls(work / f"apt-{number}", sources)
            try:
                apt.run("update", "--error-on=any")
                apt.resolve(packages)
            except SetupError as error:
                errors.append(str(error))
            else:
                return apt
        raise SetupError(errors[-1] if errors else "apt's sources name no mirror of Debian")

    def resolve(self, packages: Sequence[str]) -> list[_Package]:
        """Return everything that has to be there for `packages`."""
        out = self.run("install", "-y", "--no-install-recommends", "--print-uris", *packages)
        found = []
        for line in out.splitlines():
            match = re.match(r"'[^']+' ([^_ ]+)_([^_ ]+)_[^_ ]+\.deb (\d+) ", line)
            if match:
                name, version, size = match.groups()
                found.append(
                    _Package(name=name, version=version.replace("%3a", ":"), size=int(size))
                )
        return found

    def download(self, packages: Sequence[_Package]) -> list[Path]:
        """Return the files of the packages, checked by apt against the signed lists."""
        if packages:
            self.run("download", *(f"{package.name}={package.version}" for package in packages))
        return sorted((self._folder / "cache" / "archives").glob("*.deb"))


def _release_mirrors() -> list[Mirror]:
    mirrors = [mirror for mirror in read_mirrors() if mirror.is_release]
    # Other vendors may name their suites after Debian's releases: those signed by Debian's key go first.
    return sorted(mirrors, key=lambda mirror: "debian-archive" not in mirror.signed_by)


def _possible_sources(suite: str) -> Iterator[str]:
    for mirror in _release_mirrors():
        release = mirror.stanza(suite)
        if suite != "testing":
            for security in read_mirrors():
                if security.is_security:
                    yield release + "\n" + security.stanza(f"{suite}-security")
        yield release


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
