"""How many live streams one address may hold, so that one visitor can't take those of all."""

from collections import Counter


class Guests:
    """Counts the open streams of each address.

    Args:
        most: of one address; 0 for any number.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._open = Counter[str]()

    def enter(self, address: str) -> bool:
        """Take a place; False where the address has as many as it may have."""
        if self.most and self._open[address] >= self.most:
            return False
        self._open[address] += 1
        return True

    def leave(self, address: str) -> None:
        """Give a place back."""
        self._open[address] -= 1
        if self._open[address] <= 0:
            del self._open[address]
