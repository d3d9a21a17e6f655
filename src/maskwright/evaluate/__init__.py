"""How good a model is at interactive segmentation: labelled pictures in, scores of models and baselines out.

`open_dataset` finds pictures with masks, a `Segmenter` answers prompts (a model, or what a user could take instead),
`evaluate` plays the user, `summarise` averages, and `html_report` draws. For video `open_sequences`,
`evaluate_tracking`, `summarise_tracking` and `tracking_report` do the same with trackers.
"""

from maskwright.evaluate.baselines import BASELINES, BoxFill, GrabCut, open_baselines
from maskwright.evaluate.cases import Case
from maskwright.evaluate.clicks import Click, middle_click, random_click
from maskwright.evaluate.dataset import Dataset, Facts, LabelledPicture, PictureSource, TrueObject
from maskwright.evaluate.evaluation import FEW_CLICKS, TASKS, Evaluation, check_tasks, evaluate
from maskwright.evaluate.identities import IdentityBook
from maskwright.evaluate.layouts import open_dataset
from maskwright.evaluate.phrases import Phrase, phrases_of
from maskwright.evaluate.plots import colour_of, line_plot
from maskwright.evaluate.proposals import average_recall
from maskwright.evaluate.report import html_page, html_report, html_table
from maskwright.evaluate.results import results_json
from maskwright.evaluate.segmenter import Answer, ModelSegmenter, Segmenter, Session
from maskwright.evaluate.sequences import LabelledSequence, MissedFrame, SequenceFrame, open_sequences
from maskwright.evaluate.summary import METRICS, Summary, calibration_error, reliability_bins, summarise
from maskwright.evaluate.table import format_slices, format_table
from maskwright.evaluate.thinness import median_width
from maskwright.evaluate.track_meter import TrackMeter, TrackScores
from maskwright.evaluate.track_report import tracking_report
from maskwright.evaluate.track_summary import (
    TRACK_METRICS,
    TrackSummary,
    format_tracking,
    summarise_tracking,
    tracking_csv,
    tracking_json,
)
from maskwright.evaluate.tracker_baselines import TRACKER_BASELINES, BaselineTracker, baseline_tracker
from maskwright.evaluate.tracking import STARTS, Contender, SequenceScores, TrackEvaluation, evaluate_tracking
from maskwright.evaluate.trials import KINDS, Step, Trial, to_csv

__all__ = [
    "BASELINES",
    "FEW_CLICKS",
    "KINDS",
    "METRICS",
    "STARTS",
    "TASKS",
    "TRACKER_BASELINES",
    "TRACK_METRICS",
    "Answer",
    "BaselineTracker",
    "BoxFill",
    "Case",
    "Click",
    "Contender",
    "Dataset",
    "Evaluation",
    "Facts",
    "GrabCut",
    "IdentityBook",
    "LabelledPicture",
    "LabelledSequence",
    "MissedFrame",
    "ModelSegmenter",
    "Phrase",
    "PictureSource",
    "Segmenter",
    "SequenceFrame",
    "SequenceScores",
    "Session",
    "Step",
    "Summary",
    "TrackEvaluation",
    "TrackMeter",
    "TrackScores",
    "TrackSummary",
    "Trial",
    "TrueObject",
    "average_recall",
    "baseline_tracker",
    "calibration_error",
    "check_tasks",
    "colour_of",
    "evaluate",
    "evaluate_tracking",
    "format_slices",
    "format_table",
    "format_tracking",
    "html_page",
    "html_report",
    "html_table",
    "line_plot",
    "median_width",
    "middle_click",
    "open_baselines",
    "open_dataset",
    "open_sequences",
    "phrases_of",
    "random_click",
    "reliability_bins",
    "results_json",
    "summarise",
    "summarise_tracking",
    "to_csv",
    "tracking_csv",
    "tracking_json",
    "tracking_report",
]
