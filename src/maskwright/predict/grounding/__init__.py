"""Grounding: text to things, by words, places, ranks and relations, with reasons; what is ambiguous is told.

ground          an instruction and a way to find things -> Grounding, every thing that may be meant, ranked
parse           the text alone -> Instruction, in every way it can be read
"""

from maskwright.predict.grounding.ground import MIN_SCORE, Grounding, ground
from maskwright.predict.grounding.instruction import Description, Instruction, Order, Relation
from maskwright.predict.grounding.parser import parse
from maskwright.predict.grounding.resolve import Find, Ranked, Reason
from maskwright.predict.grounding.shapes import Thing

__all__ = [
    "MIN_SCORE",
    "Description",
    "Find",
    "Grounding",
    "Instruction",
    "Order",
    "Ranked",
    "Reason",
    "Relation",
    "Thing",
    "ground",
    "parse",
]
