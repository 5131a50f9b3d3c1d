"""What was chosen to run, for the database and the broker alike."""

from dataclasses import dataclass

from tsuji_platform.runtime.process import Child


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which server is used.

    Attributes:
        url: its address, for the children's environment.
        description: what it is, in one line.
        why: why this one.
        notice: what people should know about it, None where all is as it should be.
        child: the server to run; None where it is somebody else's.
    """

    url: str
    description: str
    why: str
    notice: str | None = None
    child: Child | None = None
