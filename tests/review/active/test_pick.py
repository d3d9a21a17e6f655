"""Picking from frames: what is unsure, not all from one place, the same for the same seed, with reasons."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskwright.core import TrackPoint
from maskwright.core.errors import SettingError
from maskwright.core.record import Scores
from maskwright.core.resolved import ResolvedRecord
from maskwright.review.active import Limits, PickSettings, Sources, pick
from maskwright.review.active import pool as pools
from maskwright.store import SeenFrame, StoredFrame
from maskwright.testing.store_values import SIZE_HW, make_record, make_ref, rectangle


def proposal(index, *, iou=None, stability=None, episode="episode-0", track=None, status="proposed", **changes):
    record = make_record(
        make_ref(index, episode=episode),
        scores=Scores(predicted_iou=iou, stability=stability),
        track=track,
        **{"track_point": None, **changes},
    )
    edited_by = None
    return ResolvedRecord(record=record, status=status, edited_by=edited_by)


def on_frames(masks):
    found: dict[tuple[str, int], list[ResolvedRecord]] = {}
    for mask in masks:
        found.setdefault((mask.record.frame.episode, mask.record.frame.frame_index), []).append(mask)
    for key in sorted(found):
        here = found[key]
        ref = here[0].record.frame
        yield StoredFrame(frame=SeenFrame(name=f"{key}", size_hw=SIZE_HW, ref=ref), masks=tuple(here))


def ids(picked):
    return [one.record_ids[0] for one in picked.picks]


def test_the_least_sure_come_first_and_say_why():
    masks = [proposal(100 * i, iou=0.5 + 0.05 * i, stability=0.5 + 0.05 * i) for i in range(10)]

    picked = pick(on_frames(masks), PickSettings(budget=2, by=("uncertainty",)))

    assert ids(picked) == [masks[0].record.id, masks[1].record.id]
    assert picked.picks[0].reasons[0] == "predicted IoU 0.50, among the lowest 5%"
    assert picked.num_items == 10
    assert picked.weights == {"doubt": 1, "instability": 1}


def test_neighbours_of_one_bad_second_do_not_take_the_budget():
    bad = [proposal(index, iou=0.1, episode="a") for index in range(60)]
    fair = [proposal(100 * index, iou=0.6, episode=f"b{index}") for index in range(12)]
    good = [proposal(100 * index, iou=0.99, episode=f"c{index}") for index in range(12)]

    picked = pick(on_frames([*bad, *fair, *good]), PickSettings(budget=12, by=("uncertainty",)))

    from_bad = [one for one in bad if one.record.id in ids(picked)]
    assert 1 <= len(from_bad) <= 4
    indices = sorted(one.record.frame.frame_index for one in from_bad)
    assert all(b - a >= 15 for a, b in pairwise(indices))


def test_a_budget_larger_than_all_takes_all():
    masks = [proposal(index, iou=0.1) for index in range(30)]

    picked = pick(on_frames(masks), PickSettings(budget=100, by=("uncertainty",)))

    assert sorted(ids(picked)) == sorted(one.record.id for one in masks)


def test_two_tracks_beside_each_other_do_not_keep_each_other_waiting():
    masks = [proposal(index, iou=0.3, track=track) for index in range(2) for track in ("a", "b")]

    picked = pick(on_frames(masks), PickSettings(budget=2, by=("uncertainty",)))

    assert len({one.record.track for one in masks if one.record.id in ids(picked)}) == 2


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 60), st.sampled_from([None, 0.1, 0.5, 0.9])), max_size=40),
    st.integers(1, 10),
    st.integers(0, 3),
)
def test_the_same_seed_picks_the_same_each_once_and_as_many_as_there_are(places, budget, seed):
    masks = [proposal(index, iou=iou, episode=f"{episode}") for episode, index, iou in places]
    asked = PickSettings(budget=budget, by=("uncertainty",), seed=seed)

    first, second = pick(on_frames(masks), asked), pick(on_frames(masks), asked)

    assert first == second
    assert len(set(ids(first))) == len(first.picks) == min(budget, len(masks))
    assert all(one.reasons for one in first.picks)


def test_a_small_pool_keeps_the_best_of_every_stretch(monkeypatch):
    masks = [proposal(index, iou=0.1 if index < 60 else 0.5) for index in range(120)]
    items = list(pools_items(masks))

    pool = pools.pool_of(items, [1.0], capacity=20, seed=0, of_status={"proposed"})

    indices = [one.item.frame_index for one in pool.members]
    assert len(indices) == 20
    assert sum(index >= 60 for index in indices) >= 4
    assert pool.num_items == 120


def pools_items(masks):
    from maskwright.review.active import measure, signals_of

    return measure(on_frames(masks), signals_of(["uncertainty"])[:1])


def test_a_tracker_that_lost_its_object_is_picked_for_drift():
    def at(index, confidence, box):
        point = TrackPoint(source="segmented", confidence=confidence)
        return proposal(index, track="cup", track_point=point, rle=rectangle(*box), **sized(box))

    def sized(box):
        return {"box_xyxy": tuple(map(float, box)), "area": (box[2] - box[0]) * (box[3] - box[1])}

    steady = [at(index, 0.9, (2, 2, 8, 8)) for index in range(20)]
    lost = at(20, 0.2, (10, 2, 12, 4))

    picked = pick(on_frames([*steady, lost]), PickSettings(budget=1, by=("drift",)))

    assert ids(picked) == [lost.record.id]
    assert any("tracker is unsure" in one or "size changed by" in one for one in picked.picks[0].reasons)


def test_what_two_models_draw_differently_is_picked():
    def of(model, index, box):
        made = proposal(index, rle=rectangle(*box))
        ref = replace(made.record.provenance.model, name=model, checkpoint_sha256=model * 8)
        provenance = replace(made.record.provenance, model=ref)
        return replace(made, record=replace(made.record, provenance=provenance))

    agreed = [of(model, 40 * i, (2, 2, 8, 8)) for i in range(6) for model in ("aa", "bb")]
    apart = [of("aa", 400, (2, 2, 8, 8)), of("bb", 400, (5, 2, 11, 8))]

    picked = pick(on_frames([*agreed, *apart]), PickSettings(budget=2, by=("disagreement",)))

    assert set(ids(picked)) == {one.record.id for one in apart}
    assert "another model or run draws it differently" in picked.picks[0].reasons[0]


def test_variety_is_taken_where_vectors_are_given():
    masks = [proposal(0, iou=0.5, episode=f"{i}") for i in range(9)]
    digests = sorted({one.record.image_digest for one in masks})
    vectors = {digest: np.array([1.0, 0.0]) for digest in digests}
    vectors[digests[-1]] = np.array([-1.0, 0.0])
    sources = Sources(vectors_of=lambda names: np.stack([vectors[name] for name in names]))

    picked = pick(on_frames(masks), PickSettings(budget=2, by=("uncertainty",)), sources=sources)

    assert digests[-1] in [one.record.image_digest for one in masks if one.record.id in ids(picked)]


def test_frames_come_with_all_their_masks_and_what_waits_elsewhere_is_left_out():
    masks = [proposal(index, iou=0.1 * (index // 40 + 1)) for index in (0, 40, 80) for _ in range(3)]

    picked = pick(on_frames(masks), PickSettings(budget=1, by=("uncertainty",), of_frames=True))
    others = pick(
        on_frames(masks),
        PickSettings(budget=9, by=("uncertainty",), of_frames=True),
        leave_out=set(picked.picks[0].record_ids).__contains__,
    )

    assert picked.picks[0].record_ids == tuple(one.record.id for one in masks[:3])
    assert picked.num_masks == 3
    assert (others.num_items, len(others.picks)) == (2, 2)


def test_decisions_of_people_calibrate_and_are_not_picked_again():
    decided = [
        proposal(i, iou=0.2 + 0.001 * i if i % 2 else 0.9, stability=0.5 + 0.001 * (i * 7 % 50), episode="old",
                 status="rejected" if i % 2 else "accepted")
        for i in range(200)
    ]  # fmt: skip
    free = [proposal(30 * i, iou=0.5 + 0.01 * i, stability=0.9 - 0.01 * i, episode="new") for i in range(10)]

    picked = pick(on_frames([*decided, *free]), PickSettings(budget=3, by=("uncertainty",)))

    assert picked.num_decided == 200
    assert picked.weights["doubt"] > 1.2 > picked.weights["instability"]
    assert set(ids(picked)) <= {one.record.id for one in free}


def test_settings_that_cannot_be_are_refused():
    with pytest.raises(SettingError, match="the budget must be at least 1, got 0"):
        PickSettings(budget=0)
    with pytest.raises(SettingError, match="diversity lies between 0 and 1, got 2"):
        Limits(diversity=2)
    with pytest.raises(SettingError, match="may give at least one"):
        Limits(per_episode=0)
