"""What ingest makes of the session that the broker keeps for it: goes on with it, or says that it is gone."""

from broker_queue import BrokerQueue
from samples import after, observations, thing
from tsuji_platform.runtime.private import PrivateServer
from tsuji_platform.settings import BrokerAddress
from tsuji_platform.store import Reader
from tsuji_simulators.publish import Publisher


def test_a_reconnect_does_not_bring_all_that_is_retained_again(
    start_ingest, broker: PrivateServer, reader: Reader, waiting: BrokerQueue, eventually
) -> None:
    """A hundred thousand registrations would hold up what is new; a start does ask for them."""
    address = BrokerAddress.parse(broker.url)
    running = start_ingest()
    with Publisher(address) as publisher:  # which would send the last two seconds again
        publisher.publish_things([thing(f"pole-{number}") for number in range(50)])
        assert publisher.flush(timeout_s=20)
    eventually(lambda: len(reader.things()) == 50 and waiting.unacknowledged == 0)
    broker.stop()
    eventually(lambda: not running.ingest.connected)
    broker.start()
    eventually(lambda: running.ingest.connected)
    with Publisher(address) as publisher:
        publisher.publish_observations("pole-1", observations("pole-1", after(), air_temperature=1))
        assert publisher.flush(timeout_s=20)
    eventually(lambda: reader.counters().tally.stored == 1, within=20)
    assert running.ingest.ledger.account.messages == 51
    running.stop()
    again = start_ingest()
    eventually(lambda: again.ingest.ledger.account.messages == 50)
