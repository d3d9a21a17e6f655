"""What a lane does with the pieces it is given: encode images, answer prompts, run a function over a model."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TypeVar

import torch

from maskwright.core import MaskRecord
from maskwright.core.errors import Cancelled, MaskwrightError, ServerStopping
from maskwright.models import Model
from maskwright.predict import ImageEmbedding, embed_batch, to_records
from maskwright.predict.across import Question, predict_across
from maskwright.predict.predict import MaskBatch
from maskwright.serve.engine.answers import Calling, Encoding, Segmenting
from maskwright.serve.engine.lanes import Lane, Lanes, Tell, too_late
from maskwright.serve.engine.models import ServedModels
from maskwright.serve.engine.pieces import Piece
from maskwright.serve.engine.polite import Around, polite
from maskwright.serve.meter import Meter
from maskwright.serve.request_context import as_request
from maskwright.serve.values import Segment

T = TypeVar("T")

# Clicks that are let by get this many times what a step took, so that the rest goes on however many people click.
_CLICKS_PER_STEP = 4.0
_LEAST_TURN_S = 0.05


class Labour:
    """Does pieces and tells each how it went. An error that the piece's own words caused is not logged."""

    def __init__(self, models: ServedModels, meter: Meter, *, lets_by: bool = True) -> None:
        self._models = models
        self._meter = meter
        self._lets_by = lets_by
        self._sizes = {kind: meter.batch.labels(stage) for kind, stage in _STAGE_OF.items()}

    def __call__(self, lanes: Lanes, lane: Lane, batch: Sequence[Piece]) -> Tell:
        """Do pieces of one kind and model; give back what is to be told last."""
        kind = batch[0].kind
        model = self._models.copy_on(lane.device, batch[0].model)
        self._sizes[kind].observe(len(batch))
        now = time.perf_counter()
        for piece in batch:
            assert isinstance(piece.content, Encoding | Segmenting | Calling)
            answer = piece.content.answer
            self._meter.took("queue", now - answer.asked_at, (answer.request,))
        match batch[0].content:
            case Calling() as calling:
                last = self._call(lanes, lane, model, batch[0], calling)
            case Encoding():
                encodings = [piece.content for piece in batch if isinstance(piece.content, Encoding)]
                with lanes.helped(lane, "encode", batch[0].model, len(encodings)):
                    last = _all_but_the_last(self._encode_all(model, encodings))
            case _:
                segmentings = [piece.content for piece in batch if isinstance(piece.content, Segmenting)]
                num_prompts = sum(len(one.segment.prompts) for one in segmentings)
                with lanes.helped(lane, "segment", batch[0].model, max(1, num_prompts)):
                    last = _all_but_the_last(self._segment_all(model, segmentings))
        if lane.device.type == "cuda":
            self._meter.gpu_bytes.labels(str(lane.device)).set(torch.cuda.memory_allocated(lane.device))
        return last

    def _call(self, lanes: Lanes, lane: Lane, model: Model, piece: Piece, calling: Calling[T]) -> Tell:
        began = time.perf_counter()
        try:
            with as_request(calling.answer.request):
                made = calling.function(polite(model, self._around(lanes, lane, piece)))
        except MaskwrightError as error:
            return partial(calling.answer.fail, error)
        if calling.stage is not None:
            self._meter.took(calling.stage, time.perf_counter() - began, (calling.answer.request,))
        return partial(calling.answer.give, made)

    def _around(self, lanes: Lanes, lane: Lane, piece: Piece) -> Around:
        """What is done between the steps of a piece: see whether it is still wanted, and let clicks by."""
        last_s = 0.0

        @contextmanager
        def around(kind: str, weight: int) -> Iterator[None]:
            nonlocal last_s
            check(lanes, piece)
            if self._lets_by and piece.priority != "click":
                lanes.let_clicks_by(lane, for_s=max(_LEAST_TURN_S, _CLICKS_PER_STEP * last_s))
                check(lanes, piece)
            began = time.monotonic()
            with lanes.helped(lane, kind, piece.model, weight):
                yield
            last_s = time.monotonic() - began

        return around

    def _encode_all(self, model: Model, pieces: Sequence[Encoding]) -> Iterator[Tell]:
        began = time.perf_counter()
        embeddings = list(embed_batch(model, [piece.image for piece in pieces], batch_size=len(pieces)))
        self._took("encode", began, pieces)
        for piece, embedding in zip(pieces, embeddings, strict=True):
            piece.keep(embedding)
            yield partial(piece.answer.give, embedding)

    def _segment_all(self, model: Model, pieces: Sequence[Segmenting]) -> Iterator[Tell]:
        """Answer pieces together; where one is wrong, each by itself, so that only that one fails."""
        began = time.perf_counter()
        try:
            batches = answers_to(model, [(piece.embedding, piece.segment) for piece in pieces])
        except MaskwrightError as error:
            if len(pieces) == 1:
                yield partial(pieces[0].answer.fail, error)
            else:
                for piece in pieces:
                    yield from self._segment_all(model, [piece])
            return
        self._took("decode", began, pieces)
        for piece, batch in zip(pieces, batches, strict=True):
            began = time.perf_counter()
            try:
                records = drawn(batch, piece.segment)
            except MaskwrightError as error:
                yield partial(piece.answer.fail, error)
                continue
            self._took("draw", began, [piece])
            yield partial(piece.answer.give, records)

    def _took(self, stage: str, began: float, pieces: Sequence[Encoding | Segmenting]) -> None:
        requests = [piece.answer.request for piece in pieces]
        self._meter.took(stage, time.perf_counter() - began, requests, pieces=len(pieces))


def _all_but_the_last(answers: Iterator[Tell]) -> Tell:
    """Tell answers as they come, and give the last one back."""
    last = next(answers)
    for tell in answers:
        last()
        last = tell
    return last


def check(lanes: Lanes, piece: Piece) -> None:
    """Go on only where somebody still waits for a piece.

    Raises:
        Cancelled, DeadlinePassed, ServerStopping: nobody does.
    """
    if lanes.is_stopping:
        raise ServerStopping("the server stopped before this was done. Ask again when it runs")
    if piece.deadline is not None and time.monotonic() >= piece.deadline:
        raise too_late()
    if piece.ticket.is_cancelled:
        raise Cancelled("this was cancelled")


def answers_to(model: Model, asked: Sequence[tuple[ImageEmbedding, Segment]]) -> list[MaskBatch]:
    """Predict the masks of prompts on several images, and feed answers back in where that is asked for."""
    questions = [
        Question(embedding=embedding, prompts=one.prompts, num_masks=one.num_masks, multimask=one.multimask)
        for embedding, one in asked
    ]
    batches = predict_across(model, questions)
    for step in range(max(segment.refine_steps for _, segment in asked)):
        again = [i for i, (_, segment) in enumerate(asked) if segment.refine_steps > step]
        refined = predict_across(model, [replace(questions[i], previous=batches[i]) for i in again])
        for i, batch in zip(again, refined, strict=True):
            batches[i] = batch
    return batches


def drawn(batch: MaskBatch, segment: Segment) -> list[MaskRecord]:
    """Turn an answer into records."""
    return to_records(batch, labels=segment.labels, cleanup=segment.cleanup)


_STAGE_OF = {"encode": "encode", "segment": "decode", "call": "call"}

__all__ = ["Labour", "answers_to", "check", "drawn"]
