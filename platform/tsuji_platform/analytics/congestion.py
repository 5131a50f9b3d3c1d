"""How crowded it is, as three separate figures and a label that says which of them gave it.

Level of service: J. J. Fruin, "Designing for Pedestrians: A Level-of-Service Concept", Highway Research
Record 355, 1971, walkways, in metric units. Density decides where there is any; else flow, people by
minute and metre of effective width. At breakdown (F) flow falls, so a low flow can't be told from F.

% of capacity: the bands of Japanese shelters as VACAN shows them (0-30, 30-60, 60-80, from 80 %).
% of typical has no published bands that are not a service's own; ours are what the past days say:
below their lower quartile, between the quartiles, above the upper one.
"""

from bisect import bisect_left, bisect_right

from tsuji_platform.analytics.derivation import (
    Band,
    Derived,
    Inputs,
    absent,
    by_place,
    lacking,
    stretches,
)

DENSITY_DECIMALS = 2
FLOW_DECIMALS = 1
PERCENT_DECIMALS = 1
"""Of the percentage that is compared with the quartiles; it is shown without any."""
_DENSITY_UP_TO = (0.31, 0.43, 0.72, 1.08, 2.17)
"""The densest of A to E, people per m², included; beyond the last is F."""
_FLOW_FROM = (23.0, 33.0, 49.0, 66.0)
"""Where B to E begin, people/min/m, included."""
_FLOW_BREAKDOWN = 82.0
"""The largest flow of E, included; beyond it is F."""

LEVELS = (
    Band(id="A", label="A: free", label_ja="A: 自由に歩ける"),
    Band(id="B", label="B: little conflict", label_ja="B: ほぼ自由に歩ける"),
    Band(id="C", label="C: restricted", label_ja="C: やや制約がある"),
    Band(id="D", label="D: mostly restricted", label_ja="D: 多くの人に制約がある"),
    Band(id="E", label="E: shuffling", label_ja="E: すべての人に制約がある"),
    Band(id="F", label="F: breakdown", label_ja="F: 流れが滞る"),
)
"""A to F; the value of a level of service is its place, A = 1."""

_CAPACITY_FROM = (30.0, 60.0, 80.0)
_CAPACITY = (
    Band(id="free", label="not crowded", label_ja="空いている"),
    Band(id="somewhat_crowded", label="somewhat crowded", label_ja="やや混雑"),
    Band(id="crowded", label="crowded", label_ja="混雑"),
    Band(id="full", label="full", label_ja="満"),
)
_USUAL = (
    Band(id="quieter_than_usual", label="quieter than usual", label_ja="いつもより空いている"),
    Band(id="as_usual", label="as usual", label_ja="いつも通り"),
    Band(id="busier_than_usual", label="busier than usual", label_ja="いつもより混雑"),
)
CONGESTION = (
    Band(id="not_crowded", label="not crowded", label_ja="空いている"),
    Band(id="somewhat_crowded", label="somewhat crowded", label_ja="やや混雑"),
    Band(id="crowded", label="crowded", label_ja="混雑"),
    Band(id="very_crowded", label="very crowded", label_ja="非常に混雑"),
)
LEVEL_BANDS = by_place(LEVELS)
CAPACITY_BANDS = stretches(_CAPACITY, _CAPACITY_FROM, 0)
USUAL_BANDS = by_place(_USUAL)
CONGESTION_BANDS = by_place(CONGESTION)
_CONGESTION_OF_LEVEL = (0, 0, 1, 2, 3, 3)
"""The label of A to F: A and B, C, D, E and F. Which letters share a label is ours, not Fruin's."""

_FLOW_ONLY = (
    "from flow: F, where flow falls, can't be told from better levels without density",
    "流率による判定。流れが滞る状態(F)は密度なしには見分けられない",
)


def flow(people: float, minutes: float, width_m: float) -> float:
    """People by minute and metre of effective width.

    Args:
        people: counted, both ways.
        minutes: that the counts cover, above 0.
        width_m: effective width of the walkway, above 0.
    """
    return people / (minutes * width_m)


