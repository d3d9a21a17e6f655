"""The JSON that describes an RLDS data set as TensorFlow Datasets reads it: `features.json` and `dataset_info.json`."""

from collections.abc import Mapping, Sequence
from typing import Any

VERSION = "1.0.0"
SPLIT = "train"
SHARD_BYTES = 256_000_000  # a shard that is longer is closed
MOST_BYTES = 2_000_000_000  # of an episode, which is one protobuf message
_FEATURES = "tensorflow_datasets.core.features."


def dict_feature(features: Mapping[str, Any]) -> dict[str, Any]:
    """Describe features by name."""
    return {"pythonClassName": f"{_FEATURES}features_dict.FeaturesDict", "featuresDict": {"features": dict(features)}}


def image_feature(shape: Sequence[int], dtype: str, encoding: str) -> dict[str, Any]:
    """Describe a picture of shape (h, w, channels), -1 for any, that is kept as PNG or JPEG."""
    image = {"shape": {"dimensions": [str(side) for side in shape]}, "dtype": dtype, "encodingFormat": encoding}
    return {"pythonClassName": f"{_FEATURES}image_feature.Image", "image": image}


def tensor_feature(dtype: str, count: int = 1) -> dict[str, Any]:
    """Describe one number, or a row of them."""
    if count > 1:
        name, shape = "tensor_feature.Tensor", {"dimensions": [str(count)]}
    else:
        name, shape = "scalar.Scalar", {}
    return {"pythonClassName": f"{_FEATURES}{name}", "tensor": {"shape": shape, "dtype": dtype, "encoding": "none"}}


def text_feature() -> dict[str, Any]:
    """Describe a text."""
    return {"pythonClassName": f"{_FEATURES}text_feature.Text", "text": {}}


def episodes_features(step: Mapping[str, Any]) -> dict[str, Any]:
    """Describe episodes of steps."""
    steps = {
        "pythonClassName": f"{_FEATURES}dataset_feature.Dataset",
        "sequence": {"feature": dict_feature(step), "length": "-1"},
    }
    return dict_feature({"steps": steps, "episode_metadata": dict_feature({"episode": text_feature()})})


def dataset_info(name: str, description: str, shard_lengths: Sequence[int], num_bytes: int) -> dict[str, Any]:
    """Describe the one split of a data set: how many episodes each of its files has, and the bytes of all."""
    split = {
        "name": SPLIT,
        "filepathTemplate": "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}",
        "numBytes": str(num_bytes),
        "shardLengths": [str(one) for one in shard_lengths],
    }
    return {
        "name": name,
        "version": VERSION,
        "description": description,
        "fileFormat": "tfrecord",
        "moduleName": name,
        "releaseNotes": {VERSION: "Initial release."},
        "splits": [split],
    }


__all__ = [
    "SPLIT",
    "VERSION",
    "dataset_info",
    "dict_feature",
    "episodes_features",
    "image_feature",
    "tensor_feature",
    "text_feature",
]
