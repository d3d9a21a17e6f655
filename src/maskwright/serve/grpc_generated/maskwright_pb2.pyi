from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class MaskForm(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MASK_FORM_UNSPECIFIED: _ClassVar[MaskForm]
    MASK_FORM_RLE: _ClassVar[MaskForm]
    MASK_FORM_PNG: _ClassVar[MaskForm]
    MASK_FORM_POLYGONS: _ClassVar[MaskForm]

class TrackSource(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TRACK_SOURCE_UNSPECIFIED: _ClassVar[TrackSource]
    TRACK_SOURCE_KEYFRAME: _ClassVar[TrackSource]
    TRACK_SOURCE_SEGMENTED: _ClassVar[TrackSource]
    TRACK_SOURCE_CARRIED: _ClassVar[TrackSource]

class TrackState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TRACK_STATE_UNSPECIFIED: _ClassVar[TrackState]
    TRACK_STATE_VISIBLE: _ClassVar[TrackState]
    TRACK_STATE_OCCLUDED: _ClassVar[TrackState]
    TRACK_STATE_OUTSIDE: _ClassVar[TrackState]
MASK_FORM_UNSPECIFIED: MaskForm
MASK_FORM_RLE: MaskForm
MASK_FORM_PNG: MaskForm
MASK_FORM_POLYGONS: MaskForm
TRACK_SOURCE_UNSPECIFIED: TrackSource
TRACK_SOURCE_KEYFRAME: TrackSource
TRACK_SOURCE_SEGMENTED: TrackSource
TRACK_SOURCE_CARRIED: TrackSource
TRACK_STATE_UNSPECIFIED: TrackState
TRACK_STATE_VISIBLE: TrackState
TRACK_STATE_OCCLUDED: TrackState
TRACK_STATE_OUTSIDE: TrackState

class Image(_message.Message):
    __slots__ = ("encoded", "raw", "digest")
    ENCODED_FIELD_NUMBER: _ClassVar[int]
    RAW_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    encoded: bytes
    raw: RawImage
    digest: str
    def __init__(self, encoded: _Optional[bytes] = ..., raw: _Optional[_Union[RawImage, _Mapping]] = ..., digest: _Optional[str] = ...) -> None: ...

class RawImage(_message.Message):
    __slots__ = ("height", "width", "rgb")
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    RGB_FIELD_NUMBER: _ClassVar[int]
    height: int
    width: int
    rgb: bytes
    def __init__(self, height: _Optional[int] = ..., width: _Optional[int] = ..., rgb: _Optional[bytes] = ...) -> None: ...

class Prompt(_message.Message):
    __slots__ = ("points", "box", "mask", "text", "combined")
    POINTS_FIELD_NUMBER: _ClassVar[int]
    BOX_FIELD_NUMBER: _ClassVar[int]
    MASK_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    COMBINED_FIELD_NUMBER: _ClassVar[int]
    points: PointPrompt
    box: BoxPrompt
    mask: MaskPrompt
    text: TextPrompt
    combined: CombinedPrompt
    def __init__(self, points: _Optional[_Union[PointPrompt, _Mapping]] = ..., box: _Optional[_Union[BoxPrompt, _Mapping]] = ..., mask: _Optional[_Union[MaskPrompt, _Mapping]] = ..., text: _Optional[_Union[TextPrompt, _Mapping]] = ..., combined: _Optional[_Union[CombinedPrompt, _Mapping]] = ...) -> None: ...

class PointPrompt(_message.Message):
    __slots__ = ("points",)
    POINTS_FIELD_NUMBER: _ClassVar[int]
    points: _containers.RepeatedCompositeFieldContainer[Point]
    def __init__(self, points: _Optional[_Iterable[_Union[Point, _Mapping]]] = ...) -> None: ...

class Point(_message.Message):
    __slots__ = ("x", "y", "is_negative")
    X_FIELD_NUMBER: _ClassVar[int]
    Y_FIELD_NUMBER: _ClassVar[int]
    IS_NEGATIVE_FIELD_NUMBER: _ClassVar[int]
    x: float
    y: float
    is_negative: bool
    def __init__(self, x: _Optional[float] = ..., y: _Optional[float] = ..., is_negative: _Optional[bool] = ...) -> None: ...

class BoxPrompt(_message.Message):
    __slots__ = ("box",)
    BOX_FIELD_NUMBER: _ClassVar[int]
    box: Box
    def __init__(self, box: _Optional[_Union[Box, _Mapping]] = ...) -> None: ...

class MaskPrompt(_message.Message):
    __slots__ = ("rle",)
    RLE_FIELD_NUMBER: _ClassVar[int]
    rle: Rle
    def __init__(self, rle: _Optional[_Union[Rle, _Mapping]] = ...) -> None: ...

class TextPrompt(_message.Message):
    __slots__ = ("text",)
    TEXT_FIELD_NUMBER: _ClassVar[int]
    text: str
    def __init__(self, text: _Optional[str] = ...) -> None: ...

class CombinedPrompt(_message.Message):
    __slots__ = ("parts",)
    PARTS_FIELD_NUMBER: _ClassVar[int]
    parts: _containers.RepeatedCompositeFieldContainer[Prompt]
    def __init__(self, parts: _Optional[_Iterable[_Union[Prompt, _Mapping]]] = ...) -> None: ...

class Box(_message.Message):
    __slots__ = ("x1", "y1", "x2", "y2")
    X1_FIELD_NUMBER: _ClassVar[int]
    Y1_FIELD_NUMBER: _ClassVar[int]
    X2_FIELD_NUMBER: _ClassVar[int]
    Y2_FIELD_NUMBER: _ClassVar[int]
    x1: float
    y1: float
    x2: float
    y2: float
    def __init__(self, x1: _Optional[float] = ..., y1: _Optional[float] = ..., x2: _Optional[float] = ..., y2: _Optional[float] = ...) -> None: ...

class Mask(_message.Message):
    __slots__ = ("rle", "png", "polygons")
    RLE_FIELD_NUMBER: _ClassVar[int]
    PNG_FIELD_NUMBER: _ClassVar[int]
    POLYGONS_FIELD_NUMBER: _ClassVar[int]
    rle: Rle
    png: bytes
    polygons: Polygons
    def __init__(self, rle: _Optional[_Union[Rle, _Mapping]] = ..., png: _Optional[bytes] = ..., polygons: _Optional[_Union[Polygons, _Mapping]] = ...) -> None: ...

class Rle(_message.Message):
    __slots__ = ("height", "width", "counts")
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    height: int
    width: int
    counts: str
    def __init__(self, height: _Optional[int] = ..., width: _Optional[int] = ..., counts: _Optional[str] = ...) -> None: ...

class Polygons(_message.Message):
    __slots__ = ("islands",)
    ISLANDS_FIELD_NUMBER: _ClassVar[int]
    islands: _containers.RepeatedCompositeFieldContainer[Island]
    def __init__(self, islands: _Optional[_Iterable[_Union[Island, _Mapping]]] = ...) -> None: ...

class Island(_message.Message):
    __slots__ = ("exterior", "holes")
    EXTERIOR_FIELD_NUMBER: _ClassVar[int]
    HOLES_FIELD_NUMBER: _ClassVar[int]
    exterior: Ring
    holes: _containers.RepeatedCompositeFieldContainer[Ring]
    def __init__(self, exterior: _Optional[_Union[Ring, _Mapping]] = ..., holes: _Optional[_Iterable[_Union[Ring, _Mapping]]] = ...) -> None: ...

class Ring(_message.Message):
    __slots__ = ("xy",)
    XY_FIELD_NUMBER: _ClassVar[int]
    xy: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, xy: _Optional[_Iterable[float]] = ...) -> None: ...

class Scores(_message.Message):
    __slots__ = ("predicted_iou", "stability", "agreement")
    PREDICTED_IOU_FIELD_NUMBER: _ClassVar[int]
    STABILITY_FIELD_NUMBER: _ClassVar[int]
    AGREEMENT_FIELD_NUMBER: _ClassVar[int]
    predicted_iou: float
    stability: float
    agreement: float
    def __init__(self, predicted_iou: _Optional[float] = ..., stability: _Optional[float] = ..., agreement: _Optional[float] = ...) -> None: ...

class SegmentRequest(_message.Message):
    __slots__ = ("image", "prompts", "num_masks", "multimask", "refine_steps", "closer", "labels", "cleanup", "form", "model", "with_record", "id")
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    PROMPTS_FIELD_NUMBER: _ClassVar[int]
    NUM_MASKS_FIELD_NUMBER: _ClassVar[int]
    MULTIMASK_FIELD_NUMBER: _ClassVar[int]
    REFINE_STEPS_FIELD_NUMBER: _ClassVar[int]
    CLOSER_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    CLEANUP_FIELD_NUMBER: _ClassVar[int]
    FORM_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    WITH_RECORD_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    image: Image
    prompts: _containers.RepeatedCompositeFieldContainer[Prompt]
    num_masks: int
    multimask: bool
    refine_steps: int
    closer: bool
    labels: _containers.RepeatedScalarFieldContainer[str]
    cleanup: str
    form: MaskForm
    model: str
    with_record: bool
    id: str
    def __init__(self, image: _Optional[_Union[Image, _Mapping]] = ..., prompts: _Optional[_Iterable[_Union[Prompt, _Mapping]]] = ..., num_masks: _Optional[int] = ..., multimask: _Optional[bool] = ..., refine_steps: _Optional[int] = ..., closer: _Optional[bool] = ..., labels: _Optional[_Iterable[str]] = ..., cleanup: _Optional[str] = ..., form: _Optional[_Union[MaskForm, str]] = ..., model: _Optional[str] = ..., with_record: _Optional[bool] = ..., id: _Optional[str] = ...) -> None: ...

class SegmentResponse(_message.Message):
    __slots__ = ("id", "image_digest", "height", "width", "masks", "problem")
    ID_FIELD_NUMBER: _ClassVar[int]
    IMAGE_DIGEST_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    MASKS_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    id: str
    image_digest: str
    height: int
    width: int
    masks: _containers.RepeatedCompositeFieldContainer[SegmentedMask]
    problem: Problem
    def __init__(self, id: _Optional[str] = ..., image_digest: _Optional[str] = ..., height: _Optional[int] = ..., width: _Optional[int] = ..., masks: _Optional[_Iterable[_Union[SegmentedMask, _Mapping]]] = ..., problem: _Optional[_Union[Problem, _Mapping]] = ...) -> None: ...

class SegmentedMask(_message.Message):
    __slots__ = ("id", "prompt", "mask", "box", "area", "scores", "label", "record_json")
    ID_FIELD_NUMBER: _ClassVar[int]
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    MASK_FIELD_NUMBER: _ClassVar[int]
    BOX_FIELD_NUMBER: _ClassVar[int]
    AREA_FIELD_NUMBER: _ClassVar[int]
    SCORES_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    RECORD_JSON_FIELD_NUMBER: _ClassVar[int]
    id: str
    prompt: int
    mask: Mask
    box: Box
    area: int
    scores: Scores
    label: str
    record_json: str
    def __init__(self, id: _Optional[str] = ..., prompt: _Optional[int] = ..., mask: _Optional[_Union[Mask, _Mapping]] = ..., box: _Optional[_Union[Box, _Mapping]] = ..., area: _Optional[int] = ..., scores: _Optional[_Union[Scores, _Mapping]] = ..., label: _Optional[str] = ..., record_json: _Optional[str] = ...) -> None: ...

class TrackRequest(_message.Message):
    __slots__ = ("open", "frame")
    OPEN_FIELD_NUMBER: _ClassVar[int]
    FRAME_FIELD_NUMBER: _ClassVar[int]
    open: TrackOpen
    frame: TrackFrame
    def __init__(self, open: _Optional[_Union[TrackOpen, _Mapping]] = ..., frame: _Optional[_Union[TrackFrame, _Mapping]] = ...) -> None: ...

class TrackOpen(_message.Message):
    __slots__ = ("budget", "find_new", "model", "form")
    BUDGET_FIELD_NUMBER: _ClassVar[int]
    FIND_NEW_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    FORM_FIELD_NUMBER: _ClassVar[int]
    budget: str
    find_new: int
    model: str
    form: MaskForm
    def __init__(self, budget: _Optional[str] = ..., find_new: _Optional[int] = ..., model: _Optional[str] = ..., form: _Optional[_Union[MaskForm, str]] = ...) -> None: ...

class TrackFrame(_message.Message):
    __slots__ = ("image", "prompts", "forget")
    class PromptsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Prompt
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Prompt, _Mapping]] = ...) -> None: ...
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    PROMPTS_FIELD_NUMBER: _ClassVar[int]
    FORGET_FIELD_NUMBER: _ClassVar[int]
    image: Image
    prompts: _containers.MessageMap[str, Prompt]
    forget: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, image: _Optional[_Union[Image, _Mapping]] = ..., prompts: _Optional[_Mapping[str, Prompt]] = ..., forget: _Optional[_Iterable[str]] = ...) -> None: ...

