"""Which steps become traces; apart from `traces`, since it imports the SDK of OpenTelemetry."""

from collections.abc import Sequence

from opentelemetry.context import Context
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
from opentelemetry.trace import Link, SpanKind, TraceState, get_current_span
from opentelemetry.util.types import Attributes


class NoStrayStatements(Sampler):
    """Leaves out statements that belong to no request and no batch: what looks for work every second.

    Args:
        others: decides all else.
    """

    def __init__(self, others: Sampler) -> None:
        self._others = others

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        """Whether a step is told."""
        is_first = not get_current_span(parent_context).get_span_context().is_valid
        if is_first and kind is SpanKind.CLIENT:
            return SamplingResult(Decision.DROP)
        return self._others.should_sample(
            parent_context, trace_id, name, kind, attributes, links, trace_state
        )

    def get_description(self) -> str:
        """As OpenTelemetry shows it."""
        return f"NoStrayStatements({self._others.get_description()})"
