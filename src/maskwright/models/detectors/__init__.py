"""Detectors that find boxes by words, through transformers: OWLv2 and Grounding DINO. They draw no masks."""
