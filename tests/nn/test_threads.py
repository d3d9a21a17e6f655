import threading
import time

import pytest
import torch

from maskwright.nn.threads import side_by_side, use_threads


def test_torch_counts_threads_for_each_thread() -> None:
    """What the lanes of a server rest on."""
    counts: list[int] = []

    def narrow() -> None:
        use_threads(1)
        counts.append(torch.get_num_threads())

    def wide() -> None:
        use_threads(3)
        thread = threading.Thread(target=narrow)
        thread.start()
        thread.join()
        counts.append(torch.get_num_threads())

    thread = threading.Thread(target=wide)
    thread.start()
    thread.join()

    assert counts == [1, 3]


@pytest.fixture(params=[1, 2, 5])
def threads(request):
    own = torch.get_num_threads()
    use_threads(request.param)
    yield request.param
    use_threads(own)


def test_results_come_in_the_order_of_what_was_asked(threads) -> None:
    def slow_first(number: int) -> int:
        time.sleep(0.05 if number == 0 else 0)
        return number

    assert list(side_by_side(slow_first, range(9))) == list(range(9))


def test_they_share_the_threads_that_there_are_and_the_caller_keeps_its_own(threads) -> None:
    seen = list(side_by_side(lambda _: torch.get_num_threads(), range(6), at_once=2))

    assert set(seen) == {max(1, threads // 2)}
    assert torch.get_num_threads() == threads


def test_threads_that_are_begun_afterwards_take_what_the_caller_has(threads) -> None:
    list(side_by_side(lambda number: number, range(3)))
    later: list[int] = []
    thread = threading.Thread(target=lambda: later.append(torch.get_num_threads()))
    thread.start()
    thread.join()

    assert later == [threads]


def test_little_is_begun_before_results_are_taken(threads) -> None:
    begun: list[int] = []
    found = side_by_side(lambda number: begun.append(number) or number, range(100), at_once=2)

    next(found)
    found.close()

    assert len(begun) <= 4


def test_an_error_comes_where_its_result_would(threads) -> None:
    def work(number: int) -> int:
        if number == 2:
            raise ValueError("the third")
        return number

    found = side_by_side(work, range(5))

    assert [next(found), next(found)] == [0, 1]
    with pytest.raises(ValueError, match="the third"):
        next(found)
