"""Small robot data sets for tests, written by hand in the published layouts and not by the code under test.

Frame `i` of a camera is one colour that `colour(i)` gives, so that a frame of the wrong number is seen at once.
"""

import io
import itertools
import json
from datetime import UTC, datetime
from fractions import Fraction

import av
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from maskwright.core.provenance import Provenance
from maskwright.core.record import MaskRecord, new_id
from maskwright.core.resolved import ResolvedRecord
from maskwright.masks import area, box_xyxy, encode

SIZE_HW = (48, 64)


def colour(number, shift=0):
    """Give a colour that differs from its neighbours' and survives lossy coding."""
    return (30 + (number * 37 + shift) % 190, 30 + (number * 71) % 190, 30 + (number * 113) % 190)


def picture(number, shift=0, size_hw=SIZE_HW):
    return np.full((*size_hw, 3), colour(number, shift), np.uint8)


def shows(pixels, number, shift=0):
    """Whether the middle of a decoded picture has the colour of a frame number."""
    height, width = pixels.shape[:2]
    middle = pixels[height // 4 : height // 2, width // 4 : width // 2].reshape(-1, 3).mean(axis=0)
    return bool(np.abs(middle - colour(number, shift)).max() < 8)


def write_video(
    path, pictures, *, fps=10, codec="libx264", pix_fmt="yuv420p", times=None, faststart=False, rotation=0, **options
):
    """Encode pictures; `times` are seconds for a variable rate."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", options={"movflags": "+faststart"} if faststart else {}) as container:
        options = {"crf": "12", "g": "8", "bf": "2"} | options if codec == "libx264" else options
        stream = container.add_stream(codec, rate=fps, options=options)
        pictures = iter(pictures)
        first = next(pictures)
        stream.height, stream.width, stream.pix_fmt = first.shape[0], first.shape[1], pix_fmt
        stream.codec_context.time_base = Fraction(1, 1000) if times else Fraction(1, fps)
        if rotation:
            stream.set_display_rotation(rotation)
        for number, pixels in enumerate(itertools.chain([first], pictures)):
            gray = pixels.ndim == 2
            frame = av.VideoFrame.from_ndarray(pixels, format=pix_fmt if gray else "rgb24")
            frame.pts = round(times[number] * 1000) if times else number
            frame.time_base = stream.codec_context.time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def mask_of(dense, **facts):
    """Make a record of a mask that a person drew."""
    rle = encode(dense)
    provenance = Provenance(method="human_drawn", created_at=datetime(2026, 3, 1, tzinfo=UTC), actor="anna")
    shape = {"rle": rle, "box_xyxy": box_xyxy(rle), "area": area(rle)}
    return ResolvedRecord(record=MaskRecord(id=new_id(), image_digest="", provenance=provenance, **shape, **facts))


def png(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def write_lerobot(
    root, *, version="v3.0", lengths=(7, 0, 5), fps=10, cameras=("front", "wrist"), kind="video", depth=False
):
    """Write a data set; episode e's frame i of camera c shows `picture(100 * e + i, 50 * c)`."""
    v3 = version.startswith("v3")
    keys = [f"observation.images.{camera}" for camera in cameras]
    features = {
        key: {"dtype": kind, "shape": [*SIZE_HW, 3], "names": ["height", "width", "channels"], "info": None}
        for key in keys
    }
    if depth:
        features["observation.images.front_depth"] = {
            "dtype": "image",
            "shape": [*SIZE_HW, 1],
            "names": ["height", "width", "channels"],
            "info": {"is_depth_map": True, "depth_unit": "mm"},
        }
    features["observation.state"] = {"dtype": "float32", "shape": [2], "names": None}
    for key, dtype in [("timestamp", "float32")] + [
        (key, "int64") for key in ("frame_index", "episode_index", "index", "task_index")
    ]:
        features[key] = {"dtype": dtype, "shape": [1], "names": None}
    info = {
        "codebase_version": version,
        "robot_type": "so100",
        "total_episodes": len(lengths),
        "total_frames": sum(lengths),
        "total_tasks": 2,
        "chunks_size": 1000,
        "fps": fps,
        "splits": {"train": f"0:{len(lengths)}"},
        "features": features,
    }
    if v3:
        info["data_path"] = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
        info["video_path"] = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
    else:
        info["data_path"] = "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet"
        info["video_path"] = "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4"
    (root / "meta").mkdir(parents=True)
    (root / "meta" / "info.json").write_text(json.dumps(info))
    tables, starts = _tables(features, keys, lengths, fps), np.cumsum([0, *lengths])
    if v3:
        _write_v3(root, tables, keys, lengths, starts, fps, kind)
    else:
        _write_v2(root, tables, keys, lengths, fps, kind)
    return root


TASKS = ("push the block", "käse holen 起司")


def _tables(features, keys, lengths, fps):
    image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    types = {"float32": pa.float32(), "int64": pa.int64(), "image": image}
    tables, total = [], 0
    for episode, length in enumerate(lengths):
        columns = {
            "observation.state": pa.array([[i, 2.0 * i] for i in range(length)], pa.list_(pa.float32(), 2)),
            "timestamp": pa.array([i / fps for i in range(length)], types["float32"]),
            "frame_index": pa.array(range(length), types["int64"]),
            "episode_index": pa.array([episode] * length, types["int64"]),
            "index": pa.array(range(total, total + length), types["int64"]),
            "task_index": pa.array([episode % 2] * length, types["int64"]),
        }
        for key, feature in features.items():
            if feature["dtype"] == "image":
                shift = 50 * keys.index(key) if key in keys else 0
                is_depth = key not in keys
                cells = [
                    {
                        "bytes": png(
                            np.full(SIZE_HW, 1000 + i, np.uint16) if is_depth else picture(100 * episode + i, shift)
                        ),
                        "path": f"frame-{i:06d}.png",
                    }
                    for i in range(length)
                ]
                columns[key] = pa.array(cells, image)
        tables.append(pa.table(columns))
        total += length
    return tables


def _pictures(episodes, lengths, camera):
    return [picture(100 * episode + i, 50 * camera) for episode in episodes for i in range(lengths[episode])]


def _write_v2(root, tables, keys, lengths, fps, kind):
    lines = [json.dumps({"task_index": i, "task": task}) for i, task in enumerate(TASKS)]
    (root / "meta" / "tasks.jsonl").write_text("\n".join(lines) + "\n")
    lines = [
        json.dumps({"episode_index": i, "tasks": [TASKS[i % 2]], "length": length}) for i, length in enumerate(lengths)
    ]
    (root / "meta" / "episodes.jsonl").write_text("\n".join(lines) + "\n")
    (root / "data" / "chunk-000").mkdir(parents=True)
    for episode, table in enumerate(tables):
        if not table.num_rows:
            continue
        pq.write_table(table, root / "data" / "chunk-000" / f"episode_{episode:06d}.parquet")
        for camera, key in enumerate(keys):
            if kind == "video":
                path = root / "videos" / "chunk-000" / key / f"episode_{episode:06d}.mp4"
                write_video(path, _pictures([episode], lengths, camera), fps=fps)


def _write_v3(root, tables, keys, lengths, starts, fps, kind):
    (root / "data" / "chunk-000").mkdir(parents=True)
    with pq.ParquetWriter(root / "data" / "chunk-000" / "file-000.parquet", tables[0].schema) as writer:
        for table in tables:
            if table.num_rows:
                writer.write_table(table)
    rows = []
    for episode, length in enumerate(lengths):
        row = {
            "episode_index": episode,
            "tasks": [TASKS[episode % 2]],
            "length": length,
            "data/chunk_index": 0,
            "data/file_index": 0,
            "dataset_from_index": int(starts[episode]),
            "dataset_to_index": int(starts[episode + 1]),
        }
        for key in keys if kind == "video" else ():
            row |= {f"videos/{key}/chunk_index": 0, f"videos/{key}/file_index": 0}
            row[f"videos/{key}/from_timestamp"] = float(starts[episode] / fps)
            row[f"videos/{key}/to_timestamp"] = float(starts[episode + 1] / fps)
        rows.append(row)
    (root / "meta" / "episodes" / "chunk-000").mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows), root / "meta" / "episodes" / "chunk-000" / "file-000.parquet")
    tasks = pa.table({"task_index": pa.array(range(len(TASKS)), pa.int64()), "task": list(TASKS)})
    pq.write_table(tasks, root / "meta" / "tasks.parquet")
    for camera, key in enumerate(keys):
        if kind == "video":
            path = root / "videos" / key / "chunk-000" / "file-000.mp4"
            write_video(path, _pictures(range(len(lengths)), lengths, camera), fps=fps)


