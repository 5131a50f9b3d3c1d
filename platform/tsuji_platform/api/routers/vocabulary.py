"""The tables that fix what words mean: observed properties and figures."""

from fastapi import APIRouter, Response

from tsuji_platform.analytics.figures import FIGURES
from tsuji_platform.api import links, models
from tsuji_platform.api.answers import FIXED, RowsDep, offered
from tsuji_platform.api.tables import of_items
from tsuji_platform.contract import OBSERVED_PROPERTIES
from tsuji_platform.contract.quality import QUALITY_RULES, QualityRule

router = APIRouter(tags=["vocabulary"])


@router.get(
    "/observed-properties",
    summary="Observed properties, units, plausible ranges and limits",
    response_model=models.ObservedProperties,
    responses=offered(),
)
def observed_properties(wanted: RowsDep) -> Response:
    """What things can measure."""
    body = models.ObservedProperties(
        links={"self": wanted.address(), "figures": links.to("figures")},
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
                links={
                    "datastreams": links.to("datastreams", observed_property=it.id),
                    "latest": links.to("latest", observed_property=it.id),
                },
            )
            for it in OBSERVED_PROPERTIES.values()
        ],
    )
    return wanted.answer(body, lambda: of_items(models.ObservedProperty, body.items), cache=FIXED)


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


@router.get(
    "/figures",
    summary="Figures of areas and how each is made",
    response_model=models.Figures,
    responses=offered(),
)
def figures(wanted: RowsDep) -> Response:
    """What areas can be coloured by."""
    body = models.Figures(
        links={"self": wanted.address(), "derived_figures": links.to("derived-figures")},
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
        ],
    )
    return wanted.answer(body, lambda: of_items(models.Figure, body.items), cache=FIXED)
