"""The error tree. Every error a user can cause is one of these; anything else that escapes is a bug of ours.

    MaskwrightError
    ├── InputError                  something the user passed in is wrong (also a ValueError)
    │   ├── ImageError              a picture cannot be read, or is outside the limits
    │   ├── PromptError             a prompt is malformed: empty, NaN, unknown label, inverted box
    │   │   └── PromptOutsideImage  a point or box lies wholly outside the image
    │   ├── MaskError               a mask, RLE or polygon is malformed
    │   ├── RecordError             a stored value (record, provenance, event) cannot be read back
    │   └── SettingError            an option has a value it cannot have
    ├── ModelError                  something about a model or its weights
    │   ├── UnknownModel            no model of that name; lists the nearest three
    │   ├── WeightsMissing          the model is known, its checkpoint is not on this machine
    │   ├── CheckpointError         a checkpoint is truncated, unsafe, or of another architecture
    │   ├── DownloadError           a download failed or its hash does not match
    │   └── UnsupportedPrompt       this model cannot take that kind of prompt (text, for most)
    ├── StoreError                  a mask store cannot do what it was asked
    │   ├── StoreMissing            there is no store at that path
    │   ├── StoreVersionError       the store was written by a newer version, or one too old to read
    │   ├── StoreDamaged            a file of the store is missing or cannot be read
    │   ├── StoreBusy               another process held the store for longer than one waits
    │   ├── StoreFull               no space is left to write what was asked
    │   ├── StoreReadOnly           the store was opened, or lies, where nothing can be written
    │   ├── UnknownRecord           no mask, event, tag or moment of that name is in the store
    │   └── DuplicateRecord         a mask, event, frame or tag of that name is in the store already
    └── ServeError                  a server cannot do what it was asked, or cannot be reached
        ├── RequestError            a request is malformed: a field is missing, unknown or of another type
        │   └── EtagMissing         an edit does not say which state of the record it is of
        ├── NotSignedIn             no token, or one that is not known or no longer valid
        ├── NotAllowed              the token does not reach so far, or the server does not do it
        ├── TooLarge                a body, picture or stream is beyond the server's limits
        ├── UnknownImage            the server does not have that picture (any more); send it again
        ├── UnknownJob              the server knows no job or track session of that name
        ├── EditConflict            somebody changed it since it was read
        ├── KeyReused               an idempotency key came back with another request
        ├── TooManyRequests         the queue is full, or the token asks faster than it may; says when to come back
        ├── DeadlinePassed          nobody got to it in the time that it had
        ├── Cancelled               it was cancelled
        ├── ServerStopping          the server is stopping or has not begun yet
        └── ServerUnreachable       no answer came, or one that is not the server's

A message says what was expected, what was got and what to do next; a path or URL goes last.
"""


class MaskwrightError(Exception):
    """Base class of every error that maskwright raises on purpose."""


class InputError(MaskwrightError, ValueError):
    """Something the user passed in is wrong."""


class ImageError(InputError):
    """A picture cannot be read, or is outside the limits."""


class PromptError(InputError):
    """A prompt is malformed."""


class PromptOutsideImage(PromptError):
    """A point or a box lies wholly outside the image."""


class MaskError(InputError):
    """A mask, RLE or polygon is malformed."""


class RecordError(InputError):
    """A stored value cannot be read back."""


class SettingError(InputError):
    """An option has a value that it cannot have."""


class ModelError(MaskwrightError):
    """Something about a model or its weights."""


class UnknownModel(ModelError):
    """No model of that name is registered."""


class WeightsMissing(ModelError):
    """The model is known, but its checkpoint is not on this machine."""


class CheckpointError(ModelError):
    """A checkpoint is truncated, unsafe, or of another architecture."""


class DownloadError(ModelError):
    """A download failed, or what arrived is not what was expected."""


class UnsupportedPrompt(ModelError):
    """The model cannot take that kind of prompt."""


class StoreError(MaskwrightError):
    """A mask store cannot do what it was asked."""


class StoreMissing(StoreError):
    """There is no store at that path."""


class StoreVersionError(StoreError):
    """The store was written by a newer version, or by one too old to read."""


class StoreDamaged(StoreError):
    """A file of the store is missing or cannot be read."""


class StoreBusy(StoreError):
    """Another process held the store for longer than one waits."""


class StoreFull(StoreError):
    """No space is left to write what was asked."""


class StoreReadOnly(StoreError):
    """The store was opened for reading, or lies where nothing can be written."""


class UnknownRecord(StoreError):
    """No mask, event, tag or moment of that name is in the store."""


class DuplicateRecord(StoreError):
    """A mask, event, frame or tag of that name is in the store already."""


class ServeError(MaskwrightError):
    """A server cannot do what it was asked, or cannot be reached."""


class RequestError(ServeError, InputError):
    """A request is malformed."""


class EtagMissing(RequestError):
    """An edit does not say which state of the record it is of."""


class NotSignedIn(ServeError):
    """There is no token, or one that is not known or no longer valid."""


class NotAllowed(ServeError):
    """The token does not reach so far, or the server does not do it."""


class TooLarge(ServeError, InputError):
    """A body, picture or stream is beyond the server's limits."""


class UnknownImage(ServeError):
    """The server does not have that picture, or no longer."""


class UnknownJob(ServeError):
    """The server knows no job or track session of that name."""


class EditConflict(ServeError):
    """Somebody changed it since it was read."""


class KeyReused(ServeError):
    """An idempotency key came back with another request."""


class TooManyRequests(ServeError):
    """The queue is full, or a token asks faster than it may. `retry_after_s` says when to come back."""

    def __init__(self, message: str, retry_after_s: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class DeadlinePassed(ServeError):
    """Nobody got to it in the time that it had."""


class Cancelled(ServeError):
    """It was cancelled."""


class ServerStopping(ServeError):
    """The server is stopping, or has not begun yet."""


class ServerUnreachable(ServeError):
    """No answer came, or one that is not the server's."""


__all__ = [name for name, value in list(globals().items()) if isinstance(value, type)]
