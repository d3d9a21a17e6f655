"""Rules over the store for people who review: progress, agreement between annotators, queues. No HTTP, no torch."""

from maskwright.review.agreement import Agreement, AgreementBook, Comparison, PairAgreement, compare
from maskwright.review.progress import Progress, progress_of
from maskwright.review.queues import QUEUES, QueueName, QueuePage, Ranked, queue_page

__all__ = [
    "QUEUES",
    "Agreement",
    "AgreementBook",
    "Comparison",
    "PairAgreement",
    "Progress",
    "QueueName",
    "QueuePage",
    "Ranked",
    "compare",
    "progress_of",
    "queue_page",
]
