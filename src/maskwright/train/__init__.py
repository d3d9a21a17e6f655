"""Training: generated scenes, simulated users, losses, and the recipe of the embedded model (`tiny`).

`python -m maskwright.train.assets` makes an asset pack, `python -m maskwright.train.tiny` trains on it.
"""
