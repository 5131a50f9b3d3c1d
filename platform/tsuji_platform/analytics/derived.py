"""The derived figures by name: what each is made of, from which source, and the function that makes it."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from tsuji_platform.analytics import comfort, congestion
from tsuji_platform.analytics.derivation import Derived, Inputs, Stretch


@dataclass(frozen=True, slots=True, kw_only=True)
class DerivedFigure:
    """One derived figure.

    Attributes:
        id: as in the API and in rules for alerts; no figure of `figures.FIGURES` has it.
        label: English name.
        label_ja: Japanese name.
        unit: UCUM.
        unit_label: the unit as people write it, empty where there is none.
        decimals: digits after the point.
        inputs: what it is made of: ids of `derivation.INPUTS`, or `winds`, `pm2_5_hours`.
        weather: whether it may be made of estimated weather.
        source: who defines it.
        method: one English sentence, shown beside the figure.
        method_ja: the same in Japanese.
        derive: makes it.
        bands: those that lie one above the other, with their values.
        bands_by_place: whether the bands are no stretches of its values, so that their values are places.
        lowest: no value is lower.
        highest: no value is higher.
    """

    id: str
    label: str
    label_ja: str
    unit: str
    unit_label: str
    decimals: int
    inputs: tuple[str, ...]
    weather: bool = False
    source: str
    method: str
    method_ja: str
    derive: Callable[[Inputs], Derived]
    bands: tuple[Stretch, ...] = ()
    bands_by_place: bool = False
    lowest: float = -math.inf
    highest: float = math.inf


_TYPICAL = ("typical_percent", "typical_q1", "typical_median", "typical_q3")
_PLACE = ("people_inside", "capacity")

_FIGURES = (
    DerivedFigure(
        id="congestion",
        label="Congestion",
        label_ja="混雑度",
        unit="1",
        unit_label="",
        decimals=0,
        inputs=("pedestrian_density", *_PLACE, "pedestrian_flow", *_TYPICAL),
        source="the rule that it names",
        method="A label, and the rule that gave it: the first of level of service by density, % of "
        "capacity, level of service by flow, % of typical for which there is data.",
        method_ja="判定規則つきの表示。密度によるサービス水準、定員比、流率によるサービス水準、"
        "通常比のうち、データのある最初のものによる。",
        derive=congestion.congestion,
        bands=congestion.CONGESTION_BANDS,
        lowest=1,
        highest=4,
    ),
    DerivedFigure(
        id="level_of_service",
        label="Level of service",
        label_ja="歩行者サービス水準",
        unit="1",
        unit_label="",
        decimals=0,
        inputs=("pedestrian_density", "pedestrian_flow"),
        source="Fruin 1971, walkways",
        method="Fruin's level for walkways, A = 1 to F = 6, of the densest place where density is "
        "measured, else of the counter with the largest mean flow of the hour.",
        method_ja="フルーインの歩道のサービス水準(A=1〜F=6)。密度があれば最も密な場所、"
        "なければ1時間平均流率が最大のカウンターによる。",
        derive=congestion.level_of_service,
        bands=congestion.LEVEL_BANDS,
        lowest=1,
        highest=6,
    ),
    DerivedFigure(
        id="pedestrian_flow",
        label="Pedestrian flow",
        label_ja="歩行者流率",
        unit="{person}/min/m",
        unit_label="people/min/m",
        decimals=congestion.FLOW_DECIMALS,
        inputs=("pedestrian_flow",),
        source="Fruin 1971",
        method="People counted in the last 60 minutes by minute that was counted and metre of effective "
        "width; of the counter with the largest flow. Shorter crowds within the hour do not show.",
        method_ja="直近60分の通行人数を計測された分数と有効幅員(m)で割った値。最大のカウンター。"
        "1時間内の短い混雑は現れない。",
        derive=congestion.pedestrian_flow,
        lowest=0,
    ),
    DerivedFigure(
        id="percent_of_typical",
        label="% of typical",
        label_ja="通常比",
        unit="%",
        unit_label="%",
        decimals=0,
        inputs=_TYPICAL,
        source="the counters' own past days (docs/typical.md)",
        method="Footfall of the last hour as % of the median of the same hour on past days of the same "
        "kind; as usual between their quartiles.",
        method_ja="直近1時間の通行人数の、同じ種別の過去の日の同じ時間帯の中央値に対する割合。"
        "四分位数の間を「いつも通り」とする。",
        derive=congestion.percent_of_typical,
        bands=congestion.USUAL_BANDS,
        bands_by_place=True,
        lowest=0,
    ),
    DerivedFigure(
        id="percent_of_capacity",
        label="% of capacity",
        label_ja="定員比",
        unit="%",
        unit_label="%",
        decimals=0,
        inputs=_PLACE,
        source="bands as VACAN shows them for Japanese shelters",
        method="People counted in less those counted out since midnight in Tokyo, as % of the capacity "
        "of the counters that count both ways; nobody is taken to be inside at midnight, and a place that "
        "more people left than entered is left out.",
        method_ja="東京の0時からの流入と流出の差の、定員に対する割合(両方向を計測するカウンター)。"
        "0時には誰もいないとみなし、流出が流入を上回る場所は除く。",
        derive=congestion.percent_of_capacity,
        bands=congestion.CAPACITY_BANDS,
        lowest=0,
    ),
    DerivedFigure(
        id="wbgt",
        label="WBGT (estimate)",
        label_ja="暑さ指数 WBGT(推定)",
        unit="Cel",
        unit_label="°C",
        decimals=1,
        inputs=("air_temperature", "relative_humidity", "solar_irradiance", "wind_speed"),
        weather=True,
        source="Ono & Tonouchi 2014; bands 日常生活における熱中症予防指針",
        method="Estimated from temperature, humidity, solar irradiance and wind; no measurement.",
        method_ja="気温・湿度・日射・風速からの推定値。実測値ではない。",
        derive=comfort.wbgt,
        bands=comfort.WBGT_BANDS,
    ),
    DerivedFigure(
        id="heat_index",
        label="Heat index",
        label_ja="ヒートインデックス(体感)",
        unit="Cel",
        unit_label="°C",
        decimals=1,
        inputs=("air_temperature", "relative_humidity"),
        weather=True,
        source="US National Weather Service, Rothfusz 1990",
        method="How hot it feels in the shade; only where it comes to about 27 °C (80 °F) at least.",
        method_ja="日陰での体感の暑さ。約27°C(80°F)以上でのみ定義される。",
        derive=comfort.heat_index,
    ),
    DerivedFigure(
        id="wind_chill",
        label="Wind chill",
        label_ja="ウインドチル(体感)",
        unit="Cel",
        unit_label="°C",
        decimals=1,
        inputs=("air_temperature", "wind_speed"),
        weather=True,
        source="US National Weather Service and Environment Canada 2001",
        method="How cold it feels in the wind; only up to 10 °C and above 4.8 km/h. The source means "
        "wind at 10 m; the sensors' own height is not corrected for.",
        method_ja="風による体感の寒さ。10°C以下かつ4.8 km/h超でのみ定義される。"
        "定義は高さ10 mの風によるが、センサーの高さは補正しない。",
        derive=comfort.wind_chill,
    ),
    DerivedFigure(
        id="rain_band",
        label="Rain of the hour",
        label_ja="1時間雨量と雨の強さ",
        unit="mm",
        unit_label="mm/h",
        decimals=1,
        inputs=("rainfall",),
        weather=True,
        source="Japan Meteorological Agency, 雨の強さと降り方",
        method="Total of the last 60 minutes with JMA's words for it, from 10 mm.",
        method_ja="直近60分の合計と、気象庁による雨の強さの表現(10 mm以上)。",
        derive=comfort.rain_band,
        bands=comfort.RAIN_BANDS,
        lowest=0,
    ),
    DerivedFigure(
        id="pm2_5_day_mean",
        label="PM2.5, mean of the last day",
        label_ja="PM2.5 前日の日平均",
        unit="ug/m3",
        unit_label="µg/m³",
        decimals=1,
        inputs=("pm2_5_hours",),
        source="Ministry of the Environment: standard 35, advisory's guide value 70 µg/m³",
        method="Mean of the hours of the last whole day in Tokyo, at least 20 of them.",
        method_ja="東京の前日の1時間値の平均(20時間以上ある場合)。",
        derive=comfort.pm2_5_day_mean,
        bands=comfort.PM2_5_BANDS,
        lowest=0,
    ),
    DerivedFigure(
        id="wind_vector_speed",
        label="Wind, vector mean",
        label_ja="風速(ベクトル平均)",
        unit="m/s",
        unit_label="m/s",
        decimals=1,
        inputs=("winds",),
        weather=True,
        source="vector mean (WMO-No. 8)",
        method="Speed of the mean of the wind vectors of all things that measure speed and direction.",
        method_ja="風速と風向を測る機器の風ベクトルの平均の大きさ。",
        derive=comfort.wind_vector_speed,
        lowest=0,
    ),
    DerivedFigure(
        id="wind_vector_from_direction",
        label="Wind direction, vector mean",
        label_ja="風向(ベクトル平均)",
        unit="deg",
        unit_label="°",
        decimals=0,
        inputs=("winds",),
        weather=True,
        source="vector mean (WMO-No. 8)",
        method="Direction that the mean of the wind vectors comes from: strong winds weigh more.",
        method_ja="風ベクトルの平均の風向。強い風ほど重みが大きい。",
        derive=comfort.wind_vector_from_direction,
    ),
)

DERIVED: Mapping[str, DerivedFigure] = MappingProxyType({f.id: f for f in _FIGURES})
"""Every derived figure by id, in the order in which lists show them."""


def derive_all(inputs: Inputs) -> dict[str, Derived]:
    """Every derived figure of one thing or area."""
    return {figure.id: figure.derive(inputs) for figure in DERIVED.values()}
