import threading
import time

import pytest

from maskwright.workflows.channel import ahead, spread


def test_items_come_in_order_and_at_most_so_many_ahead():
    made = []

    def produce():
        for number in range(20):
            made.append(number)
            yield number

    taken = []
    for number in ahead(produce(), size=3, name="test"):
        taken.append(number)
        assert len(made) - len(taken) <= 4, "three in the queue, and one in the producer's hand"

    assert taken == list(range(20))


def test_an_error_comes_after_the_items_before_it():
    def produce():
        yield 1
        raise ValueError("broken")

    stream = ahead(produce(), size=8, name="test")

    assert next(stream) == 1
    with pytest.raises(ValueError, match="broken"):
        next(stream)


def test_leaving_early_ends_the_thread():
    before = threading.active_count()
    stream = ahead(iter(int, 1), size=2, name="test")
    next(stream)

    stream.close()

    assert threading.active_count() == before


def test_the_two_sides_work_at_once():
    def produce():
        for number in range(5):
            time.sleep(0.05)
            yield number

    began = time.perf_counter()
    for _ in ahead(produce(), size=2, name="test"):
        time.sleep(0.05)

    assert time.perf_counter() - began < 0.45, "one after the other would take half a second"


def doubled(numbers):
    for number in numbers:
        time.sleep(0.001)
        yield 2 * number


def test_several_workers_do_every_item_once():
    results = list(spread(range(50), [doubled, doubled, doubled], size=4, name="test"))

    assert sorted(results) == [2 * number for number in range(50)]


def test_workers_work_at_once():
    barrier = threading.Barrier(2, timeout=5)

    def meeting(numbers):
        for number in numbers:
            barrier.wait()
            yield number

    assert sorted(spread(range(4), [meeting, meeting], size=4, name="test")) == [0, 1, 2, 3]


def test_an_error_of_one_worker_reaches_the_caller_and_ends_the_others():
    before = threading.active_count()

    def breaking(numbers):
        next(numbers)
        raise ValueError("broken")
        yield

    with pytest.raises(ValueError, match="broken"):
        list(spread(iter(int, 1), [doubled, breaking], size=2, name="test"))

    assert threading.active_count() == before


def test_an_error_of_what_is_spread_comes_after_what_was_made():
    def produce():
        yield 1
        raise ValueError("broken")

    stream = spread(produce(), [doubled], size=2, name="test")

    assert next(stream) == 2
    with pytest.raises(ValueError, match="broken"):
        next(stream)


def test_leaving_early_ends_all_workers():
    before = threading.active_count()
    stream = spread(iter(int, 1), [doubled, doubled], size=2, name="test")
    next(stream)

    stream.close()

    assert threading.active_count() == before


def test_no_items_give_no_results():
    assert list(spread([], [doubled, doubled], size=2, name="test")) == []
