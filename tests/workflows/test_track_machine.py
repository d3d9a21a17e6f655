"""Whatever people do to tracks, tracking again brings every frame up to date, and only once."""

import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from maskwright.core import Accept, BoxPrompt, Edit, Reject, ReviewEvent, new_id
from maskwright.core.errors import SettingError
from maskwright.masks import empty_mask, encode
from maskwright.store import ANY_STATUS, Query, open_store
from maskwright.workflows.annotate_plan import Footage
from maskwright.workflows.edit_tracks import TrackEditor
from maskwright.workflows.track import track
from maskwright.workflows.track_prompts import TrackPrompt
from moving_scene import SIZE_HW, scripted, write_scene

NUM = 9
EXAMPLES = int(os.environ.get("MASKWRIGHT_TRACK_EXAMPLES", "4"))  # 300 looks for longer
FRAMES = st.integers(0, NUM - 1)
NAMES = st.sampled_from(["mug", "lid"])
LEFTS = st.integers(0, 30)


def box(left):
    import numpy as np

    mask = np.zeros(SIZE_HW, bool)
    mask[4:9, left : left + 6] = True
    return encode(mask)


class TrackMachine(RuleBasedStateMachine):
    """Prompts, corrections and edits of whole tracks, with tracking in between."""

    @initialize(name=NAMES, index=FRAMES, left=LEFTS)
    def begin(self, name, index, left):
        self.folder = tempfile.TemporaryDirectory()
        self.scene = write_scene(Path(self.folder.name) / "scene", NUM)
        self.out = Path(self.folder.name) / "masks"
        self.footage = Footage.open(self.scene)
        self.moments = []
        self.prompt(name, index, left)

    @rule(name=NAMES, index=FRAMES, left=LEFTS)
    def prompt(self, name, index, left):
        (episode,) = self.footage.source.episodes
        said = TrackPrompt(
            place=(episode.key, episode.cameras[0], index), track=name, prompt=BoxPrompt((left, 2, left + 5, 7))
        )
        self.propagate(said)

    @rule(data=st.data(), left=LEFTS, what=st.sampled_from(["edit", "empty", "accept", "reject"]))
    def decide(self, data, left, what):
        with open_store(self.out) as store:
            masks = list(store.query())
            if masks:
                mask = data.draw(st.sampled_from(masks))
                actions = {
                    "edit": Edit(box(left)),
                    "empty": Edit(empty_mask(SIZE_HW)),
                    "accept": Accept(),
                    "reject": Reject(),
                }
                store.append(
                    [
                        ReviewEvent(
                            id=new_id(),
                            record_id=mask.record.id,
                            actor="ann",
                            at=datetime.now(UTC),
                            action=actions[what],
                        )
                    ]
                )

    @rule(name=NAMES, index=FRAMES, what=st.sampled_from(["split", "cut", "delete", "merge", "rename"]))
    def edit(self, name, index, what):
        other = "lid" if name == "mug" else "mug"
        words = {"split": (name, index), "cut": (name, index), "delete": (name,)}.get(what, (name, other))
        with open_store(self.out) as store:
            try:
                self.moments.append(getattr(TrackEditor(store, actor="ann"), what)(*words).moment)
            except SettingError:
                return  # no such track, or nothing to part there

    @precondition(lambda self: self.moments)
    @rule()
    def undo(self):
        with open_store(self.out) as store:
            TrackEditor(store, actor="ann").undo(self.moments.pop())

    @rule()
    def propagate(self, *said):
        before = self._masks()
        track(scripted(), self.footage, self.out, prompts=said, replace=True)
        with open_store(self.out, read_only=True) as store:
            masks = list(store.query())
            self._check(store, masks)
            moment = store.moment()

        given = {(one.place[2], one.track) for one in said}
        kept = {self._what(one) for one in masks}
        for one in before:
            if one.is_keyframe and self._where(one) not in given:
                assert self._what(one) in kept, "a keyframe was changed"
        seen = []
        track(scripted(seen), self.footage, self.out)
        with open_store(self.out, read_only=True) as store:
            assert (seen, store.moment()) == ([], moment), "a second run did something"

    def teardown(self):
        if hasattr(self, "folder"):
            self.propagate()
            self.folder.cleanup()

    def _masks(self):
        if not self.out.exists():
            return []
        with open_store(self.out, read_only=True) as store:
            return list(store.query())

    def _what(self, mask):
        return mask.record.id, mask.record.rle, mask.status, mask.verified_by

    def _where(self, mask):
        return mask.record.frame.frame_index, mask.record.track

    def _check(self, store, masks):
        """Each frame of a track that lives has one mask, but where it ended or somebody rejected the mask."""
        rejected = {self._where(one) for one in store.query(Query(status="rejected"))}
        assert store.count(Query(status=ANY_STATUS)) >= len(masks)
        for name in {mask.record.track for mask in masks}:
            here = [mask for mask in masks if mask.record.track == name]
            keyframes = [(mask.record.frame.frame_index, mask) for mask in here if mask.is_keyframe]
            at = [mask.record.frame.frame_index for mask in here]
            if not keyframes:
                continue  # what is left of a track whose keyframes are gone
            for index in range(NUM):
                if (index, name) not in rejected:
                    assert at.count(index) == self._wanted(index, keyframes), (name, index)

    def _wanted(self, index, keyframes):
        if index in dict(keyframes):
            return [one for one, _ in keyframes].count(index)
        before = [mask for at, mask in keyframes if at < index][::-1]
        after = [mask for at, mask in keyframes if at > index]
        if before and after:
            return 1
        for mask in before or after:
            if mask.record.area:
                return 1
            if mask.edited_by is not None or mask.record.track_point.source == "keyframe":
                return 0  # somebody drew the end
        return 0


def test_whatever_is_done_tracking_again_brings_every_frame_up_to_date():
    run_state_machine_as_test(
        TrackMachine,
        settings=settings(
            max_examples=EXAMPLES,
            phases=(Phase.generate,),  # eight steps can be read; shrinking them takes minutes
            stateful_step_count=8,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        ),
    )
