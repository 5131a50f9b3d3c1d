"""Makes what is to be sent while what was made before is on its way: numpy computes beside the network."""

import queue
import threading
from collections.abc import Generator, Iterator
from itertools import islice
from typing import TypeVar

_Item = TypeVar("_Item")
_BATCH = 500
_BATCHES = 20


def ahead(
    items: Iterator[_Item], *, batch: int = _BATCH, batches: int = _BATCHES
) -> Generator[_Item, None, None]:
    """The same items, in the same order, taken from their iterator by a thread of its own.

    Where nobody wants more of them (the generator is closed), the thread ends at its next batch.

    Args:
        items: is advanced by that thread alone; what it raises is raised here, behind what came before.
        batch: items that are handed over at once.
        batches: so many wait at the most.
    """
    waiting: queue.Queue[list[_Item] | BaseException | None] = queue.Queue(batches)
    closed = threading.Event()

    def put(what: "list[_Item] | BaseException | None") -> bool:
        while not closed.is_set():
            try:
                waiting.put(what, timeout=0.1)
            except queue.Full:
                continue
            return True
        return False

    def make() -> None:
        end: BaseException | None = None
        try:
            while some := list(islice(items, batch)):
                if not put(some):
                    return
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for
            end = error
        put(end)

    thread = threading.Thread(target=make, name="ahead", daemon=True)
    thread.start()
    try:
        while isinstance(some := waiting.get(), list):
            yield from some
        if some is not None:
            raise some
    finally:
        closed.set()
        thread.join()
