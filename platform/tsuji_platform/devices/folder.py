"""The files of a broker for real use: its configuration, certificates, first users, and their passwords.

What the broker reads and writes is in `broker/`, which is all that its container is shown; what only its
owner is to have, the authority's key and the first passwords, is in `private/`.
"""

import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath

import orjson

from tsuji_platform.devices.certificates import (
    CERTIFICATE_DAYS,
    Pair,
    make_authority,
    make_certificate,
)
from tsuji_platform.devices.passwords import kept, make_password
from tsuji_platform.devices.rights import (
    ADMIN,
    DEFAULT_ACCESS,
    RIGHTS,
    Role,
    role_document,
    role_name,
)
from tsuji_platform.runtime.mosquitto import MAX_INFLIGHT, MAX_INFLIGHT_BYTES, MAX_PACKET_BYTES

THINGS_PORT = 8883
SERVICES_PORT = 8884
INGEST = "ingest"
"""The first user beside the one who manages the others."""
_BROKER, _PRIVATE = "broker", "private"


class BrokerFolderError(Exception):
    """The folder can't be made, or is none; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where the broker finds what its configuration names.

    Attributes:
        folder: of its files, as it sees it.
        plugins: its plugins' folder.
        things_port: of the listener for things and readers.
        services_port: of the one for ingest.
        address: on which both listen; None for all.
        user: who the broker runs as once it has begun.
    """

    folder: PurePosixPath
    plugins: PurePosixPath
    things_port: int = THINGS_PORT
    services_port: int = SERVICES_PORT
    address: str | None = None
    user: str = "mosquitto"


IN_CONTAINER = Places(folder=PurePosixPath("/mosquitto/config"), plugins=PurePosixPath("/usr/lib"))
"""In the image eclipse-mosquitto, with the folder mounted where it looks for its configuration."""


def configuration(places: Places) -> str:
    """Mosquitto's configuration, for version 2.1 or newer."""
    tls, data = places.folder / "tls", places.folder / "data"
    address = f" {places.address}" if places.address else ""
    secured = f"""\
certfile {tls}/server.crt
keyfile {tls}/server.key
tls_version tlsv1.2
# In MQTT 3.1 a broker can't refuse a subscription, so it would let one be that takes messages of others.
accept_protocol_versions 4,5
"""
    return f"""\
# A broker for real use: TLS only, a user for each thing, rights by topic. Made by `tsuji devices init`
# (docs/broker.md); every message is kept before it is acknowledged.
user {places.user}
allow_anonymous false
log_dest stdout
log_type error
log_type warning
log_type notice
set_tcp_nodelay true
max_packet_size {MAX_PACKET_BYTES}
max_inflight_messages {MAX_INFLIGHT}
max_inflight_bytes {MAX_INFLIGHT_BYTES}
max_queued_messages 0
max_queued_bytes 1073741824
persistent_client_expiration 30d
persistence_location {data}/
global_plugin {places.plugins}/mosquitto_persist_sqlite.so
plugin_opt_db_file {data}/mosquitto.sqlite3
plugin_opt_sync full
plugin_opt_flush_period 0
global_plugin {places.plugins}/mosquitto_dynamic_security.so
plugin_opt_config_file {data}/dynamic-security.json

# Things, gateways and readers. Their client id becomes their user's name, so that nobody takes over the
# session of another.
listener {places.things_port}{address}
{secured}use_username_as_clientid true

# Ingest, recorders and `tsuji devices`, which have several sessions each: keep this port in the hub's own
# network. Others who come here are held to their user's name as client id, too.
listener {places.services_port}{address}
{secured}"""


def first_users(passwords: Mapping[str, str]) -> bytes:
    """What the dynamic security plugin begins with: roles, who manages users, and ingest.

    Args:
        passwords: by user.
    """
    users = {ADMIN: Role.ADMIN, INGEST: Role.INGEST}
    return orjson.dumps(
        {
            "defaultACLAccess": dict(DEFAULT_ACCESS),
            "clients": [
                {
                    "username": name,
                    "textdescription": "Made by `tsuji devices init`",
                    "roles": [{"rolename": role_name(role), "priority": 0}],
                    **kept(passwords[name]),
                }
                for name, role in users.items()
            ],
            "groups": [{"groupname": "nobody", "roles": []}],
            "roles": [role_document(role) for role in RIGHTS],
            "anonymousGroup": "nobody",
        },
        option=orjson.OPT_INDENT_2,
    )


