"""One hub for all tests under faults; each gets it whole."""

from collections.abc import Iterator

import pytest

from fault_hub import FaultHub, fault_hub


@pytest.fixture(scope="package")
def _stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultHub]:
    with fault_hub(tmp_path_factory.mktemp("stand")) as hub:
        yield hub


@pytest.fixture
def stand(_stand: FaultHub) -> FaultHub:
    """A hub that can be broken at will, empty and whole; no ingest runs yet."""
    _stand.begin_anew()
    return _stand
