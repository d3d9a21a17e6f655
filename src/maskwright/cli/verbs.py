"""The verbs of the command line, as data, so that `maskwright --help` imports nothing but this."""

from dataclasses import dataclass
from keyword import iskeyword


@dataclass(frozen=True, slots=True, kw_only=True)
class Verb:
    """A sub-command: its name, one line of help, and the module whose `app` runs it."""

    name: str
    help: str

    @property
    def module(self) -> str:
        """The module that defines the verb."""
        name = self.name.replace("-", "_")
        return f"maskwright.cli.{name}{'_' if iskeyword(name) else ''}"


VERBS: tuple[Verb, ...] = (
    Verb(name="predict", help="Masks from clicks, boxes, masks or words on pictures."),
    Verb(name="ground", help="The thing that an instruction means: 'the red mug on the left, next to the bowl'."),
    Verb(name="everything", help="Every mask in a picture, without prompts."),
    Verb(name="annotate", help="Masks for every frame of a data set, video or folder, into a store."),
    Verb(name="track", help="Objects named once, followed through every frame of a video or data set, into a store."),
    Verb(name="tracks", help="List the tracks of a store; rename, merge, split, cut or delete one."),
    Verb(name="volume", help="Objects through CT, MR and microscopy volumes, from the slices they are shown on."),
    Verb(name="query", help="Find, count and list masks of a store."),
    Verb(name="find", help="The frames with an object that looks like a given one."),
    Verb(name="pick", help="The masks that people should see next, on a budget, into a queue."),
    Verb(name="flag", help="Flag masks that are thin, see-through, hidden or a piece of a pattern, into a queue."),
    Verb(name="export", help="Write the masks of a store as COCO, LeRobot, YOLO and other formats."),
    Verb(name="policy-inputs", help="What a policy trains on: crops, mask channels, backgrounds, patches."),
    Verb(name="import", help="Read masks of other formats into a store."),
    Verb(name="demo", help="A robot episode with true masks, to try everything on."),
    Verb(name="evaluate", help="Score models on pictures with true masks, beside GrabCut."),
    Verb(name="check-sim", help="How real is a simulator? Its masks beside real ones, and a model on its frames."),
    Verb(name="train", help="Fine-tune a model on corrected masks; train the embedded one, make scenes for it."),
    Verb(name="loop", help="The data engine: propose, review, train, propose again, with a report of each round."),
    Verb(name="audit", help="Check the masks of a store, or tell one mask's whole life."),
    Verb(name="card", help="A data set card and Croissant metadata of a store, all numbers computed."),
    Verb(name="catalog", help="List stores by method, model, verification, licence, robot, task and coverage."),
    Verb(name="estimate", help="What labelling a data set costs, by hand and assisted."),
    Verb(name="review", help="Look at the masks of a store in the browser, correct and accept them."),
    Verb(name="serve", help="Serve models and a store over REST and gRPC, to many annotators and robots at once."),
    Verb(name="tokens", help="Add, list and remove the tokens of a server; make sign-in links."),
    Verb(name="models", help="List, pull, verify, import, export, quantise and compare models."),
    Verb(name="bench", help="Which backend is fastest here, in what memory, and are its masks the same?"),
    Verb(name="doctor", help="Check this installation: versions, devices, weights, a real prediction."),
)

EXIT_CODES: dict[int, str] = {
    0: "done",
    1: "something could not be done; one line on stderr says what, where, what was expected and what to do",
    2: "the command line is wrong: an unknown option, a missing argument, a value that cannot be read",
    130: "interrupted with Ctrl+C",
}

# Of every command: -h as well as --help, and lines wide enough for an example to stay on one.
CONTEXT: dict[str, object] = {"help_option_names": ["-h", "--help"], "max_content_width": 110}

__all__ = ["CONTEXT", "EXIT_CODES", "VERBS", "Verb"]