def write_rlds(root, *, lengths=(4, 0, 3), shards=2, splits=("train", "val"), encoding="jpeg", described=True):
    """Write a data set with another library; episode e's step i of camera c shows `picture(100 * e + i, 50 * c)`.

    Episodes are numbered through splits and shards.
    """
    root.mkdir(parents=True)
    number = 0
    for split in splits:
        for shard in range(shards):
            with (root / f"kitchen-{split}.tfrecord-{shard:05d}-of-{shards:05d}").open("wb") as file:
                for length in lengths:
                    write_tfrecord(file, rlds_example(number, length, encoding))
                    number += 1
    if described:
        _describe_rlds(root, splits, [str(len(lengths))] * shards, encoding)
    return root


def write_tfrecord(file, content):
    from tfrecord import TFRecordWriter

    length = len(content).to_bytes(8, "little")
    file.write(length + TFRecordWriter.masked_crc(length) + content + TFRecordWriter.masked_crc(content))


def encoded(pixels, encoding):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, encoding, quality=95)
    return buffer.getvalue()


def rlds_example(episode, length, encoding):
    from tfrecord import example_pb2

    example = example_pb2.Example()
    feature = example.features.feature
    for camera, name in enumerate(("image", "wrist_image")):
        for step in range(length):
            pixels = picture(100 * episode + step, 50 * camera)
            feature[f"steps/observation/{name}"].bytes_list.value.append(encoded(pixels, encoding))
    for step in range(length):
        depth = np.full(SIZE_HW, 0.5 + step, np.float32)
        rgba = np.ascontiguousarray(depth).view(np.uint8).reshape(*SIZE_HW, 4)
        feature["steps/observation/wrist_depth"].bytes_list.value.append(png(rgba))
        feature["steps/language_instruction"].bytes_list.value.append(TASKS[1].encode())
        feature["steps/is_first"].int64_list.value.append(int(step == 0))
        feature["steps/action"].float_list.value.extend([step, -1.5])
    feature["steps/is_first"].int64_list.SetInParent()
    feature["episode_metadata/file_path"].bytes_list.value.append(f"ep{episode}.h5".encode())
    return example.SerializeToString()


def _describe_rlds(root, splits, lengths, encoding):
    def image(channels, dtype, kind):
        dimensions = [*map(str, SIZE_HW), str(channels)]
        return {"image": {"shape": {"dimensions": dimensions}, "dtype": dtype, "encodingFormat": kind}}

    observation = {
        "image": image(3, "uint8", encoding),
        "wrist_image": image(3, "uint8", encoding),
        "wrist_depth": image(1, "float32", "png"),
    }
    step = {"observation": {"featuresDict": {"features": observation}}, "language_instruction": {"text": {}}}
    steps = {"sequence": {"feature": {"featuresDict": {"features": step}}, "length": "-1"}}
    (root / "features.json").write_text(json.dumps({"featuresDict": {"features": {"steps": steps}}}))
    info = {
        "name": "kitchen",
        "version": "1.0.0",
        "fileFormat": "tfrecord",
        "splits": [{"name": split, "shardLengths": lengths} for split in splits],
    }
    (root / "dataset_info.json").write_text(json.dumps(info))
