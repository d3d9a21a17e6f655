import threading
import time

import pytest

from maskwright.workflows.channel import ahead


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
