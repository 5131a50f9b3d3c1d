"""Lets a reader work a little ahead in a thread of its own while the database is busy."""

import threading
from collections.abc import Iterable, Iterator
from queue import Full, Queue
from typing import TypeVar

_T = TypeVar("_T")
_AHEAD = 2
_LOOK_EVERY_S = 0.1


def ahead(items: Iterable[_T]) -> Iterator[_T]:
    """The same items in the same order, some made before they are asked for; errors come in their place."""
    queue: Queue[tuple[_T] | BaseException | None] = Queue(_AHEAD)
    stop = threading.Event()

    def put(one: tuple[_T] | BaseException | None) -> None:
        while not stop.is_set():
            try:
                queue.put(one, timeout=_LOOK_EVERY_S)
            except Full:
                continue
            return

    def work() -> None:
        try:
            for item in items:
                put((item,))
                if stop.is_set():
                    return
        except BaseException as error:  # noqa: BLE001 - raised again where the items are used
            put(error)
        else:
            put(None)

    thread = threading.Thread(target=work, name="import-reader", daemon=True)
    thread.start()
    try:
        while (one := queue.get()) is not None:
            if isinstance(one, BaseException):
                raise one
            yield one[0]
    finally:
        stop.set()
        thread.join()
