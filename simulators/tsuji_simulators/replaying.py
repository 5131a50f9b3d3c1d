"""`replaying`: recorded messages sent while a block of code runs, for tests of other people's services."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tsuji_platform.settings import BrokerAddress
from tsuji_simulators.mqtt5 import wait_for_mqtt5
from tsuji_simulators.publish import Publisher
from tsuji_simulators.tape.choice import Choice
from tsuji_simulators.tape.lists import JsonLines, ParquetMessages
from tsuji_simulators.tape.merge import Merged
from tsuji_simulators.tape.message import TapeError, Tell, Track
from tsuji_simulators.tape.player import How, Player, PlayProgress
from tsuji_simulators.tape.reader import Tape, is_tape

CLIENT_ID = "tsuji-replay"


def open_track(path: Path, *, skip_damaged: bool = False, tell: Tell | None = None) -> Track:
    """A file of messages: a recording, JSON lines or Parquet.

    Raises:
        TapeError: where it can't be opened, or its name says none of these.
    """
    if is_tape(path):
        return Tape(path, skip_damaged=skip_damaged, tell=tell)
    suffixes = [one.lower() for one in path.suffixes if one.lower() not in (".gz", ".zst")]
    last = suffixes[-1] if suffixes else ""
    if last in (".jsonl", ".ndjson", ".json"):
        return JsonLines(path, skip_damaged=skip_damaged, tell=tell)
    if last in (".parquet", ".pq"):
        return ParquetMessages(path, skip_damaged=skip_damaged, tell=tell)
    raise TapeError(f"{path} holds no messages: a recording is .tsuji, .jsonl or .parquet")


class Replay:
    """A replay that runs in the background.

    Attributes:
        progress: how it fares; None before anything was sent.
    """

    def __init__(self, track: Track, publisher: Publisher, how: How, stop: threading.Event) -> None:
        self.progress: PlayProgress | None = None
        self._error: BaseException | None = None
        self._stop = stop
        self._player = Player(track, publisher, how, stop=stop, on_progress=self._note)
        self._thread = threading.Thread(target=self._run, name="tsuji-replay", daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def finish(self, timeout_s: float | None = None) -> PlayProgress:
        """Wait until everything is sent and the broker has acknowledged it.

        Raises:
            TapeError: a file can't be read on.
            TimeoutError: it is not finished by then.
        """
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            raise TimeoutError(f"the replay is not finished after {timeout_s} s: {self.progress}")
        if self._error is not None:
            raise self._error
        assert self.progress is not None  # noqa: S101 - a player tells at its end
        return self.progress

    def stop(self) -> None:
        """End it early; nothing happens where it is finished."""
        self._stop.set()
        self._thread.join()

    def _note(self, progress: PlayProgress) -> None:
        self.progress = progress

    def _run(self) -> None:
        try:
            self._player.play()
        except BaseException as error:  # noqa: BLE001 - it is raised where somebody waits
            self._error = error


@contextmanager
def replaying(
    *files: str | Path,
    broker: str | BrokerAddress,
    speed: float | None = None,
    to_now: bool = False,
    passes: int | None = 1,
    topics: Sequence[str] = (),
    things: Sequence[str] = (),
    skip_damaged: bool = False,
    tell: Callable[[str], None] | None = None,
    connect_timeout_s: float = 30,
) -> Iterator[Replay]:
    """Send recorded messages to a broker while the block runs; at its end the replay ends, too.

    Args:
        files: recordings, or JSON lines or Parquet of messages; merged in the order of arrival.
        broker: `mqtt://user:password@host:port`.
        speed: times the original; None is as fast as the broker takes it.
        to_now: move the times inside of payloads to now.
        passes: how often; None is without end.
        topics: filters of which one must fit; none takes all.
        things: ids or patterns of which one must fit; none takes all.
        skip_damaged: go on behind what is damaged in a file.
        tell: is told what is odd in a file.
        connect_timeout_s: the broker has to be there by then.

    Yields:
        The replay; `finish()` waits for its end.

    Raises:
        TapeError: a file can't be opened.
        ConnectionError: no broker answers.
    """
    if not files:
        raise TapeError("name a file to replay")
    address = broker if isinstance(broker, BrokerAddress) else BrokerAddress.parse(broker)
    tracks = [open_track(Path(one), skip_damaged=skip_damaged, tell=tell) for one in files]
    choice = Choice(topics=topics, things=things)
    stop = threading.Event()
    mqtt5 = wait_for_mqtt5(address, stop, connect_timeout_s)
    with Publisher(address, client_id=CLIENT_ID, mqtt5=mqtt5, stop=stop) as publisher:
        how = How(choice=choice, speed=speed, to_now=to_now, passes=passes)
        replay = Replay(Merged(tracks), publisher, how, stop)
        replay.start()
        try:
            yield replay
        finally:
            replay.stop()
