"""Every received value is accounted for, at any moment; lags are counted by size."""

import math

from hypothesis import given
from hypothesis import strategies as st

from samples import T0, message
from tsuji_ingest.histogram import BOUNDS_S, Histogram, quantile
from tsuji_ingest.ledger import Account, Ledger
from tsuji_platform.store.records import Received, Tally


def _balances(account: Account) -> bool:
    decided = account.decided
    return account.received == (
        decided.stored + decided.duplicate + decided.corrected + decided.rejected + account.waiting
    )


def _retained(one: Received) -> Received:
    return Received(
        topic=one.topic,
        payload=one.payload,
        received_at=one.received_at,
        observations=one.observations,
        retained=True,
    )


def test_values_wait_until_their_transaction_is_committed() -> None:
    ledger = Ledger()
    ledger.took([message("pole", T0, air_temperature=1, sound_level=2)])
    assert (ledger.account.messages, ledger.account.received, ledger.account.waiting) == (1, 2, 2)
    ledger.storing(2)
    assert ledger.state().waiting == 0, "in the row that this very transaction writes"
    assert ledger.account.waiting == 2, "until it is committed"
    ledger.settled(2, Tally(messages=2, received=2, stored=1, duplicate=1), [0.1, 0.2], [60.0])
    assert ledger.account.waiting == 0
    assert ledger.account.decided == Tally(messages=2, received=2, stored=1, duplicate=1)
    assert _balances(ledger.account)


def test_what_the_broker_hands_out_anew_counts_only_as_news() -> None:
    ledger = Ledger()
    ledger.took([_retained(message("pole", T0, air_temperature=1))])
    assert (ledger.account.received, ledger.account.waiting) == (0, 0)
    ledger.settled(0, Tally(messages=1, received=1, stored=1), [], [])
    assert ledger.account.received == 1
    assert _balances(ledger.account)


def test_healed_values_do_not_change_what_was_decided_at_first() -> None:
    ledger = Ledger()
    ledger.took([message("pole", T0, air_temperature=1)])
    ledger.settled(1, Tally(messages=1, received=1, rejected=1), [0.1], [])
    ledger.healed(Tally(stored=1, rejected=-1))
    assert ledger.account.decided.rejected == 1
    assert ledger.account.healed == Tally(stored=1, rejected=-1)
    assert _balances(ledger.account)


def test_an_outage_is_measured_from_its_first_sign() -> None:
    now = [100.0]
    ledger = Ledger(lambda: now[0])
    assert ledger.back() is None
    ledger.away("connection refused")
    now[0] = 130
    ledger.away("still")
    assert (ledger.account.away_since, ledger.account.cause) == (100.0, "still")
    assert ledger.back() == 30
    assert (ledger.account.away_since, ledger.account.cause) == (None, "")


def test_the_lag_is_that_of_the_last_minute() -> None:
    now = [0.0]
    ledger = Ledger(lambda: now[0])
    assert ledger.state().lag_s is None
    ledger.settled(0, Tally(), [30.0] * 100, [])
    assert 10 < ledger.state().lag_s <= 30
    now[0] = 61
    ledger.settled(0, Tally(), [0.02] * 100, [])
    assert 0.01 < ledger.state().lag_s <= 0.025
    assert sum(ledger.lag.counts) == 200
    now[0] = 200
    assert ledger.state().lag_s is None


@given(st.lists(st.floats(-1, 1e5), min_size=1), st.floats(0.01, 1))
def test_a_quantile_lies_in_the_bin_of_the_true_one(durations: list[float], share: float) -> None:
    histogram = Histogram()
    histogram.add(durations)
    assert histogram.cumulative()[-1] == ("+Inf", len(durations))
    for bound, reached in histogram.cumulative()[:-1]:
        assert reached == sum(one <= float(bound) for one in durations)
    true = sorted(durations)[max(0, math.ceil(share * len(durations) - 1e-9) - 1)]
    estimate = quantile([histogram], share)
    low = max((bound for bound in BOUNDS_S if bound < true), default=0.0)
    high = min((bound for bound in BOUNDS_S if bound >= true), default=BOUNDS_S[-1])
    assert low <= estimate <= high
