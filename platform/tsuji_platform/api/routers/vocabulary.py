"""The tables that fix what words mean: observed properties and figures."""

from fastapi import APIRouter

from tsuji_platform.analytics.figures import FIGURES
from tsuji_platform.api import models
from tsuji_platform.contract import OBSERVED_PROPERTIES
from tsuji_platform.contract.quality import QUALITY_RULES, QualityRule

router = APIRouter(tags=["vocabulary"])


@router.get(
    "/observed-properties", summary="Observed properties, units, plausible ranges and limits"
)
def observed_properties() -> models.ObservedProperties:
    """What things can measure."""
    return models.ObservedProperties(
        items=[
            models.ObservedProperty(
                id=it.id,
                label=it.label,
                label_ja=it.label_ja,
                unit=it.unit,
                unit_label=it.unit_label,
                low=it.low,
                high=it.high,
                aggregation=it.aggregation.value,
                quality=_limits(QUALITY_RULES[it.id]),
            )
            for it in OBSERVED_PROPERTIES.values()
        ]
    )


def _limits(rule: QualityRule) -> models.QualityLimits:
    step, stuck = rule.step, rule.stuck
    return models.QualityLimits(
        step=step
        and models.StepLimit(
            at_once=step.at_once,
            per_minute=step.per_minute,
            longest_gap_s=int(step.longest_gap.total_seconds()),
        ),
        stuck=stuck
        and models.StuckLimit(
            after_s=int(stuck.after.total_seconds()),
            readings=stuck.readings,
            steady_up_to=stuck.steady_up_to,
            steady_from=stuck.steady_from,
        ),
    )


@router.get("/figures", summary="Figures of areas and how each is made")
def figures() -> models.Figures:
    """What areas can be coloured by."""
    return models.Figures(
        items=[
            models.Figure(
                id=it.id,
                label=it.label,
                label_ja=it.label_ja,
                unit=it.unit,
                unit_label=it.unit_label,
                decimals=it.decimals,
                method=it.method,
                method_ja=it.method_ja,
            )
            for it in FIGURES.values()
        ]
    )