class TrackResponse(_message.Message):
    __slots__ = ("opened", "frame")
    OPENED_FIELD_NUMBER: _ClassVar[int]
    FRAME_FIELD_NUMBER: _ClassVar[int]
    opened: TrackOpened
    frame: TrackedFrame
    def __init__(self, opened: _Optional[_Union[TrackOpened, _Mapping]] = ..., frame: _Optional[_Union[TrackedFrame, _Mapping]] = ...) -> None: ...

class TrackOpened(_message.Message):
    __slots__ = ("id", "idle_s", "most_frames")
    ID_FIELD_NUMBER: _ClassVar[int]
    IDLE_S_FIELD_NUMBER: _ClassVar[int]
    MOST_FRAMES_FIELD_NUMBER: _ClassVar[int]
    id: str
    idle_s: float
    most_frames: int
    def __init__(self, id: _Optional[str] = ..., idle_s: _Optional[float] = ..., most_frames: _Optional[int] = ...) -> None: ...

class TrackedFrame(_message.Message):
    __slots__ = ("index", "image_digest", "masks", "is_cut", "problem")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    IMAGE_DIGEST_FIELD_NUMBER: _ClassVar[int]
    MASKS_FIELD_NUMBER: _ClassVar[int]
    IS_CUT_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    index: int
    image_digest: str
    masks: _containers.RepeatedCompositeFieldContainer[TrackedMask]
    is_cut: bool
    problem: Problem
    def __init__(self, index: _Optional[int] = ..., image_digest: _Optional[str] = ..., masks: _Optional[_Iterable[_Union[TrackedMask, _Mapping]]] = ..., is_cut: _Optional[bool] = ..., problem: _Optional[_Union[Problem, _Mapping]] = ...) -> None: ...

