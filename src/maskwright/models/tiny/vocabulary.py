"""The words that `tiny` knows, and how a phrase becomes word indices.

The order is part of the weights: new words go at the end of their checkpoint's table. Words are English, lower case,
singular; a name of two words ("robot arm") is two entries. Training names its objects with these words alone.
"""

import difflib
import re
from collections.abc import Sequence

from maskwright.core.errors import PromptError

COLOURS = (
    "red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "black", "white", "gray",
)  # fmt: skip
MATERIALS = (
    "wood", "metal", "plastic", "glass", "ceramic", "rubber", "fabric", "paper", "cardboard", "leather", "stone",
    "transparent", "shiny", "patterned",
)  # fmt: skip
NOUNS = (
    # robots and their places
    "robot", "arm", "gripper", "finger", "link", "base", "table", "floor", "wall", "bin", "tray", "box", "shelf",
    "drawer", "cabinet", "door", "handle", "lid", "basket", "crate", "peg", "socket", "hook", "rack", "stand",
    # kitchen
    "mug", "cup", "bowl", "plate", "bottle", "can", "jar", "pot", "pan", "kettle", "teapot", "pitcher",
    "spoon", "fork", "knife", "spatula", "whisk", "cutting", "board", "carton", "milk", "cereal", "bread", "sponge",
    "oven", "stove", "fridge", "sink", "faucet", "toaster", "microwave", "coffee", "machine", "napkin", "vase",
    # food
    "apple", "banana", "lemon", "pear", "grape", "strawberry", "tomato", "carrot", "potato", "onion",
    "pepper", "cucumber", "egg", "cheese", "meat", "cake", "cookie", "pizza", "sandwich", "candy", "fruit", "vegetable",
    "food", "drink",
    # simple things and tools
    "cube", "block", "ball", "cylinder", "cone", "ring", "pyramid", "brick", "domino", "coin", "nut", "bolt", "screw",
    "hammer", "screwdriver", "wrench", "pliers", "scissors", "saw", "drill", "brush", "tool", "tape", "cable", "rope",
    "wire", "tube", "hose", "chain", "string", "stick", "rod", "plug", "battery", "key", "lock", "clip", "pin", "disk",
    # office and home
    "book", "pen", "pencil", "notebook", "phone", "laptop", "keyboard", "mouse", "monitor", "television", "camera",
    "clock", "lamp", "light", "chair", "stool", "sofa", "bed", "desk", "pillow", "blanket", "towel", "cloth", "mirror",
    "picture", "plant", "flower", "leaf", "tree", "bag", "backpack", "hat", "shoe", "glove", "shirt",
    "umbrella", "candle", "toy", "doll", "bear", "duck", "car", "truck", "train", "boat", "airplane", "animal", "dog",
    "cat", "bird", "fish", "person", "hand", "face", "house", "instrument", "guitar", "sign", "letter", "number",
    "window", "curtain", "rug", "toilet", "bathtub", "soap", "toothbrush", "radiator", "fan", "speaker", "remote",
    "shape", "blob", "polygon", "grid", "text", "object", "thing",
)  # fmt: skip

WORDS = COLOURS + MATERIALS + NOUNS

_INDEX = {word: index for index, word in enumerate(WORDS)}
# What may be said of anything; "red object" asks for all that is red.
ANYTHING = frozenset({_INDEX["object"], _INDEX["thing"]})
_ARTICLES = frozenset({"a", "an", "the"})
# Spellings and plurals that no rule gives.
_OTHER_FORMS = {"grey": "gray", "mice": "mouse", "people": "person", "persons": "person"}
# Endings of plurals, and what they become: tried in turn until a word of the vocabulary comes out.
_PLURALS = (("s", ""), ("es", ""), ("ies", "y"), ("ves", "f"), ("ves", "fe"))


def phrase_words(phrase: str, known: Sequence[str] = WORDS) -> tuple[int, ...]:
    """Turn a phrase into indices of `WORDS`, each once, in the phrase's order; `known` are those that may be used.

    >>> [WORDS[index] for index in phrase_words("The red coffee-mugs")]
    ['red', 'coffee', 'mug']

    Raises:
        PromptError: a word is unknown (the message lists the nearest), or there is none beside articles.
    """
    written = [word.strip(".,;:!?\"'") for word in re.split(r"[\s\-\u2010-\u2015]+", phrase.lower())]
    meant = [word for word in written if word and word not in _ARTICLES]
    if not meant:
        raise PromptError(f"a text prompt needs a word that names something, got {phrase!r}")
    return tuple(dict.fromkeys(_INDEX[_known_form(word, phrase, known)] for word in meant))


def _known_form(word: str, phrase: str, known: Sequence[str]) -> str:
    """Find the word of the vocabulary that a written word is a form of: itself, a spelling, or its singular."""
    word = _OTHER_FORMS.get(word, word)
    singulars = (word.removesuffix(ending) + other for ending, other in _PLURALS if word.endswith(ending))
    for form in (word, *singulars):
        if form in known:
            return form
    nearest = difflib.get_close_matches(word, known, n=4, cutoff=0.0)
    raise PromptError(
        f"tiny does not know the word {word!r} of {phrase!r}. Nearest: {', '.join(nearest)}. "
        "All its words: maskwright models show tiny"
    )


__all__ = ["ANYTHING", "COLOURS", "MATERIALS", "NOUNS", "WORDS", "phrase_words"]
