"""What a running ingest says of itself over HTTP."""

import httpx
from prometheus_client.parser import text_string_to_metric_families

OUTCOMES = ("stored", "duplicate", "corrected", "rejected")


class IngestFigures:
    """Reads `/health` and `/metrics` of an ingest.

    Args:
        port: of that ingest, on loopback.
    """

    def __init__(self, port: int) -> None:
        self.port = port

    def get(self, path: str) -> httpx.Response:
        """Any answer of it."""
        return httpx.get(f"http://127.0.0.1:{self.port}{path}", timeout=90)

    @property
    def health(self) -> dict:
        """As JSON; with the status `starting` while nothing answers."""
        try:
            return self.get("/health").json()
        except httpx.TransportError:
            return {"status": "starting"}

    @property
    def figures(self) -> dict[tuple[str, ...], float]:
        """Every sample by its name and the values of its labels."""
        families = text_string_to_metric_families(self.get("/metrics").text)
        return {
            (sample.name, *sample.labels.values()): sample.value
            for family in families
            for sample in family.samples
        }

    def check_balance(self) -> float:
        """See that every received value is accounted for, and return how many were received."""
        figures = self.figures
        received = figures[("tsuji_ingest_values_received_total",)]
        waiting = figures[("tsuji_ingest_values_waiting",)]
        decided = [figures["tsuji_ingest_values_total", outcome] for outcome in OUTCOMES]
        assert waiting >= 0
        assert received == waiting + sum(decided), figures
        return received
