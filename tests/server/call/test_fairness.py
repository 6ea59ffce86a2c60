from __future__ import annotations

from server.call.fairness import Crowd, Pace, Turns, network_of


def test_one_too_many_puts_out_the_oldest_of_the_largest_group() -> None:
    crowd: Crowd[int] = Crowd(4)
    assert [crowd.add(i, "a" if i else "b") for i in range(4)] == [None] * 4
    assert crowd.add(4, "c") == 1 and crowd.add(5, "a") == 2
    assert len(crowd) == 4 and 0 in crowd and 4 in crowd
    crowd.discard(0)
    crowd.discard(0)
    assert [crowd.put_out() for _ in range(4)] == [3, 5, 4, None]


def test_a_pace_is_a_burst_and_then_a_rate() -> None:
    pace, taken = Pace(rate=2.0, burst=3.0), 0
    for tick in range(101):  # ten seconds
        while pace.ready(tick / 10):
            pace.take()
            taken += 1
    assert taken == 3 + 20
    assert not pace.ready(0.0)  # a clock that goes back gives nothing


def test_turns_go_round_the_lines_the_newest_first_and_every_second_to_the_known() -> None:
    turns: Turns[int] = Turns(rate=1.0, burst=100.0)
    for member in range(6):
        turns.add(member, "ab"[member % 2], known=False)
    turns.add(10, "a", known=True)
    turns.add(11, "c", known=True)
    turns.discard(5)
    turns.discard(5)
    assert [turns.next(0.0) for _ in range(8)] == [10, 4, 11, 3, 2, 1, 0, None]
    assert not turns


def test_turns_that_take_longer_are_fewer() -> None:
    turns: Turns[int] = Turns(rate=1.0, burst=2.0)
    for member in range(4):
        turns.add(member, "", known=True)
    assert turns.next(0.0) == 3
    turns.charge(1.5)
    assert turns.next(1.0) is None and turns.next(2.0) == 2 and len(turns) == 2


def test_a_network_is_an_address_or_its_prefix() -> None:
    assert network_of("192.0.2.1") == "192.0.2.1" == network_of("::ffff:192.0.2.1")
    assert network_of("2001:db8::1") == network_of("2001:db8::ffff%eth0") != network_of("2001:db8:0:1::1")
    assert network_of("") == "" and network_of("testclient") == "testclient"
