"""A whole hub for other people's tests: private servers, real ingest and API, and known data in it."""

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import httpx

from tsuji_platform.runtime.basics import SetupError
from tsuji_platform.runtime.mqtt import free_port
from tsuji_platform.runtime.private import (
    PrivateServer,
    private_broker,
    private_database,
    private_folder,
)
from tsuji_platform.runtime.process import Child

if TYPE_CHECKING:
    from tsuji_simulators.tape.player import PlayProgress


@dataclass(frozen=True, slots=True, kw_only=True)
class TestHub:
    """A hub that runs while a test does.

    Attributes:
        api_url: of the data API, without `/v1`.
        broker_url: `mqtt://127.0.0.1:port`.
        database_url: of its PostgreSQL.
    """

    __test__ = False  # pytest takes classes of such names for tests

    api_url: str
    broker_url: str
    database_url: str

    def replay(
        self,
        *files: str | Path,
        speed: float | None = None,
        to_now: bool = False,
        topics: Sequence[str] = (),
        things: Sequence[str] = (),
        timeout_s: float = 120,
    ) -> "PlayProgress":
        """Send recorded messages, and wait until the hub has stored them.

        Args:
            files: recordings, or JSON lines or Parquet of messages.
            speed: times the original; None is as fast as the broker takes it.
            to_now: move the times inside of payloads to now.
            topics: filters of which one must fit; none takes all.
            things: ids or patterns of which one must fit; none takes all.
            timeout_s: for the sending, and again for the storing.

        Raises:
            TapeError: a file can't be read.
            TimeoutError: it takes longer.
        """
        from tsuji_ingest.decoders import filters
        from tsuji_simulators import replaying
        from tsuji_simulators.replaying import open_track
        from tsuji_simulators.tape.choice import Choice, topic_pattern

        taken_in, choice = topic_pattern(filters()), Choice(topics=topics, things=things)
        expected = self.messages + sum(
            taken_in.fullmatch(message.topic) is not None
            for file in files
            for message in choice.of(open_track(Path(file)))
        )
        with replaying(
            *files,
            broker=self.broker_url,
            speed=speed,
            to_now=to_now,
            topics=topics,
            things=things,
        ) as replay:
            final = replay.finish(timeout_s)
        deadline = time.monotonic() + timeout_s
        while (stored := self.messages) < expected:
            if time.monotonic() > deadline:
                raise TimeoutError(
                    f"the hub has taken in {stored:,} of {expected:,} messages within {timeout_s} s"
                )
            time.sleep(0.05)
        return final

    @property
    def messages(self) -> int:
        """Messages whose observations are stored, or rejected."""
        return int(httpx.get(f"{self.api_url}/v1/health").json()["ingest"]["messages"])


@contextmanager
def running_hub(kind: Literal["timescaledb", "plain"] = "timescaledb") -> Iterator[TestHub]:
    """Run an empty hub: database, broker, ingest and API, of which nothing is left in the end.

    Args:
        kind: of database: PostgreSQL with or without TimescaleDB.

    Raises:
        SetupError: a server can't be had, or does not start.
    """
    from tsuji_platform.store import migrate

    with ExitStack() as stack:
        folder = stack.enter_context(private_folder())
        database = stack.enter_context(private_database(kind=kind))
        broker = stack.enter_context(private_broker())
        migrate(database.url)
        api_port, ingest_port = free_port(), free_port()
        api_url, ingest_url = f"http://127.0.0.1:{api_port}", f"http://127.0.0.1:{ingest_port}"
        environment = {
            "TSUJI_DATABASE_URL": database.url,
            "TSUJI_BROKER_URL": broker.url,
            "TSUJI_HOME": str(folder),
            "TSUJI_API_HOST": "127.0.0.1",
            "TSUJI_API_PORT": str(api_port),
            "TSUJI_KEPT_SECONDS": "0",  # tests see at once what they have published
            "TSUJI_INGEST_HOST": "127.0.0.1",
            "TSUJI_INGEST_PORT": str(ingest_port),
        }
        for name, url, place in (
            ("api", api_url, "/v1/figures"),
            ("ingest", ingest_url, "/health"),
        ):
            server = _command(name, url, f"{url}{place}", environment, folder)
            stack.callback(server.stop)
            server.start()
        yield TestHub(api_url=api_url, broker_url=broker.url, database_url=database.url)


def _command(
    name: str, url: str, question: str, environment: dict[str, str], folder: Path
) -> PrivateServer:
    """One of Tsuji's own commands, as a server."""
    import sys

    def ready() -> bool:
        try:
            answer = httpx.get(question, timeout=5)
        except httpx.HTTPError:
            return False
        return answer.status_code == 200 and answer.json() is not None and _has_broker(answer)

    child = Child(
        name=name,
        command=(sys.executable, "-m", "tsuji", name),
        environment=environment,
        ready=ready,
    )
    return PrivateServer(child, url, folder / f"{name}.log", name)


def _has_broker(answer: httpx.Response) -> bool:
    """Ingest is ready once the broker has taken its subscriptions; the others say nothing of it."""
    said = answer.json()
    return "broker" not in said or bool(said["broker"]["connected"])


__all__ = ["SetupError", "TestHub", "running_hub"]
