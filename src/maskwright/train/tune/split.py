"""Which examples train, which decide when to stop, and which tell how good it became: by episode, never by frame.

An episode's place follows from its name and the seed alone, so an episode that was held out in one round of a growing
data set is held out in the next. Episodes that share a picture count as one.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from maskwright.core.errors import InputError
from maskwright.train.tune.examples import Example

_TOLD = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Examples by what they are for."""

    train: tuple[Example, ...]
    validation: tuple[Example, ...]
    test: tuple[Example, ...]

    def groups(self) -> dict[str, list[str]]:
        """The episodes of each side, in order."""
        return {side: sorted({one.group for one in getattr(self, side)}) for side in SIDES}


SIDES = ("train", "validation", "test")


def split_by_group(
    examples: Sequence[Example], *, validation: float, test: float, seed: int, has_test: bool = False
) -> Split:
    """Split examples; `has_test` where what is tested on comes from elsewhere, so that none is held out for it.

    Masks that nobody looked at are only learnt from, and only in episodes whose place is not held out, so that what is
    held out once is not learnt from before.

    Raises:
        InputError: there are too few episodes to hold any out.
    """
    if all(mask.is_checked for one in examples for mask in one.masks):
        return _split(examples, validation=validation, test=test, seed=seed, has_test=has_test)
    checked = [one for one in map(_checked, examples) if one.masks]
    split = _split(checked, validation=validation, test=test, seed=seed, has_test=has_test)
    held = {one.group for one in (*split.validation, *split.test)}
    unseen = {name for names in _bundles(examples) if not held & set(names) for name in names}
    below = validation if has_test else validation + test
    known = {one.group for one in split.train}
    late = {name for name in unseen - known if _place((name,), seed) < below}
    return replace(split, train=tuple(one for one in examples if one.group in unseen - late))


def _checked(example: Example) -> Example:
    """The example without the masks that nobody looked at."""
    return replace(example, masks=tuple(one for one in example.masks if one.is_checked))


def _split(examples: Sequence[Example], *, validation: float, test: float, seed: int, has_test: bool) -> Split:
    bundles = _bundles(examples)
    wanted = 2 if has_test else 3
    if len(bundles) < wanted:
        raise InputError(
            f"expected at least {wanted} episodes, to hold {wanted - 1} out whole, got {len(bundles)}"
            f"{_named(sorted({one.group for one in examples}))}. Label frames of another episode"
            + ("" if has_test else ", or give held-out data with --test")
        )
    ordered = sorted(bundles, key=lambda names: _place(names, seed))
    places = [_place(names, seed) for names in ordered]
    num_test = 0 if has_test else max(1, sum(place < test for place in places))
    num_held = max(num_test + 1, sum(place < (0 if has_test else test) + validation for place in places))
    num_held = min(num_held, len(ordered) - 1)
    num_test = min(num_test, num_held - 1)
    sides: dict[str, list[Example]] = {side: [] for side in SIDES}
    side_of = {
        name: "test" if i < num_test else "validation" if i < num_held else "train"
        for i, names in enumerate(ordered)
        for name in names
    }
    for one in examples:
        sides[side_of[one.group]].append(one)
    return Split(train=tuple(sides["train"]), validation=tuple(sides["validation"]), test=tuple(sides["test"]))


def check_no_leak(training: Iterable[Example], held_out: Sequence[Example]) -> None:
    """Check that nothing held out is trained on: neither an episode nor a picture.

    Raises:
        InputError: something is; the message names the episodes.
    """
    training = list(training)
    digests = {one.digest for one in training}
    groups = {one.group for one in training}
    leaking = sorted({one.group for one in held_out if one.group in groups or one.digest in digests})
    if leaking:
        raise InputError(
            f"{len(leaking)} held-out episodes are trained on too, so the scores would say nothing"
            f"{_named(leaking)}. Leave them out on one side"
        )


def _bundles(examples: Sequence[Example]) -> list[tuple[str, ...]]:
    """Put together the episodes that share a picture."""
    parent: dict[str, str] = {one.group: one.group for one in examples}

    def root(name: str) -> str:
        while parent[name] != name:
            name = parent[name]
        return name

    first: dict[str, str] = {}
    for one in examples:
        parent[root(one.group)] = root(first.setdefault(one.digest, one.group))
    bundles: dict[str, list[str]] = defaultdict(list)
    for name in parent:
        bundles[root(name)].append(name)
    return [tuple(sorted(names)) for names in bundles.values()]


def _place(names: Sequence[str], seed: int) -> float:
    """A number in [0, 1) that an episode keeps whatever others there are."""
    digest = hashlib.sha256(f"{seed}/{names[0]}".encode()).digest()
    return int.from_bytes(digest[:7], "big") / (1 << 56)


def _named(groups: Sequence[str]) -> str:
    some = ", ".join(groups[:_TOLD])
    return f" ({some}{', ...' if len(groups) > _TOLD else ''})" if groups else ""


__all__ = ["SIDES", "Split", "check_no_leak", "split_by_group"]
