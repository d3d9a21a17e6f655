"""Answers that are known: a segmenter for tests of the simulated user, on pictures made of rectangles."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from maskwright.core import Image, MaskRecord, PointPrompt, Prompt, TextPrompt
from maskwright.core.errors import PromptError
from maskwright.evaluate import Answer
from maskwright.masks import empty_mask
from maskwright.predict import EverythingSettings

SIZE_HW = (40, 60)
Region = tuple[slice, slice]


def bitmap(*regions: Region) -> np.ndarray:
    canvas = np.zeros(SIZE_HW, bool)
    for region in regions:
        canvas[region] = True
    return canvas


@dataclass
class Scripted:
    """Answers the n-th prompt of clicks with `clicks[n - 1]`, a box with `box`, a phrase with `phrases[text]`."""

    name: str = "scripted"
    can: frozenset[str] = frozenset({"box", "click", "text"})
    keeps: EverythingSettings | None = None
    box: Answer | None = None
    clicks: Sequence[Answer] = ()
    phrases: Mapping[str, Answer] = field(default_factory=dict)
    asked: list[Prompt] = field(default_factory=list)

    def open(self, image: Image) -> "Scripted":
        return self

    def answer(self, prompts: Sequence[Prompt], previous: Sequence[Answer] | None = None) -> list[Answer]:
        self.asked += prompts
        return [self._one(prompt) for prompt in prompts]

    def everything(self, settings: EverythingSettings) -> list[MaskRecord]:
        raise AssertionError("it cannot")

    def _one(self, prompt: Prompt) -> Answer:
        match prompt:
            case TextPrompt(text=text):
                if "unheard" in text:
                    raise PromptError(f"unknown word in {text}")
                return self.phrases.get(text, Answer(mask=empty_mask(SIZE_HW), predicted_iou=0.1))
            case PointPrompt(points_xy=points):
                return self.clicks[min(len(points), len(self.clicks)) - 1]
            case _:
                assert self.box is not None
                return self.box
