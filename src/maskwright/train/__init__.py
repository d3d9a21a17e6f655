"""Training: generated scenes, simulated users, losses, and the recipe of the embedded model (`tiny`).

`maskwright train` makes asset packs and labelled scenes, and trains on them.
"""
