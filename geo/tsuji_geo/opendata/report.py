"""What an import did with each row, in numbers and in sentences."""

from collections import Counter
from dataclasses import dataclass, field

from tsuji_platform.contract.features import FeatureFlag

MAX_REFUSED_NOTES = 1_000
MAX_NOTES = 100
"""How many rows are named one by one, of each sort; the rest is counted."""

REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """What happened to one row.

    Attributes:
        line: where the row begins; for GeoJSON the number of the feature.
        what: a flag's value, or `refused`.
        detail: what was found, quoted, and what became of it.
    """

    line: int
    what: str
    detail: str


@dataclass(slots=True)
class Report:
    """Grows while a file is read."""

    rows: int = 0
    taken: int = 0
    refused: int = 0
    repaired: int = 0
    doubtful: int = 0
    without_position: int = 0
    without_code: int = 0
    flags: Counter[FeatureFlag] = field(default_factory=Counter)
    notes: list[Note] = field(default_factory=list)
    noted: Counter[str] = field(default_factory=Counter)

    def refuse(self, line: int, reason: str) -> None:
        """A row is not taken."""
        self.refused += 1
        self._note(line, REFUSED, reason, MAX_REFUSED_NOTES)

    def note(self, line: int, flag: FeatureFlag, detail: str) -> None:
        """Something was repaired or is in doubt."""
        self._note(line, flag.value, detail, MAX_NOTES)

    def _note(self, line: int, what: str, detail: str, most: int) -> None:
        self.noted[what] += 1
        if self.noted[what] <= most:
            self.notes.append(Note(line=line, what=what, detail=detail))

    def as_json(self) -> dict[str, object]:
        """What is stored with the dataset."""
        return {
            "rows": self.rows,
            "taken": self.taken,
            "repaired": self.repaired,
            "doubtful": self.doubtful,
            "refused": self.refused,
            "without_position": self.without_position,
            "without_code": self.without_code,
            "flags": {flag.value: count for flag, count in sorted(self.flags.items())},
            "notes": [
                {"line": one.line, "what": one.what, "detail": one.detail} for one in self.ordered()
            ],
        }

    def ordered(self) -> list[Note]:
        """What was refused before what was only marked, each by line."""
        return sorted(self.notes, key=lambda one: (one.what != REFUSED, one.what, one.line))

    def lines(self, most: int = 20) -> list[str]:
        """Say it in sentences for a terminal."""
        lines = [
            f"{self.rows:,} rows: {self.taken:,} taken ({self.repaired:,} repaired, "
            f"{self.doubtful:,} with something in doubt), {self.refused:,} refused"
        ]
        lines += [f"  {flag.value}: {count:,}" for flag, count in sorted(self.flags.items())]
        if self.without_position:
            lines.append(f"  without a position: {self.without_position:,}")
        if self.without_code:
            lines.append(f"  without a municipality code: {self.without_code:,}")
        lines += [f"line {one.line}: {one.what}: {one.detail}" for one in self.ordered()[:most]]
        left = self.noted.total() - most
        if left > 0:
            lines.append(f"… and {left:,} more")
        return lines
