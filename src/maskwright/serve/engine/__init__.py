"""The engine of a server: what computes for many clients at once, in this process.

`local.py` is the engine; `scheduler.py` decides who is next, `lanes.py` are the threads, `labour.py` what they do,
`polite.py` how long work lets clicks by, `flights.py` how many share one encoding, `kept.py` where embeddings stay.
"""

from maskwright.serve.engine.local import LocalEngine

__all__ = ["LocalEngine"]
