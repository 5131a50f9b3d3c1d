"""`tsuji devices`: who may connect to the broker, and the files of a broker of one's own."""

import os
import pwd
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated

import orjson
import typer

from tsuji import wiring
from tsuji.mistakes import NotThereError
from tsuji.terminal import printable
from tsuji_platform.devices.rights import Role, check_name

if TYPE_CHECKING:
    from tsuji_ingest.broker_users import BrokerUsers, User
    from tsuji_platform.devices.folder import Places

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Who may connect to the broker: make, list and revoke its users (docs/broker.md).",
)

_LARGEST_ID = 2**32 - 2
"""Of users and groups; the one above stands for none."""
_Json = Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")]
_Hosts = Annotated[
    list[str],
    typer.Option(
        "--host",
        help="Name or address under which clients reach the broker; may be given several times.",
    ),
]
_Days = Annotated[
    int, typer.Option(min=1, max=3_650, help="Days for which the broker's certificate is valid.")
]
_Names = Annotated[list[str], typer.Argument(help="Ids of things, or names of other users.")]


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="Is made; must be empty or not there.")],
    host: _Hosts,
    owner: Annotated[
        str | None,
        typer.Option(
            metavar="USER|UID:GID",
            help="Who the broker runs as, to whom its files are given. [mosquitto where root calls this]",
        ),
    ] = None,
    container: Annotated[
        bool,
        typer.Option(help="For the image eclipse-mosquitto, which finds FOLDER/broker elsewhere."),
    ] = False,
    days: _Days = 825,
    as_json: _Json = False,
) -> None:
    """Make the files of a broker: its configuration, certificates, and its first two users."""
    from tsuji_platform.devices.folder import make_folder

    given = _owner(owner, container)
    places = _places(folder.absolute(), container, given)
    files = make_folder(
        folder.absolute(),
        host,
        places,
        datetime.now(UTC),
        owner=given,
        days=days,
        for_containers=container,
    )
    if as_json:
        typer.echo(orjson.dumps({name: str(path) for name, path in files.items()}).decode())
        return
    for name, path in files.items():
        typer.echo(f"{name:14} {path}")
    _warn(places, container)
    typer.echo(
        f"Things connect to mqtts://{_in_address(host[0])}:{places.things_port}, ingest to port "
        f"{places.services_port}; docs/broker.md says how to go on",
        err=True,
    )


@app.command()
def certificate(
    folder: Annotated[Path, typer.Argument(help="Made by `tsuji devices init`.")],
    host: _Hosts,
    days: _Days = 825,
) -> None:
    """Give the broker a new certificate of the same authority."""
    from tsuji_platform.devices.folder import renew_certificate

    path = renew_certificate(folder, host, datetime.now(UTC), days)
    typer.echo(f"{path} is new, for {days} days; the broker reads it upon SIGHUP")


@app.command()
def add(
    names: _Names,
    role: Annotated[
        Role,
        typer.Option(
            help="thing publishes under its own id; replay for all things (simulators, gateways); "
            "reader gets newest values and alerts; recorder everything; ingest stores; admin manages "
            "users."
        ),
    ] = Role.THING,
    as_json: _Json = False,
) -> None:
    """Make users and print their passwords; they are kept nowhere, so this is the only time."""
    from tsuji_ingest.broker_users import BrokerUsersUnsureError
    from tsuji_platform.devices.passwords import make_password

    _check(names, role)
    with _users() as users:
        there = users.there(names)
        if there:
            raise NotThereError(
                f"there is a user {', '.join(there)} already, and none was made: leave it out, or give "
                "it another password with `tsuji devices rotate`"
            )
        passwords = {name: make_password() for name in names}
        try:
            users.add(passwords, role)
        except BrokerUsersUnsureError:
            _say_passwords(passwords, role, as_json)
            _say_unsure("made of these users, see `tsuji devices list`")
            raise
    _say_passwords(passwords, role, as_json)


@app.command()
def rotate(names: _Names, as_json: _Json = False) -> None:
    """Give users other passwords and print them; who is connected is disconnected."""
    from tsuji_ingest.broker_users import BrokerUsersError
    from tsuji_platform.devices.passwords import make_password

    with _users() as users:
        _need(users, names)
        passwords = {name: make_password() for name in names}
        try:
            users.set_passwords(passwords)
        except BrokerUsersError:
            _say_passwords(passwords, None, as_json)
            _say_unsure("taken of these passwords: try them, and rotate again")
            raise
    _say_passwords(passwords, None, as_json)


@app.command()
def revoke(names: _Names) -> None:
    """Remove users at once; who is connected is disconnected. What they published stays."""
    with _users() as users:
        _need(users, names)
        if wiring.broker_address().username in names:
            raise typer.BadParameter("that is who you are: another who manages users can revoke it")
        users.revoke(names)
    for name in names:
        typer.echo(f"{printable(name)} is revoked")


