import pytest

from mosaic_telemetry.engine import DatabaseError
from mosaic_telemetry.engine.limits import Limit, Limiter


@pytest.fixture
def limiters(store, clock):
    """Two processes' limiters on one store, which settle when they are told to."""
    return [Limiter(store, clock, period=0) for _ in range(2)]


def test_a_burst_then_the_rate(limiters, clock):
    limit = Limit(rate=2, burst=5)
    verdicts = [limiters[0].take("a", limit) for _ in range(6)]
    assert [verdict.allowed for verdict in verdicts] == [True] * 5 + [False]
    assert [verdict.left for verdict in verdicts] == [4, 3, 2, 1, 0, 0]
    assert [verdict.retry_after for verdict in verdicts] == [0] * 5 + [1]
    assert [verdict.full_after for verdict in verdicts] == [1, 1, 2, 2, 3, 3]
    assert limiters[0].take("b", limit).allowed
    clock.seconds += 0.5
    assert limiters[0].take("a", limit).allowed
    assert not limiters[0].take("a", limit).allowed


@pytest.mark.parametrize("rate", [0.1, 0.3, 1, 7])
def test_who_waits_as_long_as_was_said_is_let_in(limiters, clock, rate):
    limit = Limit(rate, 1)
    assert limiters[0].take("a", limit).allowed
    for _ in range(20):
        refused = limiters[0].take("a", limit)
        assert not refused.allowed
        assert refused.retry_after >= 1
        clock.seconds += refused.retry_after
        assert limiters[0].take("a", limit).allowed


@pytest.mark.parametrize("share", [0.5, 0.9, 1.0])
def test_two_processes_let_in_what_one_would_in_the_long_run(limiters, clock, share):
    """100 requests a second for a minute against a rate of 20: within 20 % of 20 a second, however they fall on the processes."""
    limit = Limit(rate=20, burst=40)
    allowed = 0
    for number in range(6000):
        limiter = limiters[0] if number % 10 < share * 10 else limiters[1]
        allowed += limiter.take("a", limit).allowed
        clock.seconds += 0.01
        if number % 20 == 19:
            for one in limiters:
                one.settle()
    assert allowed == pytest.approx(20 * 60 + 40, rel=0.2)


def test_what_one_process_took_is_missing_in_the_other(limiters):
    limit = Limit(rate=1, burst=10)
    for _ in range(10):
        limiters[0].take("a", limit)
    assert limiters[1].take("a", limit).allowed  # it does not know yet
    for limiter in (*limiters, *limiters):
        limiter.take("a", limit)
        limiter.settle()
    refused = limiters[1].take("a", limit)
    assert not refused.allowed
    assert refused.retry_after >= 2  # what was too much is owed


def test_a_store_that_is_gone_stops_nobody_and_what_was_taken_is_settled_later(tmp_path, clock):
    from mosaic_telemetry.engine.store.sqlite import SqliteStore

    class Failing(SqliteStore):
        gone = True

        def settle(self, buckets, now_ms):
            if self.gone:
                raise DatabaseError("gone")
            return super().settle(buckets, now_ms)

    store = Failing(tmp_path / "t.db")
    limiter = Limiter(store, clock, period=0)
    limit = Limit(rate=1, burst=10)
    assert [limiter.take("a", limit).allowed for _ in range(12)] == [True] * 10 + [False] * 2
    with pytest.raises(DatabaseError):
        limiter.settle()
    assert not limiter.take("a", limit).allowed
    store.gone = False
    limiter.settle()
    other = Limiter(store, clock, period=0)
    other.take("a", limit)
    other.settle()
    assert not other.take("a", limit).allowed
    store.close()


def test_pictures_of_full_buckets_are_forgotten(limiters, clock):
    for number in range(1000):
        limiters[0].take(f"address:{number}", Limit(1, 10))
    limiters[0].settle()
    clock.seconds += 120
    limiters[0].take("address:0", Limit(0.001, 10))
    limiters[0].settle()
    assert len(limiters[0]._pictures) == 1


def test_a_thread_settles_by_itself_and_at_the_end(store, clock):
    limiter = Limiter(store, clock, period=30)
    limiter.take("a", Limit(1, 10))
    limiter.close()
    limiter.close()
    other = Limiter(store, clock, period=0)
    other.take("a", Limit(1, 10))
    other.settle()
    assert other.take("a", Limit(1, 10)).left == 7
