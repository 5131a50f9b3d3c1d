"""The observed properties: the one table that fixes id, unit, plausible range and how each aggregates.

Names follow CF standard names where there is one; units are UCUM. The plausible range is what a
working sensor can report in Japan, records with a margin included (41.8 °C in 2025, −41.0 °C in
1902; 870 hPa, the lowest pressure measured at sea level; 153 mm of rain in one hour in 1999): a
value outside is rejected, not clipped.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class Aggregation(StrEnum):
    """How observations of one property combine over time and over things."""

    MEAN = "mean"
    SUM = "sum"
    CIRCULAR_MEAN = "circular_mean"
    MAXIMUM = "maximum"


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedProperty:
    """One row of the table.

    Attributes:
        id: snake_case, CF-style.
        label: English name.
        label_ja: Japanese name.
        unit: UCUM code of every result of this property.
        unit_label: the unit as people write it.
        low: smallest plausible result, inclusive.
        high: largest plausible result, inclusive.
        aggregation: how results combine.
        is_count: a whole number over `period_s` seconds, which the message must then carry.
        smart_data_model: attribute name in FIWARE's Smart Data Models, empty where there is none.
        sensorthings: definition URI for a SensorThings ObservedProperty, empty where there is none.
    """

    id: str
    label: str
    label_ja: str
    unit: str
    unit_label: str
    low: float
    high: float
    aggregation: Aggregation
    is_count: bool = False
    smart_data_model: str = ""
    sensorthings: str = ""


_CF = "http://vocab.nerc.ac.uk/standard_name/"

_TABLE = (
    ObservedProperty(
        id="air_temperature", label="Air temperature", label_ja="気温", unit="Cel", unit_label="°C",
        low=-50, high=60, aggregation=Aggregation.MEAN,
        smart_data_model="temperature", sensorthings=_CF + "air_temperature/",
    ),
    ObservedProperty(
        id="relative_humidity", label="Relative humidity", label_ja="相対湿度", unit="%", unit_label="%",
        low=0, high=100, aggregation=Aggregation.MEAN,
        smart_data_model="relativeHumidity", sensorthings=_CF + "relative_humidity/",
    ),
    ObservedProperty(
        id="air_pressure", label="Air pressure", label_ja="気圧", unit="hPa", unit_label="hPa",
        low=600, high=1100, aggregation=Aggregation.MEAN,
        smart_data_model="atmosphericPressure", sensorthings=_CF + "air_pressure/",
    ),
    ObservedProperty(
        id="wind_speed", label="Wind speed", label_ja="風速", unit="m/s", unit_label="m/s",
        low=0, high=120, aggregation=Aggregation.MEAN,
        smart_data_model="windSpeed", sensorthings=_CF + "wind_speed/",
    ),
    ObservedProperty(
        id="wind_from_direction", label="Wind direction (from)", label_ja="風向", unit="deg",
        unit_label="°", low=0, high=360, aggregation=Aggregation.CIRCULAR_MEAN,
        smart_data_model="windDirection", sensorthings=_CF + "wind_from_direction/",
    ),
    ObservedProperty(
        id="rainfall", label="Rainfall", label_ja="降水量", unit="mm", unit_label="mm",
        low=0, high=500, aggregation=Aggregation.SUM,
        smart_data_model="precipitation", sensorthings=_CF + "lwe_thickness_of_precipitation_amount/",
    ),
    ObservedProperty(
        id="solar_irradiance", label="Solar irradiance", label_ja="日射", unit="W/m2",
        unit_label="W/m²", low=-20, high=1800, aggregation=Aggregation.MEAN,
        smart_data_model="solarRadiation",
        sensorthings=_CF + "surface_downwelling_shortwave_flux_in_air/",
    ),
    ObservedProperty(
        id="illuminance", label="Illuminance", label_ja="照度", unit="lx", unit_label="lx",
        low=0, high=200_000, aggregation=Aggregation.MEAN, smart_data_model="illuminance",
    ),
    ObservedProperty(
        id="pm2_5", label="PM2.5", label_ja="PM2.5", unit="ug/m3", unit_label="µg/m³",
        low=0, high=1000, aggregation=Aggregation.MEAN, smart_data_model="pm25",
        sensorthings=_CF + "mass_concentration_of_pm2p5_ambient_aerosol_particles_in_air/",
    ),
    ObservedProperty(
        id="sound_level", label="Sound level (LAeq)", label_ja="騒音レベル (LAeq)", unit="dB[SPL]",
        unit_label="dB", low=0, high=160, aggregation=Aggregation.MAXIMUM,
        smart_data_model="LAeq", sensorthings=_CF + "sound_pressure_level_in_air/",
    ),
    ObservedProperty(
        id="pedestrians_in", label="People counted, inward", label_ja="通行人数 (流入)",
        unit="{person}", unit_label="people", low=0, high=1_000_000,
        aggregation=Aggregation.SUM, is_count=True, smart_data_model="peopleCountTowards",
    ),
    ObservedProperty(
        id="pedestrians_out", label="People counted, outward", label_ja="通行人数 (流出)",
        unit="{person}", unit_label="people", low=0, high=1_000_000,
        aggregation=Aggregation.SUM, is_count=True, smart_data_model="peopleCountAway",
    ),
    ObservedProperty(
        id="pedestrians", label="People counted, both ways", label_ja="通行人数 (両方向)",
        unit="{person}", unit_label="people", low=0, high=1_000_000,
        aggregation=Aggregation.SUM, is_count=True, smart_data_model="peopleCount",
    ),
    ObservedProperty(
        id="pedestrian_density", label="Pedestrian density", label_ja="歩行者密度",
        unit="{person}/m2", unit_label="people/m²", low=0, high=15,
        aggregation=Aggregation.MAXIMUM,
    ),
)  # fmt: skip

OBSERVED_PROPERTIES: Mapping[str, ObservedProperty] = MappingProxyType({p.id: p for p in _TABLE})
"""Every observed property by id, in the order in which lists show them."""
