"""What bands are called on the map and its legend: as the data API calls them, so that all say the same."""

from tsuji_platform.analytics.comfort import PM2_5_BANDS, RAIN_BANDS, WBGT_BANDS
from tsuji_platform.analytics.congestion import LEVELS, USUAL_BANDS
from tsuji_platform.analytics.derivation import Stretch

TEXTS: dict[str, tuple[str, str]] = {
    f"level.{it.id}": (it.label_ja.partition(": ")[2], it.label.partition(": ")[2]) for it in LEVELS
}


def _named(key: str, stretches: tuple[Stretch, ...]) -> None:
    for one in stretches:
        TEXTS[f"{key}.{one.band.id}"] = (one.band.label_ja, one.band.label)


_named("rain", RAIN_BANDS)
_named("wbgt", WBGT_BANDS)
_named("pm2_5", PM2_5_BANDS)
_named("usual_band", USUAL_BANDS)
# The lowest is no call to be careful: that must be said, too.
_JAPANESE, _ENGLISH = TEXTS["wbgt.caution"]
TEXTS["wbgt.caution"] = (f"{_JAPANESE}(一般に危険は少ない)", f"{_ENGLISH} (little danger)")
