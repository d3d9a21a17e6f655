"""The shape legend: one letter, one meaning, in every signature and comment of this package.

    B  images in a batch            H W  image pixels
    N  prompts (objects)            h w  cells of an embedding, or low-resolution logits
    K  points of one prompt         C    channels
    M  masks of one prompt          D    token width
    T  frames                       O    objects of a video
    L  tokens or cells, flattened (h*w)
    S  side of the model's square input frame

Write them in jaxtyping annotations (`Bool[np.ndarray, "N H W"]`); inside a function only where a line changes the axes.
Coordinates outside `predict` and `models` are image pixels in xy order; sizes are (height, width); boxes are xyxy with
exclusive right and bottom edges, so that a one-pixel mask at (3, 4) has the box (3, 4, 4, 5).
"""

SizeHW = tuple[int, int]
BoxXYXY = tuple[float, float, float, float]

__all__ = ["BoxXYXY", "SizeHW"]
