"""How good a model is at interactive segmentation: examples in, one row of scores for each object out.

`read_folder` finds pictures with masks, a `Segmenter` answers prompts (a model, or what a user could take instead), and
`evaluate` plays the user: a box, or clicks at the middle of the largest error.
"""

from maskwright.evaluate.baselines import BoxFill, GrabCut
from maskwright.evaluate.benchmark import Row, Summary, evaluate, format_table, summarise
from maskwright.evaluate.clicks import first_click, next_click
from maskwright.evaluate.examples import Example, read_folder
from maskwright.evaluate.segmenter import Answer, ModelSegmenter, Segmenter

__all__ = [
    "Answer",
    "BoxFill",
    "Example",
    "GrabCut",
    "ModelSegmenter",
    "Row",
    "Segmenter",
    "Summary",
    "evaluate",
    "first_click",
    "format_table",
    "next_click",
    "read_folder",
    "summarise",
]
