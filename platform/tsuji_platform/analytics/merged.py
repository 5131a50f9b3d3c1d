"""What readings and open data say together of an area: rates by resident and by size, or why not."""

from dataclasses import dataclass

from tsuji_platform.analytics.suppression import SUPPRESSED


@dataclass(frozen=True, slots=True, kw_only=True)
class RateKind:
    """One kind of rate.

    Attributes:
        id: as in the API.
        unit: UCUM.
        unit_label: as people write it.
        decimals: digits after the point.
        method: one English sentence.
        method_ja: the same in Japanese.
    """

    id: str
    unit: str
    unit_label: str
    decimals: int
    method: str
    method_ja: str


DENSITY = RateKind(
    id="population_density",
    unit="{person}/km2",
    unit_label="people/km²",
    decimals=1,
    method="Residents by km² of the area's exact shape, on the ellipsoid of JGD2011, inland waters included.",
    method_ja="住民数を、エリアの正確な形状の面積(JGD2011の楕円体上、水面を含む)で割った値。",
)
COUNTED_PER_RESIDENT = RateKind(
    id="counted_per_resident",
    unit="{person}/{person}/h",
    unit_label="per resident and hour",
    decimals=4,
    method="People counted in the last 60 minutes by resident. Counters see some streets only, and whoever "
    "passes two is counted twice: it compares moments of one area, not areas.",
    method_ja="直近60分の通行人数を住民数で割った値。計測は一部の道路のみで、2か所を通った人は2回数えられる。"
    "同じエリアの時間比較に使うもので、エリア間の比較には使えない。",
)
CAPACITY_PER_RESIDENT = RateKind(
    id="capacity_per_resident",
    unit="{person}/{person}",
    unit_label="per resident",
    decimals=4,
    method="People that the listed shelters hold together by resident; of those that say how many.",
    method_ja="一覧にある避難所の想定収容人数の合計を住民数で割った値(人数の記載があるもののみ)。",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """A rate, or none and why.

    Attributes:
        kind: of what.
        value: in the kind's unit, rounded to its decimals; None where there is none.
        reason: why there is none, English; empty where there is one.
        reason_ja: the same in Japanese.
    """

    kind: RateKind
    value: float | None = None
    reason: str = ""
    reason_ja: str = ""


_NO_POPULATION = (
    "no table of population that was imported has this area",
    "このエリアの人口データが登録されていない",
)


def rate(
    kind: RateKind,
    amount: float | None,
    by: float | None,
    missing: tuple[str, str] = _NO_POPULATION,
) -> Rate:
    """An amount by something.

    Args:
        kind: which rate.
        amount: what is divided; None where it is not known.
        by: what it is divided by; None where that is not known.
        missing: why the amount is not known where it isn't, English and Japanese.
    """
    if amount is None:
        return Rate(kind=kind, reason=missing[0], reason_ja=missing[1])
    if by is None:
        return Rate(kind=kind, reason=_NO_POPULATION[0], reason_ja=_NO_POPULATION[1])
    if by <= 0:
        return Rate(kind=kind, reason="nobody lives there", reason_ja="住民がいない")
    return Rate(kind=kind, value=round(amount / by, kind.decimals))


def density(population: float | None, area_m2: float | None) -> Rate:
    """Residents by km²."""
    if population is not None and not area_m2:
        return Rate(
            kind=DENSITY,
            reason="the area's size is not known before the next assignment",
            reason_ja="面積は次の割り当てまで不明",
        )
    return rate(DENSITY, population, None if area_m2 is None else area_m2 / 1e6)


def counted_per_resident(
    footfall: float | None, population: float | None, *, suppressed: bool = False
) -> Rate:
    """People counted in the last hour by resident.

    Args:
        footfall: people counted; None where nobody counts.
        population: residents.
        suppressed: whether they are too few to be told of.
    """
    if suppressed:
        return Rate(
            kind=COUNTED_PER_RESIDENT, reason=SUPPRESSED.english, reason_ja=SUPPRESSED.japanese
        )
    nobody = (
        "no counter in the area counted in the last hour",
        "直近1時間に計測したカウンターがない",
    )
    return rate(COUNTED_PER_RESIDENT, footfall, population, nobody)


def capacity_per_resident(capacity: float | None, population: float | None) -> Rate:
    """People that shelters hold by resident."""
    unsaid = ("the list does not say how many people they hold", "想定収容人数の記載がない")
    return rate(CAPACITY_PER_RESIDENT, capacity, population, unsaid)
