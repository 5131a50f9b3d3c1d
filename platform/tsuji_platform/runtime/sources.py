"""Reads the machine's own apt sources, to learn which Debian mirror it uses and which keys it trusts."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_RELEASES = re.compile(
    r"(buster|bullseye|bookworm|trixie|forky|duke|sid|oldstable|stable|testing|unstable)/?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirror:
    """One place that the machine fetches Debian from.

    Attributes:
        uri: its address.
        suites: what is fetched from it.
        signed_by: path of the keyring or the key itself as it stood; empty for apt's default.
        trusted: whether the administrator told apt not to check signatures there.
    """

    uri: str
    suites: tuple[str, ...]
    signed_by: str = ""
    trusted: bool = False

    @property
    def is_release(self) -> bool:
        """Whether whole releases of Debian come from here; other vendors use other suite names."""
        return any(_RELEASES.fullmatch(suite) for suite in self.suites)

    @property
    def is_security(self) -> bool:
        """Whether security updates come from here."""
        return any(suite.endswith("-security") for suite in self.suites)

    def stanza(self, suite: str) -> str:
        """Write the mirror for another suite, in apt's deb822 form."""
        lines = ["Types: deb", f"URIs: {self.uri}", f"Suites: {suite}", "Components: main"]
        if self.signed_by:
            lines.append("Signed-By: " + self.signed_by.replace("\n", "\n "))
        if self.trusted:
            lines.append("Trusted: yes")
        return "\n".join(lines) + "\n"


def read_mirrors(etc: Path = Path("/etc/apt")) -> list[Mirror]:
    """Return the mirrors of the machine's enabled sources of packages, in the order of their files."""
    files = [etc / "sources.list", *sorted((etc / "sources.list.d").glob("*"))]
    mirrors: list[Mirror] = []
    for file in files:
        if file.suffix not in (".list", ".sources"):
            continue
        try:
            text = file.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        mirrors.extend(parse_deb822(text) if file.suffix == ".sources" else parse_one_line(text))
    return list(dict.fromkeys(mirrors))


def parse_one_line(text: str) -> Iterator[Mirror]:
    """Read sources of the form `deb [options] uri suite component…`."""
    for raw in text.splitlines():
        found = re.fullmatch(
            r"deb\s+(?:\[(?P<options>[^\]]*)\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)(?P<components>(?:\s+\S+)*)",
            raw.partition("#")[0].strip(),
        )
        if found is None or "main" not in found["components"].split():
            continue
        options = dict(
            option.partition("=")[::2] for option in (found["options"] or "").lower().split()
        )
        # Paths keep their case: only the names of the options may be folded.
        signed = re.search(r"signed-by=(\S+)", found["options"] or "", re.IGNORECASE)
        yield Mirror(
            uri=found["uri"],
            suites=(found["suite"],),
            signed_by=signed[1] if signed else "",
            trusted=options.get("trusted") == "yes",
        )


def parse_deb822(text: str) -> Iterator[Mirror]:
    """Read sources of the form `Types: deb` and so on, one stanza per source."""
    for stanza in re.split(r"\n[ \t]*\n", "\n".join(_without_comments(text))):
        fields = _fields(stanza)
        if (
            "deb" not in fields.get("types", "").split()
            or fields.get("enabled", "yes").lower() in ("no", "false", "0", "off", "without")
            or "main" not in fields.get("components", "").split()
        ):
            continue
        for uri in fields.get("uris", "").split():
            yield Mirror(
                uri=uri,
                suites=tuple(fields.get("suites", "").split()),
                signed_by=fields.get("signed-by", ""),
                trusted=fields.get("trusted", "").lower() in ("yes", "true", "1"),
            )


def _without_comments(text: str) -> Iterator[str]:
    return (line for line in text.splitlines() if not line.startswith("#"))


def _fields(stanza: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    name = ""
    for line in stanza.splitlines():
        if line[:1] in (" ", "\t"):
            if name:
                fields[name] = f"{fields[name]}\n{line[1:]}".lstrip("\n")
        elif ":" in line:
            name, _, value = line.partition(":")
            name = name.strip().lower()
            fields[name] = value.strip()
    return fields
