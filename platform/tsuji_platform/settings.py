"""Settings, one small class per concern, read from the environment when asked for and never at import."""

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
)

from tsuji_platform.contract.lengths import EXAMPLES, parse_length
from tsuji_platform.settings_broker import BrokerAddress as BrokerAddress
from tsuji_platform.settings_broker import BrokerSettings as BrokerSettings
from tsuji_platform.settings_files import OrFile, Settings, file_variable, is_secret
from tsuji_platform.settings_insight import InsightSettings
from tsuji_platform.settings_web import WebSettings, http_address

LEAST_SMALL_COUNT = 3
LEAST_KEY = 16


def _counted_in(unit: timedelta, name: str) -> Callable[[object], object]:
    """Lets a length such as `7d` or `PT20S` stand for the number of its units."""

    def read(value: object) -> object:
        if not isinstance(value, str):
            return value
        length = parse_length(value.strip())
        if length is not None:
            return length / unit
        try:
            return float(value)
        except ValueError:
            raise ValueError(f"is no number of {name} and no length such as {EXAMPLES}") from None

    return read


Days = Annotated[float, BeforeValidator(_counted_in(timedelta(days=1), "days"))]
"""A number of days, or a length of time."""
Seconds = Annotated[float, BeforeValidator(_counted_in(timedelta(seconds=1), "seconds"))]
"""A number of seconds, or a length of time."""


def check_database_address(parts: Mapping[str, object] | None) -> None:
    """Refuse what is no address before any library quotes a password that stands in the wrong place.

    Args:
        parts: the address as libpq takes it apart, None where it can't.

    Raises:
        ValueError: with the form that is expected.
    """
    parts = {"host": "@"} if parts is None else parts
    shown = "".join(str(parts.get(name) or "") for name in ("host", "port", "dbname"))
    if "@" in shown or not str(parts.get("port") or 0).replace(",", "").isdecimal():
        raise ValueError(
            "the database's address (TSUJI_DATABASE_URL) must look like postgresql://user@host/name, "
            "with / @ : ? # in a password written as %2F %40 %3A %3F %23"
        )


class DatabaseSettings(Settings):
    """The database."""

    database_url: Annotated[str | None, OrFile()] = Field(
        None,
        repr=False,
        description="PostgreSQL to use instead of a private one: postgresql://user@host/name",
    )
    database_read_url: Annotated[str | None, OrFile()] = Field(
        None,
        repr=False,
        description="a streaming replica of it, from which the data API reads (default: it reads from the "
        "database itself)",
    )
    database_read_lag_seconds: Seconds = Field(
        10,
        gt=0,
        le=86_400,
        description="a replica that is further behind is not read from until it has caught up",
    )


class IngestSettings(Settings):
    """Ingest."""

    ingest_id: str = Field(
        "tsuji-ingest",
        pattern=r"^[A-Za-z0-9._-]{1,64}$",
        description="MQTT client id; must stay the same, the broker keeps the backlog under it",
    )
    ingest_group: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9._-]{1,64}$",
        description="name of a shared subscription: ingests of one group, each with an id of its own, "
        "divide what comes (default: this one takes all)",
    )
    ingest_slots: Path | None = Field(
        None,
        description="folder in which ingests that are started alike number themselves: their ids are "
        "TSUJI_INGEST_ID with -1, -2 … behind it (default: the id as it is)",
    )
    ingest_host: str = Field(
        "127.0.0.1", description="address on which ingest says how it fares, with a port set"
    )
    ingest_port: int | None = Field(
        None,
        ge=1,
        le=65_535,
        description="port of ingest's /metrics (Prometheus) and /health (default: none)",
    )
    ingest_batch: int = Field(
        2_000, ge=1, le=50_000, description="messages in one database transaction at the most"
    )
    ingest_wait_ms: int = Field(
        100,
        ge=1,
        le=60_000,
        description="how long a message may wait for others before it is stored",
    )
    rejected_days: Days = Field(
        90, gt=0, le=36_500, description="days that a rejected message is kept after it last came"
    )
    rejected_messages: int = Field(
        200_000,
        ge=1,
        description="rejected messages that are kept at the most; the oldest go first, those that wait "
        "for their thing last",
    )
    rejected_mib: int = Field(
        1_024, ge=1, description="room for rejected messages, MiB of payload, topic and reason"
    )


