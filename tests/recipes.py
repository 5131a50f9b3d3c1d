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
    """One fenced block that begins with its language and a word such as `recipe`.

    Attributes:
        where: document and line, for people.
        language: `sh`, `python` or `js`.
        kind: what else stands behind the word, such as `live`.
        text: what is to be run.
        output: of the block `text output` behind it; None where it has none.
        like: the same of a block `text like`, where `…` stands for anything.
    """

    where: str
    language: str
    kind: str
    text: str
    output: str | None
    like: str | None

    def is_answered_by(self, said: str) -> bool:
        """Whether what it printed is as its block `text like` has it."""
        if self.like is None:
            return True
        pattern = ".*".join(re.escape(part) for part in self.like.strip().split("…"))
        return re.search(pattern, said, re.DOTALL) is not None


def recipes(*languages: str) -> list[Recipe]:
    """All recipes of the documentation in these languages."""
    return [
        one
        for document in sorted(DOCS.glob("*.md"))
        for one in recipes_of(document)
        if one.language in languages
    ]


def recipes_of(document: Path, marked: str = "recipe") -> list[Recipe]:
    """The blocks of one document that are marked with this word behind their language."""
    text = document.read_text(encoding="utf-8")
    blocks = list(_FENCE.finditer(text))
    found = []
    for place, block in enumerate(blocks):
        word, _, kind = block[2].strip().partition(" ")
        if word != marked:
            continue
        behind = blocks[place + 1] if place + 1 < len(blocks) else None
        told = {} if behind is None or behind[1] != "text" else {behind[2].strip(): behind[3]}
        found.append(
            Recipe(
                where=f"{document.name}:{text[: block.start()].count(chr(10)) + 1}",
                language=block[1],
                kind=kind,
                text=block[3],
                output=told.get("output"),
                like=told.get("like"),
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
