"""Settings of what the hub says about itself: figures and logs."""

from typing import Literal

from pydantic import Field

from tsuji_platform.settings_files import Settings


class InsightSettings(Settings):
    """Insight."""

    log_format: Literal["text", "json"] = Field(
        "text", description="text or json: one line, or one JSON object a line, for each message"
    )
    metrics_host: str = Field(
        "127.0.0.1",
        description="address on which data API and dashboard serve /metrics, with a port set",
    )
    api_metrics_port: int | None = Field(
        None,
        ge=1,
        le=65_535,
        description="port of the data API's /metrics (Prometheus), of all its workers (default: none; "
        "at the API's own port it needs a key with the scope `metrics`)",
    )
    dashboard_metrics_port: int | None = Field(
        None,
        ge=1,
        le=65_535,
        description="port of the dashboard's /metrics (Prometheus) (default: none)",
    )
