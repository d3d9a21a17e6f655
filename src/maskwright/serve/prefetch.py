"""`Prefetch`: the pictures that a reviewer opens next are decoded and encoded before he asks.

It is work that nobody waits for: at the lowest priority, only so much of it, and what fails is told in the log alone.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Sequence

from maskwright.core.errors import MaskwrightError
from maskwright.serve.service import Service
from maskwright.serve.values import Work
from maskwright.store import SeenFrame

MOST_WAITING = 16
_log = logging.getLogger(__name__)


class Prefetch:
    """Frames to make ready for one service, the newest wish first to be kept."""

    def __init__(self) -> None:
        self._tasks: OrderedDict[tuple[object, ...], asyncio.Task[None]] = OrderedDict()

    def ask(self, service: Service, client: str, frames: Sequence[SeenFrame]) -> None:
        """Make the pictures of frames ready, in this order."""
        for frame in frames:
            if frame.key in self._tasks:
                continue
            task = asyncio.create_task(_make_ready(service, client, frame))
            self._tasks[frame.key] = task
            task.add_done_callback(lambda _, key=frame.key: self._tasks.pop(key, None))
        while len(self._tasks) > MOST_WAITING:
            self._tasks.popitem(last=False)[1].cancel()

    async def settle(self) -> None:
        """Wait until nothing is left to do."""
        while self._tasks:
            await asyncio.wait(list(self._tasks.values()))


async def _make_ready(service: Service, client: str, frame: SeenFrame) -> None:
    desk = service.desk
    assert desk is not None
    try:
        image = service.images.at_hand(frame.image_digest) if frame.image_digest else None
        if image is None:
            image = await desk.image(frame)
            service.images.add_image(image)
        await service.engine.embed(image, Work(client=client, priority="ahead"))
    except MaskwrightError as error:
        _log.debug("not made ready (%s): %s", error, frame.name)


__all__ = ["MOST_WAITING", "Prefetch"]
