"""The words that `tiny` knows, and how a phrase becomes word indices.

The order is part of the weights: new words go at the end of their checkpoint's table. Words are English, lower case,
singular; a name of two words ("robot arm") is two entries. Training names its objects with these words alone.
"""

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

__all__ = ["COLOURS", "MATERIALS", "NOUNS", "WORDS"]
