"""Which believed readings look wrong all the same: the one table of thresholds, per observed property.

A reading outside its plausible range (`properties.py`) or from the future (`messages.py`) is refused.
One that a sensor could report, but hardly did, is kept as it is and flagged:

- **step**: it differs from most of the readings just before it by more than is believable. It is
  compared with the `COMPARED` readings before it that are at most `longest_gap` older, if there are
  two or more; the limit for each is `at_once + per_minute * minutes between the two`; where more than
  half of them differ by more, it is a step. So a spike is flagged and the return from it is not, a
  sensor that flaps is flagged for as long as it does, and a new level is flagged until three readings
  have confirmed it.
- **stuck**: it and all readings before it, over at least `after` and at least `readings` of them, are
  exactly the same, and not of a size at which that is natural (no rain, calm wind, night).

Flags are derived whenever readings are read, from the readings alone: they hang neither on the order
of arrival nor on when anybody looked, and a threshold that is changed here holds for the past as well.

Sources: WMO-No. 8, Guide to Instruments and Methods of Observation, on measurements at automatic
stations; I. Zahumenský (2004), Guidelines on Quality Control Procedures for Data from Automatic
Weather Stations. Both ask of one-minute values a largest change from one to the next, above which a
value is suspect, and in some cases a second one, above which it is erroneous, and a smallest change
within 60 minutes: 0.1 °C, 1 %, 0.1 hPa, 0.5 m/s, 10°. Where and why this table differs:

- Of the two limits for a change the second is taken (15 %, 2 hPa, 20 m/s; temperature has one limit
  only, 3 °C, and of irradiance's the lower, 800 W/m², is taken): street sensors report single values
  as often as means, a shower moistens the air within minutes, and a gust of 18 m/s alone presses with
  2 hPa (½ρv²).
- Things report every 1 to 10 minutes, not every minute. `per_minute` widens the limit with the gap,
  by what weather really does over an hour: 12 hPa as a typhoon lands, 6 °C in a thunderstorm's
  outflow, and 45 % of humidity within half an hour, which an outflow of 10 °C makes of 50 %.
  Beyond `longest_gap` a change says nothing.
- Persistence asks for exact equality over 3 hours and more instead of a smallest change within one
  hour: cheap sensors report whole units, and a foggy night holds them still.
- Rain, counts, light, sound and directions jump by nature, so no change is asked of them; for PM2.5,
  density and counts the sources say nothing, and the values are ours.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType

COMPARED = 5
"""How many of the readings before it a reading is compared with."""


class Flag(StrEnum):
    """What looks wrong with a reading that is kept."""

    STEP = "step"
    STUCK = "stuck"


@dataclass(frozen=True, slots=True, kw_only=True)
class StepLimit:
    """The largest believable change, in the property's unit.

    Attributes:
        at_once: between two readings, however close.
        per_minute: what each minute between them adds.
        longest_gap: readings farther apart are not compared.
    """

    at_once: float
    per_minute: float
    longest_gap: timedelta = timedelta(minutes=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class StuckLimit:
    """How long a reading may stay exactly the same.

    Attributes:
        after: shortest time from the first of the same readings to the flagged one.
        readings: fewest readings in it, both ends included.
        steady_up_to: at this value and below, staying the same is natural; None for nowhere.
        steady_from: at this value and above, likewise.
    """

    after: timedelta
    readings: int = 12
    steady_up_to: float | None = None
    steady_from: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityRule:
    """One row of the table; None where the question is not asked."""

    observed_property: str
    step: StepLimit | None = None
    stuck: StuckLimit | None = None


def _hours(hours: float) -> timedelta:
    return timedelta(hours=hours)


_TABLE = (
    QualityRule(
        observed_property="air_temperature",
        step=StepLimit(at_once=3, per_minute=0.1),
        stuck=StuckLimit(after=_hours(6)),
    ),
    QualityRule(
        observed_property="relative_humidity",
        step=StepLimit(at_once=15, per_minute=1),
        stuck=StuckLimit(after=_hours(6), steady_from=98),  # fog, and sensors that end at 99
    ),
    QualityRule(
        observed_property="air_pressure",
        step=StepLimit(at_once=2, per_minute=0.2),
        stuck=StuckLimit(after=_hours(6)),
    ),
    QualityRule(
        observed_property="wind_speed",
        step=StepLimit(at_once=20, per_minute=0),
        stuck=StuckLimit(after=_hours(3), steady_up_to=0.5),  # calm, and where cups begin to turn
    ),
    QualityRule(
        observed_property="wind_from_direction",
        stuck=StuckLimit(after=_hours(12), readings=24, steady_up_to=0),  # 0: calm; vanes rest, too
    ),
    QualityRule(
        observed_property="rainfall",
        stuck=StuckLimit(after=_hours(6), steady_up_to=0),
    ),
    QualityRule(
        observed_property="solar_irradiance",
        step=StepLimit(at_once=800, per_minute=5),
        stuck=StuckLimit(after=_hours(3), steady_up_to=5),  # night
    ),
    QualityRule(
        observed_property="illuminance",
        stuck=StuckLimit(after=_hours(6), steady_up_to=100),  # night under lamps
    ),
    QualityRule(
        observed_property="pm2_5",
        step=StepLimit(at_once=100, per_minute=2),
        stuck=StuckLimit(after=_hours(12), readings=24, steady_up_to=2),  # clean air, whole µg/m³
    ),
    QualityRule(
        observed_property="sound_level",
        stuck=StuckLimit(after=_hours(6), steady_up_to=35),  # where microphones end
    ),
    QualityRule(
        observed_property="pedestrians_in",
        stuck=StuckLimit(after=_hours(6), steady_up_to=0),
    ),
    QualityRule(
        observed_property="pedestrians_out",
        stuck=StuckLimit(after=_hours(6), steady_up_to=0),
    ),
    QualityRule(
        observed_property="pedestrians",
        stuck=StuckLimit(after=_hours(6), steady_up_to=0),
    ),
    QualityRule(
        observed_property="pedestrian_density",
        stuck=StuckLimit(after=_hours(6), steady_up_to=0.1),  # nobody
    ),
)

QUALITY_RULES: Mapping[str, QualityRule] = MappingProxyType(
    {r.observed_property: r for r in _TABLE}
)
"""What is asked of the readings of each observed property, by its id."""
