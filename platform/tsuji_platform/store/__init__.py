"""The database: the only package that holds SQL.

Those who write observations import `store.writer` or `store.retry`, and with them numpy, which takes as
long to import as all that is here.
"""

from tsuji_platform.store.areas import Areas
from tsuji_platform.store.cover import floor_to_step
from tsuji_platform.store.database import Database
from tsuji_platform.store.errors import (
    ConflictError,
    DatabaseAwayError,
    RowRefusedError,
    SchemaError,
    StoreError,
    TookTooLongError,
    TooMuchError,
)
from tsuji_platform.store.listen import changes
from tsuji_platform.store.migrate import migrate, pending
from tsuji_platform.store.quality import Quality
from tsuji_platform.store.reader import Reader
from tsuji_platform.store.rejected import Rejected
from tsuji_platform.store.rollups import Refresher, kept_fresh

__all__ = [
    "Areas",
    "ConflictError",
    "Database",
    "DatabaseAwayError",
    "Quality",
    "Reader",
    "Refresher",
    "Rejected",
    "RowRefusedError",
    "SchemaError",
    "StoreError",
    "TooMuchError",
    "TookTooLongError",
    "changes",
    "floor_to_step",
    "kept_fresh",
    "migrate",
    "pending",
]
