from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwright.core import RLE
from maskwright.core.errors import InputError
from maskwright.train.tune.examples import Example, ExampleMask
from maskwright.train.tune.split import check_no_leak, split_by_group


def example(name, group):
    return Example(name=name, group=group, digest=name, masks=(), read=lambda: None)


def episodes(*names, frames=3):
    return [example(f"{name}-{i}", name) for name in names for i in range(frames)]


def split(examples, **more):
    return split_by_group(examples, validation=0.2, test=0.2, seed=0, **more)


@given(st.integers(3, 30), st.integers(0, 5))
def test_every_episode_is_on_one_side_and_every_side_has_one(count, seed):
    examples = episodes(*(f"e{i}" for i in range(count)))

    found = split_by_group(examples, validation=0.2, test=0.2, seed=seed)

    groups = found.groups()
    assert all(groups.values())
    assert sorted(name for names in groups.values() for name in names) == sorted(f"e{i}" for i in range(count))
    assert len(found.train) + len(found.validation) + len(found.test) == len(examples)


def test_an_episode_that_was_held_out_stays_held_out_as_data_grow():
    before = split(episodes(*(f"e{i}" for i in range(20)))).groups()

    after = split(episodes(*(f"e{i}" for i in range(40)))).groups()

    assert set(before["test"]) <= set(after["test"])


def test_episodes_that_share_a_picture_stay_together():
    examples = episodes("a", "b", "c", "d")
    examples += [replace(examples[0], group="copy of a")]

    groups = split(examples).groups()

    side_of = {name: side for side, names in groups.items() for name in names}
    assert side_of["a"] == side_of["copy of a"]


def test_one_episode_cannot_be_held_out_of_itself():
    with pytest.raises(InputError, match=r"at least 3 episodes, to hold 2 out whole, got 1 \(only\)"):
        split(episodes("only"))


def test_with_test_data_from_elsewhere_only_validation_is_held_out():
    found = split(episodes("a", "b"), has_test=True)

    assert found.test == ()
    assert len(found.validation) == 3


def test_masks_that_nobody_looked_at_are_learnt_from_and_never_scored_by():
    def masked(one, *flags):
        rle = RLE(size_hw=(1, 1), counts=b"01")
        return replace(
            one, masks=tuple(ExampleMask(key=str(i), rle=rle, is_checked=flag) for i, flag in enumerate(flags))
        )

    seen = [masked(one, True, False) for one in episodes(*(f"e{i}" for i in range(20)), frames=1)]
    unseen = [masked(one, False) for one in episodes(*(f"e{i}" for i in range(20, 40)), frames=1)]

    found = split(seen + unseen)
    later = split([masked(one, True) for one in seen + unseen])

    assert all(mask.is_checked for one in (*found.validation, *found.test) for mask in one.masks)
    assert any(len(one.masks) == 2 for one in found.train)
    assert {one.group for one in unseen} & set(found.groups()["train"])
    assert not set(found.groups()["train"]) & {*later.groups()["test"], *later.groups()["validation"]}


def test_a_leaking_episode_is_named():
    training = episodes("a", "b")

    with pytest.raises(InputError, match=r"1 held-out episodes are trained on too.*\(b\)"):
        check_no_leak(training, episodes("b", frames=1))


def test_a_picture_that_was_copied_into_another_episode_leaks_too():
    training = episodes("a")

    with pytest.raises(InputError, match=r"\(elsewhere\)"):
        check_no_leak(training, [replace(training[1], group="elsewhere")])
