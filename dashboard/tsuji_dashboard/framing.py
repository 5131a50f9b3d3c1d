"""Who may show a page of the dashboard within one of their own: the embeddable map, and nothing else."""

EMBED = "/embed"


def ancestors(path: str, origins: str) -> str:
    """The policy's `frame-ancestors` for a page.

    Args:
        path: of the page that is asked for.
        origins: the setting `TSUJI_EMBED_ORIGINS`: `*`, `none`, or origins divided by spaces.
    """
    if path != EMBED:
        return "'none'"
    if origins == "*":
        return "*"
    named = [] if origins == "none" else origins.split()
    return " ".join(["'self'", *named])  # the hub shows it to whoever wants to embed it
