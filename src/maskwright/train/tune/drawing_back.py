"""Drawing back: of the way from the base's weights to those that were learnt, as much as general pictures allow.

Weights between the two keep more of what the base knew than they give up of what was learnt (WiSE-FT, Wortsman et al.
2022). How far to go is found by halving, on general pictures that nothing was learnt from; first answers and, where a
network has a decoder of its own for them, corrections go as far as each may. Both see by the same encoder, so where
that learnt too, all go together.
"""

from collections.abc import Callable, Mapping

from torch import Tensor, nn

from maskwright.train.tune.parts import load_learning

FIRST, CORRECTIONS, ALL = "first answers", "corrections", "everything"
_CORRECTOR = "corrector."
_HALVINGS = 4
_ANSWERED, _CORRECTED = ("held_out_box", "held_out_click"), "held_out_corrected"
# Scores the model on general pictures; with or without corrections, which take longer.
Judge = Callable[[bool], Mapping[str, float]]


def draw_back(
    model: nn.Module,
    base: Mapping[str, Tensor],
    learnt: Mapping[str, Tensor],
    judge: Judge,
    *,
    allowed: float,
    reach: float,
    only_boxes: bool = False,
    together: bool = False,
) -> dict[str, float]:
    """Leave a model between the base's weights and what it learnt; returns how far it went, from 0 to 1.

    It goes `reach` of the way on which no score by box, by click or after corrections falls by more than is allowed;
    with `only_boxes`, where nothing else learnt, none by box. With `together` all weights go equally far.
    """
    corrections = [name for name in learnt if name.startswith(_CORRECTOR)]
    first = [name for name in learnt if not name.startswith(_CORRECTOR)]
    load_learning(model, base)

    def go(names: list[str], judged: tuple[str, ...]) -> float:
        corrects = _CORRECTED in judged
        before = judge(corrects)

        def is_allowed(share: float) -> bool:
            _load(model, base, learnt, names, share)
            now = judge(corrects)
            return all(before[name] - now[name] <= allowed for name in judged if name in before)

        share = reach * furthest(is_allowed)
        _load(model, base, learnt, names, share)
        return share

    if together:
        return {ALL: go(list(learnt), (*_ANSWERED, _CORRECTED))}
    if only_boxes:
        return {FIRST: go(first, _ANSWERED[:1])}
    if not corrections:
        return {FIRST: go(first, (*_ANSWERED, _CORRECTED))}
    return {FIRST: go(first, _ANSWERED), CORRECTIONS: go(corrections, (_CORRECTED,))}


def furthest(is_allowed: Callable[[float], bool]) -> float:
    """Find the largest share that is allowed: all, or by halving."""
    if is_allowed(1.0):
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if is_allowed(middle) else (low, middle)
    return low


def _load(
    model: nn.Module, base: Mapping[str, Tensor], learnt: Mapping[str, Tensor], names: list[str], share: float
) -> None:
    load_learning(model, {name: base[name].lerp(learnt[name], share) for name in names})


__all__ = ["ALL", "CORRECTIONS", "FIRST", "Judge", "draw_back", "furthest"]