def level_by_density(density: float) -> int:
    """Place of the level of service (A = 0) at people per m²."""
    return bisect_left(_DENSITY_UP_TO, round(density, DENSITY_DECIMALS))


def level_by_flow(rate: float) -> int:
    """Place of the level of service (A = 0) at people/min/m; a flow between two is the worse one."""
    rate = round(rate, FLOW_DECIMALS)
    return len(LEVELS) - 1 if rate > _FLOW_BREAKDOWN else bisect_right(_FLOW_FROM, rate)


def pedestrian_flow(inputs: Inputs) -> Derived:
    """People by minute and metre."""
    if missing := lacking(inputs, "pedestrian_flow"):
        return missing
    return Derived(value=round(inputs.values["pedestrian_flow"], FLOW_DECIMALS))


def level_of_service(inputs: Inputs) -> Derived:
    """A to F, from density where there is any, else from flow."""
    density = inputs.values.get("pedestrian_density")
    if density is not None:
        level = level_by_density(density)
        return Derived(value=level + 1, band=LEVELS[level], rule="pedestrian_density")
    rate = inputs.values.get("pedestrian_flow")
    if rate is None:
        return absent(
            "missing: pedestrian density, or people counted in the hour with the effective width of "
            "the walkway",
            "入力なし: 歩行者密度、または通行人数と歩道の有効幅員",
        )
    level = level_by_flow(rate)
    english, japanese = _FLOW_ONLY if LEVELS[level].id != "F" else ("", "")
    return Derived(
        value=level + 1,
        band=LEVELS[level],
        rule="pedestrian_flow",
        reason=english,
        reason_ja=japanese,
    )


def percent_of_typical(inputs: Inputs) -> Derived:
    """The last hour's footfall against the median of the same hour on past days of its kind."""
    names = ("typical_percent", "typical_q1", "typical_median", "typical_q3")
    if inputs.values.get("typical_median", 1) <= 0:
        return absent("the typical hour has nobody", "通常の通行人数が0人")
    if missing := lacking(inputs, *names):
        return missing
    percent, q1, median, q3 = (inputs.values[name] for name in names)
    # alike rounded, so that an hour that equals a quartile lies on it
    low, high = (round(100 * quartile / median, PERCENT_DECIMALS) for quartile in (q1, q3))
    percent = round(percent, PERCENT_DECIMALS)
    place = 0 if percent < low else 2 if percent > high else 1
    return Derived(value=round(percent), band=_USUAL[place])


def percent_of_capacity(inputs: Inputs) -> Derived:
    """People in a place against the people that it holds."""
    if missing := lacking(inputs, "people_inside", "capacity"):
        return missing
    people, capacity = inputs.values["people_inside"], inputs.values["capacity"]
    if capacity <= 0:
        return absent("the capacity is not above 0", "定員が0以下")
    if people < 0:
        return absent(
            "more people were counted out than in, so how many are inside is not known",
            "流出が流入を上回るため、滞在人数が不明",
        )
    percent = round(100 * people / capacity)
    return Derived(value=percent, band=_CAPACITY[bisect_right(_CAPACITY_FROM, percent)])


def congestion(inputs: Inputs) -> Derived:
    """One label, by the first of level of service by density, % of capacity, by flow, % of typical."""
    level = level_of_service(inputs)
    full = percent_of_capacity(inputs)
    if full.value is not None and level.rule != "pedestrian_density":
        place = bisect_right(_CAPACITY_FROM, full.value)
        return Derived(value=place + 1, band=CONGESTION[place], rule="percent_of_capacity")
    if level.value is not None:
        place = _CONGESTION_OF_LEVEL[int(level.value) - 1]
        return Derived(
            value=place + 1,
            band=CONGESTION[place],
            rule="level_of_service",
            reason=level.reason,
            reason_ja=level.reason_ja,
        )
    usual = percent_of_typical(inputs)
    if usual.band is not None:
        return Derived(
            band=usual.band,
            rule="percent_of_typical",
            reason="what is usual says nothing of how close people walk",
            reason_ja="通常との比較では混み具合の程度は分からない",
        )
    return absent(
        "missing: density, effective width, capacity and what is usual",
        "入力なし: 密度・有効幅員・定員・通常値のいずれもない",
    )
