"""Runs the machine's own apt on private lists, so that neither its state nor its packages are touched."""

import os
import platform
import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tsuji_platform.runtime.basics import SetupError
from tsuji_platform.runtime.process import launcher
from tsuji_platform.runtime.sources import Mirror, read_mirrors

_TIMEOUT_S = 900


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """One package as apt would install it; the size is that of its file in bytes."""

    name: str
    version: str
    size: int


class Apt:
    """The machine's apt with lists, cache and configuration of its own.

    Args:
        folder: takes all of that.
        sources: where packages come from, in deb822 form.
    """

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
            "Acquire::Retries": "1",
            "Acquire::http::Timeout": "20",
            "Acquire::https::Timeout": "20",
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
                [*launcher(), "apt-get", "-q", *arguments],
                env=environment,
                cwd=self._folder / "cache" / "archives",
                capture_output=True,
                text=True,
                check=False,
                timeout=_TIMEOUT_S,
                stdin=subprocess.DEVNULL,
            )
        except subprocess.TimeoutExpired as error:
            raise SetupError(f"apt-get {arguments[0]} took over {error.timeout:.0f} s") from error
        if done.returncode:
            said = [line for line in done.stderr.splitlines() if line.startswith(("E:", "W:"))]
            raise SetupError(f"apt-get {arguments[0]}: " + "; ".join(said or ["it failed"])[:600])
        return done.stdout

    @classmethod
    def first_that_works(cls, suite: str, work: Path, packages: Sequence[str]) -> "Apt":
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

    def resolve(self, packages: Sequence[str]) -> list[Package]:
        """Return everything that has to be there for `packages`."""
        out = self.run("install", "-y", "--no-install-recommends", "--print-uris", *packages)
        found = []
        for line in out.splitlines():
            match = re.match(r"'[^']+' ([^_ ]+)_([^_ ]+)_[^_ ]+\.deb (\d+) ", line)
            if match:
                name, version, size = match.groups()
                found.append(
                    Package(name=name, version=version.replace("%3a", ":"), size=int(size))
                )
        return found

    def download(self, packages: Sequence[Package]) -> list[Path]:
        """Return the files of the packages, checked by apt against the signed lists."""
        if packages:
            self.run("download", *(f"{package.name}={package.version}" for package in packages))
        return sorted((self._folder / "cache" / "archives").glob("*.deb"))


def release_mirrors() -> list[Mirror]:
    """Return the mirrors of Debian itself that the machine uses, the likeliest first."""
    # A release newer than this file has a name that only the system itself knows.
    own = platform.freedesktop_os_release().get("VERSION_CODENAME", "")
    mirrors = [mirror for mirror in read_mirrors() if mirror.is_release or own in mirror.suites]
    # Other vendors may name their suites after Debian's releases: those signed by Debian's key go first.
    return sorted(mirrors, key=lambda mirror: "debian-archive" not in mirror.signed_by)


def _possible_sources(suite: str) -> Iterator[str]:
    for mirror in release_mirrors():
        release = mirror.stanza(suite)
        if suite != "testing":
            for security in read_mirrors():
                if security.is_security:
                    yield release + "\n" + security.stanza(f"{suite}-security")
        yield release
