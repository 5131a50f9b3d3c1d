"""What a publisher has taken, in its order, until there is no reason left to send it (again)."""

from collections import deque
from dataclasses import dataclass, field


class Receipt:
    """What `publish` gives for a message that it has taken.

    paho's own receipt can't be asked for a message that was taken while there was no connection: it
    goes on raising after the message has arrived.
    """

    __slots__ = ("acknowledged_at",)

    def __init__(self) -> None:
        self.acknowledged_at: float | None = None
        """When the broker first acknowledged the message, monotonic seconds; None before that."""

    @property
    def is_acknowledged(self) -> bool:
        """Whether the broker has acknowledged the message."""
        return self.acknowledged_at is not None


@dataclass(slots=True, kw_only=True, eq=False)
class Message:
    """One message on its way.

    Attributes:
        topic: where it goes.
        payload: its content.
        retain: whether the broker keeps it for later subscribers.
        qos: 0, 1 or 2; of QoS 0 there is no acknowledgement, so it counts once it is sent.
        receipt: tells whoever published it of the first acknowledgement.
        confirmed_at: when it was acknowledged over the last connection that it was sent on; None
            while it is to be sent, or sent and not acknowledged.
    """

    topic: str
    payload: bytes
    retain: bool
    qos: int = 1
    receipt: Receipt = field(default_factory=Receipt)
    confirmed_at: float | None = None


class Outbox:
    """Messages in the order in which they were taken: some just acknowledged, the others not yet.

    What it holds has no gap: whatever was taken after a message that it holds is there, too. So all of
    it, sent in its order, never leaves an older value of a key as the last one.

    Args:
        keep_s: an acknowledged message is held until something is acknowledged so much later, seconds;
            0 holds none.
        keep_most: so many acknowledged messages are held at the most.
    """

    def __init__(self, keep_s: float, keep_most: int) -> None:
        self._keep_s = keep_s
        self._keep_most = keep_most
        self._messages: deque[Message] = deque()
        self._waiting = 0

    def __len__(self) -> int:
        return len(self._messages)

    @property
    def waiting(self) -> int:
        """Messages that are to be sent, or sent and not acknowledged."""
        return self._waiting

    def add(self, message: Message) -> None:
        """Take a message; it comes after all others."""
        self._messages.append(message)
        self._waiting += 1

    def withdraw(self, message: Message) -> None:
        """Forget a message that could not be sent after all."""
        self._messages.remove(message)
        self._waiting -= 1

    def confirm(self, message: Message, now: float) -> bool:
        """Note an acknowledgement, and let go what is too old to be in danger.

        Returns:
            Whether it is the first for this message.
        """
        self._waiting -= message.confirmed_at is None
        message.confirmed_at = now
        messages = self._messages
        while messages:
            oldest = messages[0].confirmed_at
            if oldest is None:
                break
            held = len(messages) - self._waiting
            if held <= self._keep_most and now - oldest < self._keep_s:
                break
            messages.popleft()
        is_first = message.receipt.acknowledged_at is None
        if is_first:
            message.receipt.acknowledged_at = now
        return is_first

    def lose(self) -> None:
        """The connection is lost: all of it is to be sent, what was acknowledged included."""
        for message in self._messages:
            message.confirmed_at = None
        self._waiting = len(self._messages)

    def all(self) -> list[Message]:
        """Everything that it holds, in order."""
        return list(self._messages)