class RetentionSettings(Settings):
    """How long history is kept."""

    raw_days: Days | None = Field(
        None,
        ge=1,
        le=36_500,
        description="days that observations are kept (default: for ever); rollups are not affected",
    )
    five_minute_days: Days | None = Field(
        None,
        ge=1,
        le=36_500,
        description="days that rollups of five minutes are kept (default: for ever); not less than "
        "TSUJI_RAW_DAYS",
    )
    hour_days: Days | None = Field(
        None,
        ge=1,
        le=36_500,
        description="days that rollups of an hour are kept (default: for ever); not less than "
        "TSUJI_FIVE_MINUTE_DAYS. Those of a Tokyo day are kept for ever",
    )

    @field_validator("five_minute_days", "hour_days")
    @classmethod
    def _not_before_the_finer(cls, days: float | None, info: ValidationInfo) -> float | None:
        finer = {"five_minute_days": "raw_days", "hour_days": "five_minute_days"}[
            str(info.field_name)
        ]
        if days is None or finer not in info.data:  # which is refused itself
            return days
        least = info.data[finer]
        if least is None:
            raise ValueError(
                f"what it is made of is kept for ever: set TSUJI_{finer.upper()} to as many days or "
                "fewer"
            )
        if days < least:
            raise ValueError(
                f"must not be less than TSUJI_{finer.upper()} ({least:g}): a sum is kept for as long "
                "as what it is made of"
            )
        return days


class DecoderSettings(Settings):
    """Formats beside Tsuji's own."""

    the_things_stack: Path | None = Field(
        None,
        description="TOML file that maps uplinks of The Things Stack (default: they are not read)",
    )


class AreaSettings(Settings):
    """Areas."""

    estimate_km: float = Field(
        10,
        ge=0,
        le=100,
        description="how far, km, a thing may be from an area without a sensor of its own to speak for "
        "its weather (rain: half of it); 0 estimates nothing",
    )
    n03_url: str = Field(
        "https://nlftp.mlit.go.jp/ksj/gml/data/N03/N03-{year}/N03-{year}0101_{prefecture}_GML.zip",
        description="where `tsuji areas fetch` finds a prefecture's boundaries",
    )


class AlertSettings(Settings):
    """Alerts."""

    alerts: str | None = Field(
        None,
        min_length=1,
        description="TOML file of alert rules, which ingest evaluates; `demonstration` for those that "
        "come with Tsuji, which `tsuji up` takes by default, `none` for none",
    )
    webhook_urls: str = Field(
        "",
        repr=False,
        description="addresses that alerts are posted to, divided by spaces or commas",
    )
    webhook_urls_file: Path | None = Field(
        None, description="file that holds (more of) them, one a line"
    )
    webhook_secret: Annotated[SecretStr | None, OrFile()] = Field(
        None,
        description="secret that webhooks are signed with, whsec_ and base64, 24 bytes or more",
    )
    alert_message_days: Days = Field(
        7,
        gt=0,
        le=3_650,
        description="days that what was said of alerts is kept once all have been told (or were given "
        "up) and the alert has ended; alerts themselves are kept for ever",
    )


class TypicalSettings(Settings):
    """What is usual."""

    typical_weeks: int = Field(
        8, ge=1, le=53, description="weeks before a day from which its typical values are taken"
    )


class SmallCountSettings(Settings):
    """What the public is not told."""

    small_count: int = Field(
        0,
        ge=0,
        le=1_000_000,
        description="counts of people above 0 and below this are withheld from whoever has no key with "
        "the scope `counts` (docs/small-counts.md); at least 3, or 0 to tell all",
    )

    @field_validator("small_count")
    @classmethod
    def _hides_something(cls, small: int) -> int:
        if 0 < small < LEAST_SMALL_COUNT:
            raise ValueError(
                f"{small} would hide nothing: who reads that a count is withheld would know it; take "
                f"{LEAST_SMALL_COUNT} or more, or 0 to tell all counts"
            )
        return small


class LiveSettings(Settings):
    """What is told as it happens."""

    live_topics: bool = Field(
        False,
        description="whether ingest publishes the newest observations over MQTT, retained, for everybody "
        "who may subscribe there (docs/live.md)",
    )


class ApiSettings(Settings):
    """The data API."""

    api_host: str = Field(
        "127.0.0.1",
        description="address that the data API listens on; :: is all of the machine, by IPv6 and IPv4",
    )
    api_port: int = Field(8000, ge=1, le=65_535, description="port of the data API")
    publisher: str = Field(
        "", max_length=200, description="who runs the hub, as catalogue and downloads say it"
    )
    licence: str = Field(
        "",
        max_length=400,
        description="under which the observations may be used: its address, or its name",
    )
    api_workers: int = Field(1, ge=1, le=64, description="processes that serve the data API")
    api_proxies: str = Field(
        "127.0.0.1",
        description="addresses of proxies before the data API whose X-Forwarded-For is believed",
    )
    anonymous_rate: int = Field(
        600,
        ge=0,
        description="requests a minute that an address may make without a key; 0 for no limit",
    )
    downloads: int = Field(
        4, ge=1, le=64, description="downloads that one process of the data API serves at once"
    )
    caller_downloads: int = Field(
        2,
        ge=1,
        le=64,
        description="downloads that one key or address may have at once, of all processes on one database",
    )
    download_seconds: Seconds = Field(
        3_600, gt=0, description="how long one download may take; what is longer is cut off"
    )
    query_seconds: Seconds = Field(
        20, gt=0, le=3_600, description="how long one query of the data API may take"
    )
    kept_seconds: Seconds = Field(
        1,
        ge=0,
        le=60,
        description="how long an answer of the data API about now is handed to others who ask the same; "
        "0 makes each anew",
    )


