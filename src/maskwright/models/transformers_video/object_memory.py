"""The memory of one object: a session of transformers, kept as small as what the network looks back at.

transformers' session keeps every frame and every output, and can hold many objects but lose none. Here each object has
a session of its own, so that an object ends when its session is dropped and no object depends on what is said of
another; and after each frame all goes that no later frame will read.

Differences from transformers: a correction becomes a keyframe, as the first prompt is, where transformers keeps its
memory for a few frames only; and of keyframes the newest `MOST_KEYFRAMES` are remembered, or as many as the
configuration says.
"""

from typing import Any

import torch
from torch import Tensor

from maskwright.models.video_protocol import Clicks, GivenMask, Sighting, VideoFeatures

MOST_KEYFRAMES = 8

_OBJECT, _ROW = 1, 0
_LOGITS = ("pred_masks", "high_res_masks")
_MAPS = (*_LOGITS, "maskmem_features", "maskmem_pos_enc")


class SessionMemory:
    """Implements `ObjectMemory` over one session; `network` runs it and leaves its scores in `scores`."""

    def __init__(self, network: Any, session: Any, scores: dict[str, Tensor]) -> None:
        self._network = network
        self._session = session
        self._scores = scores
        self._index = -1
        session.obj_id_to_idx(_OBJECT)

    @property
    def num_bytes(self) -> int:
        """How much all that is remembered takes."""
        kept: dict[int, int] = {}
        for output in (*self._keyframes.values(), *self._others.values()):
            for value in output.values():
                storage = value.untyped_storage()
                kept[storage.data_ptr()] = storage.nbytes()
        return sum(kept.values())

    def step(self, features: VideoFeatures, said: Clicks | GivenMask | None = None) -> Sighting:
        """Draw the object on the next frame and remember it."""
        self._index += 1
        self._session.cache.cache_vision_features(
            self._index, {"vision_feats": list(features.maps), "vision_pos_embeds": list(features.positions)}
        )
        if isinstance(said, Clicks) and self._keyframes:
            # Clicks are read in the light of the memory only on a frame that has been followed to.
            self._run()
        if said is not None:
            self._say(said)
        output = self._run()
        if said is not None and self._index in self._others:
            self._keyframes[self._index] = self._others.pop(self._index)
        self._forget_what_is_over()
        return Sighting(
            logits=output.pred_masks[0, 0].float(),
            presence=output.object_score_logits.float().reshape(()),
            predicted_iou=self._scores["predicted_iou"].float().max(),
        )

    def _say(self, said: Clicks | GivenMask) -> None:
        match said:
            case Clicks(points=points, labels=labels):
                inputs = {"point_coords": points[None, None], "point_labels": labels[None, None]}
                self._session.add_point_inputs(_ROW, self._index, inputs)
            case GivenMask(mask=mask):
                self._session.add_mask_inputs(_ROW, self._index, mask[None, None])
        self._session.obj_with_new_inputs = [_OBJECT]

    def _run(self) -> Any:
        # The features are there, so no pixels are read; but only a call with a frame counts as streaming.
        return self._network(inference_session=self._session, frame=torch.empty(0), frame_idx=self._index)

    @property
    def _keyframes(self) -> dict[int, dict[str, Tensor]]:
        return self._session.output_dict_per_obj[_ROW]["cond_frame_outputs"]

    @property
    def _others(self) -> dict[int, dict[str, Tensor]]:
        return self._session.output_dict_per_obj[_ROW]["non_cond_frame_outputs"]

    def _forget_what_is_over(self) -> None:
        session, config = self._session, self._network.config
        session.processed_frames = None
        session.cache.clear_all()
        for by_frame in (session.point_inputs_per_obj, session.mask_inputs_per_obj, session.frames_tracked_per_obj):
            by_frame[_ROW].clear()
        # The next frame looks back at num_maskmem - 1 maps and at max_object_pointers_in_encoder - 1 pointers.
        first_map = self._index + 2 - config.num_maskmem
        first_pointer = min(first_map, self._index + 2 - config.max_object_pointers_in_encoder)
        for index in [index for index in self._others if index < first_pointer]:
            del self._others[index]
        for index, output in self._others.items():
            _drop(output, _MAPS if index < first_map else _LOGITS)
        most = config.max_cond_frame_num if config.max_cond_frame_num > 0 else MOST_KEYFRAMES
        for index in sorted(self._keyframes)[:-most]:
            if index < first_map:  # a newer one serves as an ordinary memory
                del self._keyframes[index]
        for output in self._keyframes.values():
            _drop(output, _LOGITS)


def _drop(output: dict[str, Tensor], names: tuple[str, ...]) -> None:
    for name in names:
        output.pop(name, None)


__all__ = ["MOST_KEYFRAMES", "SessionMemory"]
