"""Traces by OpenTelemetry, for who asks for them: `OTEL_EXPORTER_OTLP_ENDPOINT` says where they go.

Nothing of the SDK is imported otherwise. The standard variables hold (`OTEL_SERVICE_NAME`,
`OTEL_RESOURCE_ATTRIBUTES`, `OTEL_TRACES_SAMPLER`, `OTEL_EXPORTER_OTLP_HEADERS` …).
"""

import atexit
import os
import re
import threading
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from fastapi.telemetry import TelemetryConfig

_LAST_S = 2.0
"""How long the end of a process waits for a collector that does not take what is left."""
_ADDRESSES = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


class TracingError(Exception):
    """Traces are asked for and can't be made; the text says what is missing."""


class _Provider(Protocol):
    """As much of OpenTelemetry's as sends what is left."""

    def shutdown(self) -> None:
        """Send it, however long that takes."""


def _nothing() -> None:
    pass


class _Tracing:
    """Whether this process traces, and how it sends what is left."""

    tracer: Any = None
    end: Callable[[], None] = staticmethod(_nothing)


def wanted() -> bool:
    """Whether the environment asks for traces."""
    if os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    if os.environ.get("OTEL_TRACES_EXPORTER", "otlp") == "none":
        return False
    return any(os.environ.get(name) for name in _ADDRESSES)


def begin(service: str, *, database: bool = False) -> None:
    """Trace from here on, where the environment asks for it.

    Args:
        service: the traces are of `tsuji-` and this, unless `OTEL_SERVICE_NAME` names it.
        database: whether its statements are part of them, without their values.

    Raises:
        TracingError: the packages are missing, or the address is none.
    """
    if not wanted():
        return
    for name in _ADDRESSES:
        given = os.environ.get(name)
        if given and not re.match(r"https?://[^/]", given, re.IGNORECASE):
            raise TracingError(
                f"{name} must look like http://collector:4318: traces go by OTLP over HTTP"
            )
    try:
        from opentelemetry import trace
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        from tsuji_platform.insight.sampling import NoStrayStatements

        if database:
            from opentelemetry.instrumentation.psycopg import PsycopgInstrumentor
    except ImportError as error:
        raise TracingError(
            f"{_ADDRESSES[0]} asks for traces, but {error.name} is missing: install tsuji[tracing], or "
            "unset it"
        ) from error
    resource = Resource.create({"service.version": version("tsuji")})
    if "OTEL_SERVICE_NAME" not in os.environ:
        resource = resource.merge(Resource({"service.name": f"tsuji-{service}"}))
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    _send_at_the_end(provider)
    provider.sampler = NoStrayStatements(provider.sampler)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    if database:
        PsycopgInstrumentor().instrument()
    _Tracing.tracer = trace.get_tracer("tsuji", version("tsuji"))


def _send_at_the_end(provider: _Provider) -> None:
    """Let what is left be sent when the process ends; a collector that is away must not keep it from ending.

    The thread that does waits for that from now on: from Python 3.12 on none can be begun by then.
    """
    over = threading.Event()

    def end() -> None:
        over.wait()
        provider.shutdown()

    ending = threading.Thread(target=end, name="traces", daemon=True)
    ending.start()

    def wait() -> None:
        if not over.is_set():  # a second time would be as long again
            over.set()
            ending.join(_LAST_S)

    _Tracing.end = staticmethod(wait)
    atexit.register(wait)


def end() -> None:
    """Send what is left, as the end of the process would: one by a signal, as servers end, skips that."""
    _Tracing.end()


@contextmanager
def span(name: str, **attributes: str | int) -> Iterator[None]:
    """One step of work, in which others may lie; costs nothing where nobody traces.

    Args:
        name: of the step; there are few of them.
        attributes: what is special about it; `__` in a name stands for a dot.
    """
    if _Tracing.tracer is None:
        yield
        return
    known = {key.replace("__", "."): value for key, value in attributes.items()}
    with _Tracing.tracer.start_as_current_span(name, attributes=known):
        yield


def trace_id() -> str | None:
    """The trace that goes on here, as it is written in logs; None without one."""
    if _Tracing.tracer is None:
        return None
    from opentelemetry import trace

    context = trace.get_current_span().get_span_context()
    return trace.format_trace_id(context.trace_id) if context.is_valid else None


def note(name: str, value: str | int) -> None:
    """Say something of the step that goes on."""
    if _Tracing.tracer is not None:
        from opentelemetry import trace

        trace.get_current_span().set_attribute(name, value)


def of_web(*without: str) -> "TelemetryConfig":
    """How a FastAPI application traces its requests: not those that go on for hours or come from probes.

    Args:
        without: patterns of paths that are left out.
    """
    left_out = re.compile("|".join(without))

    def is_left_out(scope: MutableMapping[str, Any]) -> bool:
        return left_out.fullmatch(scope["path"]) is not None

    return {
        "metrics": False,  # Prometheus has them
        "logs": False,
        "operation_spans": False,
        "auto_configure": False,
        "exclude": is_left_out,
    }