@app.command("list")
def list_(as_json: _Json = False) -> None:
    """List the broker's users; passwords are kept nowhere and not shown."""
    with _users() as users:
        found = users.all()
    for user in found:
        role = "none of ours" if user.role is None else user.role.value
        if as_json:
            document = {
                "name": user.name,
                "role": user.role,
                "disabled": user.is_disabled,
                "connections": user.connections,
            }
            typer.echo(orjson.dumps(document).decode())
        else:
            typer.echo(f"{printable(user.name):32}  {role:12}  {_state(user)}")
    if not found and not as_json:
        typer.echo("there are no users; `tsuji devices add NAME` makes one", err=True)


@app.command()
def rights() -> None:
    """Give the broker's roles the rights that this version knows, after an upgrade."""
    with _users() as users:
        changed = users.put_roles(Role)
    for role in changed:
        typer.echo(f"{role} has the rights of this version now")
    if not changed:
        typer.echo("all roles have the rights of this version already")


def _warn(places: "Places", container: bool) -> None:
    """Say what the machine lacks for this configuration."""
    from tsuji_platform.runtime.mosquitto import installed

    if container:
        return
    found = installed()
    if found is None:
        typer.echo(
            "tsuji: there is no Mosquitto on this machine, so the configuration looks for its plugins in "
            f"{places.plugins}: install 2.1 or newer and make the folder anew, or write the plugins' place "
            "into its two lines `global_plugin`",
            err=True,
        )
    elif not found.keeps_everything:
        typer.echo(
            f"tsuji: {found.description}, can't read this configuration: it needs 2.1 or newer with its "
            "SQLite plugin",
            err=True,
        )
    if places.user == "root":
        typer.echo(
            "tsuji: the files are root's, and the broker would run as root: name who it runs as with "
            "--owner",
            err=True,
        )


def _in_address(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _state(user: "User") -> str:
    if user.is_disabled:
        return "disabled"
    if user.connections is None:
        return ""
    return "connected" if user.connections else "not connected"


def _users() -> "BrokerUsers":
    from tsuji_ingest.broker_users import BrokerUsers

    return BrokerUsers(wiring.broker_address())


def _check(names: Sequence[str], role: Role) -> None:
    for name in names:
        try:
            check_name(name, role)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise typer.BadParameter(f"{', '.join(twice)} is named twice")


def _need(users: "BrokerUsers", names: Sequence[str]) -> None:
    there = users.there(names)
    missing = [printable(name) for name in names if name not in there]
    if missing:
        raise NotThereError(
            f"there is no user {', '.join(missing)}, and nothing was done; see `tsuji devices list`"
        )


def _say_passwords(passwords: dict[str, str], role: Role | None, as_json: bool) -> None:
    for name, password in passwords.items():
        if as_json:
            document = {"name": name, "password": password}
            typer.echo(orjson.dumps({**document, **({"role": role} if role else {})}).decode())
        else:
            typer.echo(f"{name} {password}")
    if not as_json:
        typer.echo("Each is a user and its password, which is shown this once", err=True)


def _say_unsure(what: str) -> None:
    """What may hold must not be lost: nobody could come in by it."""
    typer.echo(f"tsuji: it is not known which the broker has {what}", err=True)


def _places(folder: Path, container: bool, owner: tuple[int, int] | None) -> "Places":
    from tsuji_platform.devices.folder import IN_CONTAINER, Places
    from tsuji_platform.runtime.mosquitto import installed

    if container:
        return IN_CONTAINER
    found = installed()
    plugin = None if found is None else found.plugin
    uid = os.getuid() if owner is None else owner[0]
    try:
        user = pwd.getpwuid(uid).pw_name
    except KeyError:
        raise typer.BadParameter(
            f"this machine has no user {uid} for its Mosquitto to run as: name one that it has with "
            "--owner, or give --container if the broker runs in a container"
        ) from None
    return Places(
        folder=PurePosixPath(folder / "broker"),
        plugins=IN_CONTAINER.plugins if plugin is None else PurePosixPath(plugin.parent),
        user=user,
    )


def _owner(owner: str | None, container: bool) -> tuple[int, int] | None:
    """User and group of the broker; None where its files stay with whoever calls this."""
    if owner is None:
        if container or os.getuid() != 0:
            return None
        owner = "mosquitto"
        try:
            pwd.getpwnam(owner)
        except KeyError:
            return None
    user, _, group = owner.partition(":")
    if user.isdecimal() and group.isdecimal():
        if max(int(user), int(group)) > _LARGEST_ID:
            raise typer.BadParameter(f"--owner {owner!r:.60}: no number is above {_LARGEST_ID}")
        return int(user), int(group)
    try:
        found = pwd.getpwnam(owner)
    except KeyError:
        raise typer.BadParameter(
            f"--owner {owner!r}: there is no such user; name one, or give UID:GID such as 1883:1883"
        ) from None
    return found.pw_uid, found.pw_gid