class TrackedMask(_message.Message):
    __slots__ = ("track", "mask", "box", "area", "source", "state", "confidence", "scores")
    TRACK_FIELD_NUMBER: _ClassVar[int]
    MASK_FIELD_NUMBER: _ClassVar[int]
    BOX_FIELD_NUMBER: _ClassVar[int]
    AREA_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    SCORES_FIELD_NUMBER: _ClassVar[int]
    track: str
    mask: Mask
    box: Box
    area: int
    source: TrackSource
    state: TrackState
    confidence: float
    scores: Scores
    def __init__(self, track: _Optional[str] = ..., mask: _Optional[_Union[Mask, _Mapping]] = ..., box: _Optional[_Union[Box, _Mapping]] = ..., area: _Optional[int] = ..., source: _Optional[_Union[TrackSource, str]] = ..., state: _Optional[_Union[TrackState, str]] = ..., confidence: _Optional[float] = ..., scores: _Optional[_Union[Scores, _Mapping]] = ...) -> None: ...

class Problem(_message.Message):
    __slots__ = ("code", "message", "status", "retry_after_s")
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    RETRY_AFTER_S_FIELD_NUMBER: _ClassVar[int]
    code: str
    message: str
    status: str
    retry_after_s: float
    def __init__(self, code: _Optional[str] = ..., message: _Optional[str] = ..., status: _Optional[str] = ..., retry_after_s: _Optional[float] = ...) -> None: ...

class ModelsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ModelsResponse(_message.Message):
    __slots__ = ("models",)
    MODELS_FIELD_NUMBER: _ClassVar[int]
    models: _containers.RepeatedCompositeFieldContainer[Model]
    def __init__(self, models: _Optional[_Iterable[_Union[Model, _Mapping]]] = ...) -> None: ...

class Model(_message.Message):
    __slots__ = ("name", "is_default")
    NAME_FIELD_NUMBER: _ClassVar[int]
    IS_DEFAULT_FIELD_NUMBER: _ClassVar[int]
    name: str
    is_default: bool
    def __init__(self, name: _Optional[str] = ..., is_default: _Optional[bool] = ...) -> None: ...

class VersionRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class VersionResponse(_message.Message):
    __slots__ = ("version", "api")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    API_FIELD_NUMBER: _ClassVar[int]
    version: str
    api: str
    def __init__(self, version: _Optional[str] = ..., api: _Optional[str] = ...) -> None: ...