def make_folder(
    folder: Path,
    hosts: Sequence[str],
    places: Places,
    now: datetime,
    *,
    owner: tuple[int, int] | None = None,
    days: int = CERTIFICATE_DAYS,
    for_containers: bool = False,
) -> dict[str, Path]:
    """Make a broker's folder, all of it or nothing.

    Args:
        folder: must be empty, or not there.
        hosts: under which clients reach the broker.
        places: for its configuration.
        now: aware.
        owner: user and group of the broker, who gets `broker/`; None for whoever calls this.
        days: for which the broker's certificate is valid.
        for_containers: each is shown one password's file and runs as a user of its own, so the files are
            open to all; their folder is not.

    Returns:
        The files that matter to people, by what they are.

    Raises:
        BrokerFolderError: where it can't be made.
        CertificateError: where a host can't be one.
    """
    authority = make_authority(now)
    server = make_certificate(authority, hosts, now, days)
    passwords = {name: make_password() for name in (ADMIN, INGEST)}
    files: dict[str, tuple[bytes, int]] = {
        f"{_BROKER}/mosquitto.conf": (configuration(places).encode(), 0o644),
        f"{_BROKER}/tls/ca.crt": (authority.certificate, 0o644),
        f"{_BROKER}/tls/server.crt": (server.certificate, 0o644),
        f"{_BROKER}/tls/server.key": (server.key, 0o600),
        f"{_BROKER}/data/dynamic-security.json": (first_users(passwords), 0o600),
        f"{_PRIVATE}/ca.key": (authority.key, 0o600),
        **{
            f"{_PRIVATE}/{name}.password": (
                f"{password}\n".encode(),
                0o444 if for_containers else 0o600,
            )
            for name, password in passwords.items()
        },
    }
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise BrokerFolderError(
                f"{folder} is there already: name a new folder, or remove this one and with it all its "
                "users (`tsuji devices certificate` makes a new certificate alone)"
            )
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
        try:
            _fill(draft, files, owner)
            draft.replace(folder)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise
    except OSError as error:
        raise BrokerFolderError(f"{folder} can't be made: {error.strerror or error}") from None
    return {
        "configuration": folder / _BROKER / "mosquitto.conf",
        "authority": folder / _BROKER / "tls" / "ca.crt",
        ADMIN: folder / _PRIVATE / f"{ADMIN}.password",
        INGEST: folder / _PRIVATE / f"{INGEST}.password",
    }


def renew_certificate(
    folder: Path, hosts: Sequence[str], now: datetime, days: int = CERTIFICATE_DAYS
) -> Path:
    """Give the broker of a folder a new certificate of the same authority, and return its file.

    Raises:
        BrokerFolderError: where the folder is none that was made here.
        CertificateError: where a host can't be one, or the authority's certificate ends sooner.
    """
    tls = folder / _BROKER / "tls"
    try:
        authority = Pair(
            certificate=(tls / "ca.crt").read_bytes(),
            key=(folder / _PRIVATE / "ca.key").read_bytes(),
        )
        before = (tls / "server.key").stat()
        made = make_certificate(authority, hosts, now, days)
        # the key first: for a moment the two don't fit, and a broker that reads them then keeps the old
        for name, octets, mode in (
            ("server.key", made.key, 0o600),
            ("server.crt", made.certificate, 0o644),
        ):
            _replace(tls / name, octets, mode, (before.st_uid, before.st_gid))
    except OSError as error:
        raise BrokerFolderError(
            f"{folder} holds no broker's certificates that can be made anew ({error.strerror}: "
            f"{error.filename}): `tsuji devices init` makes such a folder"
        ) from None
    return tls / "server.crt"


def _fill(
    draft: Path, files: Mapping[str, tuple[bytes, int]], owner: tuple[int, int] | None
) -> None:
    draft.chmod(0o755)
    for name, mode in ((_BROKER, 0o755), (_PRIVATE, 0o700)):
        (draft / name).mkdir(mode=mode)
    for name, mode in (("tls", 0o755), ("data", 0o700)):
        (draft / _BROKER / name).mkdir(mode=mode)
    for name, (octets, mode) in files.items():
        path = draft / name
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(octets)
            os.fsync(file.fileno())
        path.chmod(mode)
    if owner is not None:
        # from within, and no links: who has got a folder may put something else into it meanwhile
        for path in sorted((draft / _BROKER, *(draft / _BROKER).rglob("*")), reverse=True):
            os.chown(path, *owner, follow_symlinks=False)


def _replace(path: Path, octets: bytes, mode: int, owner: tuple[int, int]) -> None:
    draft = path.with_name(f".{path.name}.new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(octets)
        # of the file that is open: the folder is the broker's, who could put a link in its place
        opened = os.fstat(file.fileno())
        if owner != (opened.st_uid, opened.st_gid):
            os.fchown(file.fileno(), *owner)
        os.fchmod(file.fileno(), mode)
        os.fsync(file.fileno())
    draft.replace(path)
