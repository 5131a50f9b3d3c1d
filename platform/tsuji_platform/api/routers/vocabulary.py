"""The tables that fix what words mean: observed properties and figures."""

from fastapi import APIRouter

from tsuji_platform.analytics.figures import FIGURES
from tsuji_platform.api import models
from tsuji_platform.contract import OBSERVED_PROPERTIES

router = APIRouter(tags=["vocabulary"])


@router.get("/observed-properties", summary="Observed properties, units and plausible ranges")
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
            )
            for it in OBSERVED_PROPERTIES.values()
        ]
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
