"""Words for any network of SAM's shape: a learnt projection of a text embedding into the space of prompts.

`TextAdapter` is the projection, `give_words` puts one into a network, `vocabulary` has the words that it was trained
on, and `clip` reads any words by a frozen CLIP where there is one.
"""
