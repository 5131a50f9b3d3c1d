"""What is usual for the hour that ends now, in the shape of the answers."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime

from tsuji_platform.analytics.readings import Reading
from tsuji_platform.api.typical_models import TypicalNow
from tsuji_platform.store import usual
from tsuji_platform.store.profiles import Profiles


class UsualNow:
    """As `store.usual.UsualNow`.

    Args:
        profiles: the days by their quarter hours.
        weeks: how many are looked at.
    """

    def __init__(self, profiles: Profiles, weeks: int) -> None:
        self._usual = usual.UsualNow(profiles, weeks)

    def of_areas(
        self,
        totals: Iterable[Reading],
        membership: Mapping[str, Sequence[str]],
        moment: datetime,
    ) -> dict[str, dict[str, TypicalNow]]:
        """What is usual, by area code and figure id, where there is anything to compare."""
        found = self._usual.of_areas(totals, membership, moment)
        return {code: {usual.FIGURE: TypicalNow(**asdict(it))} for code, it in found.items()}