_ORIGIN = re.compile(r"https?://(\*\.)?[\w-]+(\.[\w-]+)*(:\d{1,5})?", re.ASCII)


class DashboardSettings(Settings):
    """The dashboard."""

    dashboard_host: str = Field(
        "127.0.0.1",
        description="address that the dashboard listens on; :: is all of the machine, by IPv6 and IPv4",
    )
    dashboard_port: int = Field(8050, ge=1, le=65_535, description="port of the dashboard")
    api_url: Annotated[str, AfterValidator(http_address)] | None = Field(
        None,
        description="where the dashboard finds the data API (default: the API port on loopback)",
    )
    dashboard_streams: int = Field(
        1_000,
        ge=0,
        description="live streams that one address may hold in a dashboard, one for each open map; 0 for "
        "any number. Behind a proxy that TSUJI_DASHBOARD_PROXIES does not name all visitors are one address",
    )
    tiles_url: str = Field(
        "https://cyberjapandata.gsi.go.jp/xyz/pale/{z}/{x}/{y}.png",
        description="map tiles; an empty value shows the map without any",
    )
    embed_origins: str = Field(
        "*",
        description="sites that may show the map of /embed in a frame, such as https://city.example.jp, "
        "divided by spaces; * for all, none for none but the hub itself",
    )

    @field_validator("embed_origins")
    @classmethod
    def _are_origins(cls, origins: str) -> str:
        named = origins.split()
        if named in (["*"], ["none"]):
            return named[0]
        wrong = [one for one in named if not _ORIGIN.fullmatch(one)]
        if wrong or not named:
            raise ValueError(
                f"holds {(wrong or [origins])[0]!r:.80}, which is no origin: give origins such as "
                "https://city.example.jp divided by spaces, * or none"
            )
        return " ".join(named)


class SharedSecretSettings(Settings):
    """What API and dashboard both know."""

    dashboard_key: Annotated[SecretStr | None, OrFile()] = Field(
        None,
        description="secret that API and dashboard share, so that the dashboard's visitors do not count "
        "as one address (`tsuji up` makes one)",
    )

    @field_validator("dashboard_key")
    @classmethod
    def _hard_to_guess(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None and len(key.get_secret_value()) < LEAST_KEY:
            raise ValueError(f"is too short: take {LEAST_KEY} characters or more, at random")
        return key


class RuntimeSettings(Settings):
    """What `tsuji up` runs."""

    home: str | None = Field(
        None,
        description="folder for data and state (default: one per project folder, see `tsuji doctor`)",
    )
    simulate: bool = Field(True, description="whether `tsuji up` runs the simulated fleet")
    history_days: Days = Field(
        22,
        ge=0,
        le=60,
        description="days of history before the simulated fleet's first start; `tsuji up` imports them, "
        "`tsuji simulate` alone publishes them; 0 for none",
    )
    log_level: str = Field(
        "info",
        pattern=r"(?i)^(debug|info|warning|error)$",
        description="debug, info, warning or error",
    )


CONCERNS: tuple[type[Settings], ...] = (
    DatabaseSettings,
    BrokerSettings,
    IngestSettings,
    RetentionSettings,
    DecoderSettings,
    AreaSettings,
    AlertSettings,
    TypicalSettings,
    SmallCountSettings,
    LiveSettings,
    ApiSettings,
    DashboardSettings,
    SharedSecretSettings,
    RuntimeSettings,
    InsightSettings,
    WebSettings,
)


def describe() -> list[tuple[str, str, str]]:
    """Every setting as (environment variable, default, meaning), in the order of the help text."""
    rows = []
    for concern in CONCERNS:
        for name, field in concern.model_fields.items():
            variable = f"TSUJI_{name.upper()}"
            default = "" if field.default is None else str(field.default)
            rows.append((variable, default, field.description or ""))
            if is_secret(field):
                rows.append((file_variable(variable), "", f"file that holds {variable} instead"))
    return rows
