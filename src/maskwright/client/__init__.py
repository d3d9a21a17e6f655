"""A maskwright server from Python: `Client`, and `AsyncClient` for event loops. Knows core and masks; no torch.

    client = maskwright.Client("http://127.0.0.1:8080", token="mw_...")
    masks = client.segment("photo.jpg", [maskwright.PointPrompt([(500, 375)])])

What a method does is a generator of steps (`steps.py`), in a module for each kind of thing; two shells carry steps out.
"""

from maskwright.client.async_client import AsyncClient, AsyncTrackSession
from maskwright.client.filters import Filters, FrameFilters
from maskwright.client.job_values import Job, JobProblem, JobProgress, JobSource
from maskwright.client.review_steps import ReviewFilters
from maskwright.client.review_values import (
    Comparison,
    Queued,
    ReviewAnnotator,
    ReviewedModel,
    ReviewEffort,
    ReviewGroup,
    ReviewProgress,
    ReviewQueue,
)
from maskwright.client.sync_client import Client, TrackSession
from maskwright.client.track_values import TrackedFrame, TrackedMask, TrackInfo
from maskwright.client.values import (
    Edited,
    LoggedEvent,
    OpenedFrame,
    Page,
    Picture,
    RecordHistory,
    ServerCaller,
    ServerFrame,
    ServerHealth,
    ServerImage,
    ServerModel,
    ServerModels,
    ServerVersion,
    Table,
    TaggedRecord,
)

__all__ = [
    "AsyncClient",
    "AsyncTrackSession",
    "Client",
    "Comparison",
    "Edited",
    "Filters",
    "FrameFilters",
    "Job",
    "JobProblem",
    "JobProgress",
    "JobSource",
    "LoggedEvent",
    "OpenedFrame",
    "Page",
    "Picture",
    "Queued",
    "RecordHistory",
    "ReviewAnnotator",
    "ReviewEffort",
    "ReviewFilters",
    "ReviewGroup",
    "ReviewProgress",
    "ReviewQueue",
    "ReviewedModel",
    "ServerCaller",
    "ServerFrame",
    "ServerHealth",
    "ServerImage",
    "ServerModel",
    "ServerModels",
    "ServerVersion",
    "Table",
    "TaggedRecord",
    "TrackInfo",
    "TrackSession",
    "TrackedFrame",
    "TrackedMask",
]
