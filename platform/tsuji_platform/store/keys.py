"""Keys of the data API, and the allowances that its workers share."""

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg.rows import DictRow

from tsuji_platform.contract.scopes import Scope
from tsuji_platform.store import queries
from tsuji_platform.store.database import Database

_SQL = queries.load("keys")
_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"
_ID_LENGTH = 10
_PREFIX = "tsuji"
WINDOW = timedelta(minutes=1)
"""What rates are counted over."""
_FORGOTTEN_AT_ONCE = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """One key; times are aware.

    Attributes:
        key_id: its public part.
        name: whose it is.
        digest: SHA-256 of its secret part.
        scopes: what it opens beyond public reading.
        rate_per_minute: requests; None for no limit.
        created_at: when it was made.
        expires_at: from when on it opens nothing; None for never.
        revoked_at: when it was revoked; None where it was not.
    """

    key_id: str
    name: str
    digest: bytes
    scopes: tuple[str, ...]
    rate_per_minute: int | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None

    def opens(self, secret: str, now: datetime) -> bool:
        """Whether this is its secret and it is valid at that moment."""
        is_its_own = hmac.compare_digest(_digest(secret), self.digest)
        expired = self.expires_at is not None and self.expires_at <= now
        return is_its_own and self.revoked_at is None and not expired


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A part of an allowance.

    Attributes:
        granted: requests that this caller may let through.
        remaining: that nobody has been granted yet.
        resets_in_s: seconds until the whole allowance is there again.
    """

    granted: int
    remaining: int
    resets_in_s: float


def split(token: str) -> tuple[str, str] | None:
    """The id and the secret of `tsuji_<id>_<secret>`; None where it is none."""
    prefix, _, rest = token.partition("_")
    key_id, _, secret = rest.partition("_")
    is_one = prefix == _PREFIX and len(key_id) == _ID_LENGTH and set(key_id) <= set(_ALPHABET)
    return (key_id, secret) if is_one and secret else None


class Keys:
    """Access to the keys of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(
        self,
        name: str,
        scopes: Iterable[Scope] = (),
        rate_per_minute: int | None = None,
        expires_at: datetime | None = None,
    ) -> str:
        """Make a key; returns it, for the only time.

        Args:
            name: whose it is.
            scopes: what it opens beyond public reading.
            rate_per_minute: requests; None for no limit.
            expires_at: aware; None for never.
        """
        key_id = "".join(secrets.choice(_ALPHABET) for _ in range(_ID_LENGTH))
        secret = secrets.token_urlsafe(32)
        self._database.rows(
            _SQL["add_key"],
            {
                "key_id": key_id,
                "name": name,
                "digest": _digest(secret),
                "scopes": sorted({scope.value for scope in scopes}),
                "rate_per_minute": rate_per_minute,
                "expires_at": expires_at,
            },
        )
        return f"{_PREFIX}_{key_id}_{secret}"

    def get(self, key_id: str) -> ApiKey | None:
        """The key of this id, or None."""
        found = self._found(self._database.rows(_SQL["key"], {"key_id": key_id}))
        return found[0] if found else None

    def ids(self) -> list[str]:
        """Of all keys that may open something."""
        return [row["key_id"] for row in self._database.rows(_SQL["key_ids"])]

    def all(self) -> list[ApiKey]:
        """All that were ever made, the newest first."""
        return self._found(self._database.rows(_SQL["keys"]))

    def revoke(self, key_id: str) -> bool:
        """Let a key open nothing from now on; False where there is none of this id."""
        return bool(self._database.rows(_SQL["revoke_key"], {"key_id": key_id}))

    @staticmethod
    def _found(rows: Iterable[DictRow]) -> list[ApiKey]:
        return [ApiKey(scopes=tuple(row.pop("scopes")), **row) for row in rows]


class Allowances:
    """How much each caller has asked for in its minute, over all workers."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def take(self, subject: str, quota: int, wanted: int) -> Share:
        """Take a part of what a subject may still ask for.

        Args:
            subject: a key or an address.
            quota: requests in `WINDOW`.
            wanted: how many to take at the most.
        """
        (row,) = self._database.rows(
            _SQL["take"], {"subject": subject, "quota": quota, "wanted": wanted, "window": WINDOW}
        )
        return Share(**row)

    def forget_old(self) -> None:
        """Drop what no longer counts, all of it: every address that ever asked has left a row."""
        forgotten = _FORGOTTEN_AT_ONCE
        while forgotten == _FORGOTTEN_AT_ONCE:
            with self._database.transaction() as connection:
                forgotten = connection.execute(
                    _SQL["forget_allowances"], {"window": WINDOW, "at_once": _FORGOTTEN_AT_ONCE}
                ).rowcount


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
