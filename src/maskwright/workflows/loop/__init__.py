"""The data engine: propose, review, train, propose again, round by round, with a report of each.

`run.py` goes on with a loop until people are needed; `settings.py` says what was asked, `rounds.py` what a round is,
`book.py` what is written down beside the store, `stopping.py` when it is enough, `standing.py` and `report.py` tell
people. Each `step_*.py` takes a round one step further, on `propose.py`, `accept.py`, `choose.py`, `figures.py` and
`learn.py`. Only proposing and learning need torch, which is imported when they begin.
"""
