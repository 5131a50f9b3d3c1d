"""Runs what the documentation tells people to run, as it stands, and keeps what it says."""

import contextlib
import io
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

DOCS = Path(__file__).resolve().parents[1] / "docs"
ADDRESS = "http://localhost:8000"
"""Where the documentation takes the hub to be: the only thing that is replaced."""

_FENCE = re.compile(r"^```(\w*)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One fenced block that begins with its language and the word `recipe`.

    Attributes:
        where: document and line, for people.
        language: `sh`, `python` or `js`.
        kind: what else stands behind `recipe`, such as `live`.
        text: what is to be run.
        output: of the block `text output` behind it; None where it has none.
    """

    where: str
    language: str
    kind: str
    text: str
    output: str | None


def recipes(*languages: str) -> list[Recipe]:
    """All recipes of the documentation in these languages."""
    return [
        one
        for document in sorted(DOCS.glob("*.md"))
        for one in recipes_of(document)
        if one.language in languages
    ]


def recipes_of(document: Path) -> list[Recipe]:
    """The recipes of one document."""
    text = document.read_text(encoding="utf-8")
    blocks = list(_FENCE.finditer(text))
    found = []
    for place, block in enumerate(blocks):
        word, _, kind = block[2].strip().partition(" ")
        if word != "recipe":
            continue
        behind = blocks[place + 1] if place + 1 < len(blocks) else None
        told = behind is not None and (behind[1], behind[2].strip()) == ("text", "output")
        found.append(
            Recipe(
                where=f"{document.name}:{text[: block.start()].count(chr(10)) + 1}",
                language=block[1],
                kind=kind,
                text=block[3],
                output=behind[3] if told and behind is not None else None,
            )
        )
    return found


def run(recipe: Recipe, hub: str, folder: Path) -> str:
    """Run a recipe of a shell or of Python against a hub; returns what it prints."""
    text = recipe.text.replace(ADDRESS, hub)
    if recipe.language == "sh":
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", text], cwd=folder, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.chdir(folder):
        exec(compile(text, recipe.where, "exec"), {"__name__": "__main__"})
    return "".join(f"{line.rstrip()}\n" for line in said.getvalue().rstrip("\n").split("\n"))
