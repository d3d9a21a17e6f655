"""Rules over the store for people who review: progress, agreement between annotators, queues. No HTTP, no torch."""

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
from maskwright.review.progress import IDLE_S, Effort, Group, Progress, progress_of
from maskwright.review.queues import QUEUES, Queued, QueueName, QueuePage, Ranked, queue_page

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
    "PairAgreement",
    "Progress",
    "QueueName",
    "QueuePage",
    "Queued",
    "Ranked",
    "Version",
    "compare",
    "labels_of",
    "progress_of",
    "queue_page",
    "versions_of",
]
