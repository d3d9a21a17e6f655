"""Segment Anything: the ViT image encoder, the prompt encoder, the mask decoder, and the three published sizes."""
