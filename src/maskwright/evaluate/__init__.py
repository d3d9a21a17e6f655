"""How good a model is at interactive segmentation: labelled pictures in, scores of models and baselines out.

`open_dataset` finds pictures with masks, a `Segmenter` answers prompts (a model, or what a user could take instead),
`evaluate` plays the user, `summarise` averages, and `html_report` draws.
"""

from maskwright.evaluate.baselines import BASELINES, BoxFill, GrabCut, open_baselines
from maskwright.evaluate.cases import Case
from maskwright.evaluate.clicks import Click, middle_click, random_click
from maskwright.evaluate.dataset import Dataset, Facts, LabelledPicture, PictureSource, TrueObject
from maskwright.evaluate.evaluation import TASKS, Evaluation, check_tasks, evaluate
from maskwright.evaluate.layouts import open_dataset
from maskwright.evaluate.phrases import Phrase, phrases_of
from maskwright.evaluate.proposals import average_recall
from maskwright.evaluate.report import html_report
from maskwright.evaluate.results import results_json
from maskwright.evaluate.segmenter import Answer, ModelSegmenter, Segmenter, Session
from maskwright.evaluate.summary import METRICS, Summary, calibration_error, reliability_bins, summarise
from maskwright.evaluate.table import format_slices, format_table
from maskwright.evaluate.thinness import median_width
from maskwright.evaluate.trials import KINDS, Step, Trial, to_csv

__all__ = [
    "BASELINES",
    "KINDS",
    "METRICS",
    "TASKS",
    "Answer",
    "BoxFill",
    "Case",
    "Click",
    "Dataset",
    "Evaluation",
    "Facts",
    "GrabCut",
    "LabelledPicture",
    "ModelSegmenter",
    "Phrase",
    "PictureSource",
    "Segmenter",
    "Session",
    "Step",
    "Summary",
    "Trial",
    "TrueObject",
    "average_recall",
    "calibration_error",
    "check_tasks",
    "evaluate",
    "format_slices",
    "format_table",
    "html_report",
    "median_width",
    "middle_click",
    "open_baselines",
    "open_dataset",
    "phrases_of",
    "random_click",
    "reliability_bins",
    "results_json",
    "summarise",
    "to_csv",
]
