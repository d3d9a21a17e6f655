"""Rules over the store for people who review: progress, agreement, queues, labels, tracks. No HTTP, no torch."""

from maskwright.review.agreement import (
    SAME_IOU,
    Agreement,
    AgreementBook,
    Comparison,
    Difference,
    PairAgreement,
    Version,
    compare,
    versions_of,
)
from maskwright.review.labels import LabelCount, Labels, labels_of
from maskwright.review.named_queues import NamedQueue, QueueEntry, named_page, queue_names, read_queue, write_queue
from maskwright.review.progress import IDLE_S, Effort, Group, Progress, progress_of
from maskwright.review.queues import QUEUES, Queued, QueueName, QueuePage, Ranked, is_rule, queue_page
from maskwright.review.timeline import Lane, PointPlace, Recording, Span, Timeline, spans_of, timeline_of

__all__ = [
    "IDLE_S",
    "QUEUES",
    "SAME_IOU",
    "Agreement",
    "AgreementBook",
    "Comparison",
    "Difference",
    "Effort",
    "Group",
    "LabelCount",
    "Labels",
    "Lane",
    "NamedQueue",
    "PairAgreement",
    "PointPlace",
    "Progress",
    "QueueEntry",
    "QueueName",
    "QueuePage",
    "Queued",
    "Ranked",
    "Recording",
    "Span",
    "Timeline",
    "Version",
    "compare",
    "is_rule",
    "labels_of",
    "named_page",
    "progress_of",
    "queue_names",
    "queue_page",
    "read_queue",
    "spans_of",
    "timeline_of",
    "versions_of",
    "write_queue",
]
