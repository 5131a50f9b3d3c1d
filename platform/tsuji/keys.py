"""`tsuji keys`: makes, lists and revokes keys of the data API."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from tsuji import wiring
from tsuji.mistakes import NotThereError
from tsuji.terminal import printable
from tsuji_platform.contract.scopes import Scope

if TYPE_CHECKING:
    from tsuji_platform.store.keys import ApiKey

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Keys of the data API: make, list and revoke them.",
)
_RATE = 6_000


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Whose it is, for your own list.")],
    scope: Annotated[
        list[Scope] | None,
        typer.Option(
            help="What it opens beyond public reading: counts (small counts that public answers "
            "suppress), rejected (rejected messages), write; may be given several times."
        ),
    ] = None,
    rate: Annotated[
        int, typer.Option(min=0, max=2_000_000_000, help="Requests a minute; 0 for no limit.")
    ] = _RATE,
    days: Annotated[
        int | None, typer.Option(min=1, max=36_500, help="Days after which it expires.")
    ] = None,
) -> None:
    """Make a key and print it; it is kept nowhere, so this is the only time."""
    from tsuji_platform.store.keys import Keys

    if not 1 <= len(name.strip()) <= 200:
        raise typer.BadParameter(f"name {name!r:.80}: give it 1 to 200 characters")
    expires_at = None if days is None else datetime.now(UTC) + timedelta(days=days)
    with wiring.database() as database:
        token = Keys(database).create(name.strip(), scope or (), rate or None, expires_at)
    typer.echo(token)
    typer.echo(
        "Send it as `Authorization: Bearer …` or `X-API-Key: …`. It is shown this once; "
        f"`tsuji keys revoke {token.split('_')[1]}` ends it",
        err=True,
    )


@app.command("list")
def list_() -> None:
    """List all keys, the newest first; secrets are kept nowhere and not shown."""
    from tsuji_platform.store.keys import Keys

    with wiring.database() as database:
        keys = Keys(database).all()
    for key in keys:
        rate = "no limit" if key.rate_per_minute is None else f"{key.rate_per_minute:,}/min"
        typer.echo(
            f"{key.key_id}  {key.created_at:%Y-%m-%d}  {_state(key):22}  {rate:>12}  "
            f"{', '.join(key.scopes) or 'reading':24}  {printable(key.name)}"
        )
    if not keys:
        typer.echo("there are no keys; `tsuji keys create NAME` makes one", err=True)


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(help="Its id: the part between the underscores.")],
) -> None:
    """Revoke a key; within five seconds it opens nothing."""
    from tsuji_platform.store.keys import Keys, split

    parts = split(key_id)
    wanted = parts[0] if parts else key_id
    with wiring.database() as database:
        if not Keys(database).revoke(wanted):
            raise NotThereError(f"there is no key {printable(wanted)}; see `tsuji keys list`")
    typer.echo(f"{wanted} is revoked")


def _state(key: "ApiKey") -> str:
    if key.revoked_at is not None:
        return f"revoked {key.revoked_at:%Y-%m-%d}"
    if key.expires_at is None:
        return "valid"
    return (
        f"{'expired' if key.expires_at <= datetime.now(UTC) else 'until'} {key.expires_at:%Y-%m-%d}"
    )
