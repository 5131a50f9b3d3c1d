"""Settings of what stands between browsers and the hub, alike for API and dashboard."""

from urllib.parse import urlsplit

from pydantic import Field

from tsuji_platform.settings_files import Settings


def http_address(url: str) -> str:
    """The same address of a server, refused where it is none.

    Raises:
        ValueError: with the form that is expected; nothing that may be a password is quoted.
    """
    try:
        parts = urlsplit(url)
        is_plain = url.isprintable() and " " not in url  # of which `urlsplit` drops some
        is_one = (
            is_plain and parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        )
    except ValueError:  # its port is none, or a bracket is missing
        is_one = False
    if not is_one:
        shown = "what" if "@" in url else f"{url!r:.200}, which"
        raise ValueError(
            f"holds {shown} is no address such as http://127.0.0.1:8000 or https://hub.example; addresses "
            "of IPv6 stand in brackets: http://[::1]:8000"
        )
    return url


class WebSettings(Settings):
    """API and dashboard behind HTTPS."""

    https_days: int = Field(
        0,
        ge=0,
        le=730,
        description="days for which browsers are to insist on HTTPS for this host and those below it "
        "(Strict-Transport-Security); said in answers over HTTPS only. 0 says nothing; take 365 once HTTPS "
        "is there to stay",
    )
    dashboard_proxies: str = Field(
        "127.0.0.1",
        description="addresses of proxies before the dashboard whose X-Forwarded-For and -Proto are believed",
    )

    @property
    def https_s(self) -> int:
        """The same in seconds, as the header has it."""
        return self.https_days * 86_400
