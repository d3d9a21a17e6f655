"""Does the store take masks as fast as they come, and answer while one waits? Beside files and other tables.

    python benchmarks/store.py                   both parts; the second writes 2 M masks first, some minutes
    python benchmarks/store.py write
    python benchmarks/store.py ask --folder F    F keeps the 2 M masks for the next run

Writing: every contender ends with its data on the disk (fsync). Asking: 2 M masks of 640 x 480, ten a frame; in the
store 20,000 of them were decided on (a tenth of those edited) and compacted, 500 more since.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import gc
import json
import shutil
import sqlite3
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from harness import Contender, Run, compare, report
from store_data import FRAMES_PER_EPISODE, MASKS_PER_FRAME, drawn_masks, frames

from maskwright.core import Accept, Edit, Reject, ReviewEvent, new_id
from maskwright.masks import decode
from maskwright.store import Query, create_store, open_store

NUM_WRITTEN = 120_000
NUM_PNG = 1_000
NUM_ASKED = 2_000_000
NUM_EPISODES = NUM_ASKED // MASKS_PER_FRAME // FRAMES_PER_EPISODE
NUM_DECIDED, NUM_SINCE = 20_000, 500
BBOX = (100.0, 80.0, 300.0, 240.0)
MIN_AREA = 5001
ASKED_AT_ONCE = 5
QUESTIONS = ("bbox in one frame", "count of all", "count of a bbox", "frames with area > 5000", "one mask", "open")


# Writing


def _made(num_masks: int) -> list[Any]:
    """Make frames with their records, and keep the garbage collector from walking them again and again."""
    made = list(frames(num_masks // MASKS_PER_FRAME, drawn_masks(20_000)))
    gc.collect()
    gc.freeze()
    return made


def write_store(num_masks: int) -> Run:
    """Build a run that writes a store, frame by frame."""
    made = _made(num_masks)

    def run() -> None:
        with (
            tempfile.TemporaryDirectory() as folder,
            create_store(Path(folder) / "masks") as store,
            store.bulk_writer(run="bench") as writer,
        ):
            for frame, records in made:
                writer.add(frame, records)

    return run


def write_coco(num_masks: int) -> Run:
    """Build a run that writes one JSON as pycocotools reads it: what COCO holds, without provenance."""
    made = [record for _, records in _made(num_masks) for record in records]

    def run() -> None:
        annotations = [
            {
                "id": i,
                "image_id": i // MASKS_PER_FRAME,
                "category_id": 1,
                "segmentation": {"size": list(record.rle.size_hw), "counts": record.rle.counts.decode()},
                "bbox": [*record.box_xyxy[:2], record.box_xyxy[2] - record.box_xyxy[0], record.box_xyxy[3]],
                "area": record.area,
                "iscrowd": 0,
            }
            for i, record in enumerate(made)
        ]
        with tempfile.TemporaryDirectory() as folder, open(Path(folder) / "masks.json", "w") as file:
            file.write(json.dumps({"images": [], "categories": [], "annotations": annotations}))
            file.flush()
            os.fsync(file.fileno())

    return run


def write_sqlite(num_masks: int) -> Run:
    """Build a run that writes one table with an index on the frame, 2,000 rows a transaction."""
    made = [record for _, records in _made(num_masks) for record in records]

    def run() -> None:
        with tempfile.TemporaryDirectory() as folder:
            connection = _table(Path(folder) / "masks.sqlite")
            for first in range(0, len(made), 2000):
                connection.executemany(_INSERT, [_row(record) for record in made[first : first + 2000]])
                connection.commit()
            connection.close()

    return run


def write_png(num_masks: int) -> Run:
    """Build a run that writes a PNG for each mask."""
    import cv2

    made = [record for _, records in _made(num_masks) for record in records]

    def run() -> None:
        with tempfile.TemporaryDirectory() as folder:
            for record in made:
                content = cv2.imencode(".png", decode(record.rle).view(np.uint8) * 255)[1]
                with open(Path(folder) / f"{record.id}.png", "wb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())

    return run


# Asking


def make_store(folder: Path) -> None:
    """Write the 2 M masks, decide on some, compact, and decide on some more."""
    if (folder / "made").exists():
        return
    shutil.rmtree(folder / "masks", ignore_errors=True)
    with create_store(folder / "masks") as store:
        drawn = drawn_masks(40_000)
        with store.bulk_writer(run="bench") as writer:
            for frame, records in frames(NUM_ASKED // MASKS_PER_FRAME, drawn):
                writer.add(frame, records)
        ids = [row[0] for row in store.sql().execute("SELECT id FROM records USING SAMPLE 20500 ROWS").fetchall()]
        _decide(store, ids[:NUM_DECIDED])
        store.compact(grace_s=0)
        _decide(store, ids[NUM_DECIDED:])
        (folder / "ids.json").write_text(json.dumps(ids[-1000:]))
    (folder / "made").touch()


def make_table(folder: Path) -> None:
    """Copy the records into one SQLite table with indices on the frame and on the area."""
    path = folder / "masks.sqlite"
    if (folder / "made table").exists():
        return
    path.unlink(missing_ok=True)
    connection = _table(path)
    with open_store(folder / "masks") as store:
        rows = store.sql().execute(
            "SELECT id, dataset || '/' || episode || '/' || camera, frame_index, x1, y1, x2, y2, area, label, method, "
            "prompt, rle FROM records ORDER BY dataset, episode, camera, frame_index"
        )
        while page := rows.fetchmany(10_000):
            connection.executemany(_INSERT, page)
    connection.execute("CREATE INDEX by_area ON masks(area, recording, frame_index)")
    connection.execute("CREATE INDEX by_id ON masks(id)")
    connection.commit()
    connection.close()
    (folder / "made table").touch()


def ask_store(folder: str, question: str) -> Run:
    """Build a run that asks the store five times."""
    path = Path(folder)
    store = open_store(path / "masks", read_only=True)
    ids = json.loads((path / "ids.json").read_text())
    turn = count()

    def ask() -> int:
        i = next(turn)
        match question:
            case "bbox in one frame":
                episode, frame = f"{i * 37 % NUM_EPISODES:06d}", i * 11 % FRAMES_PER_EPISODE
                place = {"dataset": "bench", "episode": episode, "camera": "wrist"}
                return len(list(store.query(Query(bbox=BBOX, first_frame=frame, last_frame=frame, **place))))
            case "count of all":
                return store.count()
            case "count of a bbox":
                return store.count(Query(bbox=BBOX))
            case "frames with area > 5000":
                return store.count_frames(Query(min_area=MIN_AREA))
            case "one mask":
                return len(store.history(ids[i * 7 % len(ids)]).events)
            case _:
                open_store(path / "masks").close()
                return 0

    return lambda: [ask() for _ in range(ASKED_AT_ONCE)] and None


def ask_sqlite(folder: str, question: str) -> Run:
    """Build a run that asks the SQLite table five times; it knows no events."""
    path = Path(folder)
    connection = sqlite3.connect(path / "masks.sqlite")
    ids = json.loads((path / "ids.json").read_text())
    turn = count()
    x1, y1, x2, y2 = BBOX
    meets = f"x1 < {x2} AND x2 > {x1} AND y1 < {y2} AND y2 > {y1}"

    def ask() -> Any:
        i = next(turn)
        match question:
            case "bbox in one frame":
                place = f"bench/{i * 37 % NUM_EPISODES:06d}/wrist", i * 11 % FRAMES_PER_EPISODE
                sql = f"SELECT * FROM masks WHERE recording = ? AND frame_index = ? AND {meets}"
                return connection.execute(sql, place).fetchall()
            case "count of all":
                return connection.execute("SELECT count(*) FROM masks").fetchall()
            case "count of a bbox":
                return connection.execute(f"SELECT count(*) FROM masks WHERE {meets}").fetchall()
            case "frames with area > 5000":
                frames_ = f"SELECT DISTINCT recording, frame_index FROM masks WHERE area >= {MIN_AREA}"
                return connection.execute(f"SELECT count(*) FROM ({frames_})").fetchall()
            case "one mask":
                return connection.execute("SELECT * FROM masks WHERE id = ?", (ids[i * 7 % len(ids)],)).fetchall()
            case _:
                other = sqlite3.connect(path / "masks.sqlite")
                other.execute("SELECT 1 FROM masks LIMIT 1").fetchall()
                other.close()

    return lambda: [ask() for _ in range(ASKED_AT_ONCE)] and None


def ask_arrow(folder: str, question: str) -> Run:
    """Build a run that asks pyarrow.dataset over the store's own segments five times; it knows no events."""
    import pyarrow.dataset as ds

    files = sorted(str(path) for path in (Path(folder) / "masks" / "segments").glob("*.parquet"))
    data = ds.dataset(files)
    ids = json.loads((Path(folder) / "ids.json").read_text())
    turn = count()
    x1, y1, x2, y2 = BBOX
    field = ds.field
    meets = (field("x1") < x2) & (field("x2") > x1) & (field("y1") < y2) & (field("y2") > y1)

    def ask() -> Any:
        i = next(turn)
        match question:
            case "bbox in one frame":
                episode, frame = f"{i * 37 % NUM_EPISODES:06d}", i * 11 % FRAMES_PER_EPISODE
                place = (field("episode") == episode) & (field("frame_index") == frame)
                return data.to_table(filter=place & meets).to_pylist()
            case "count of all":
                return data.count_rows()
            case "count of a bbox":
                return data.count_rows(filter=meets)
            case "frames with area > 5000":
                places = ["dataset", "episode", "camera", "frame_index"]
                found = data.to_table(columns=places, filter=field("area") >= MIN_AREA)
                return len(found.group_by(places).aggregate([]))
            case "one mask":
                return data.to_table(filter=field("id") == ids[i * 7 % len(ids)]).to_pylist()
            case _:
                return ds.dataset(files)

    return lambda: [ask() for _ in range(ASKED_AT_ONCE)] and None


def _decide(store: Any, ids: list[str]) -> None:
    for first in range(0, len(ids), 500):
        store.append([_event(i, record_id, store) for i, record_id in enumerate(ids[first : first + 500])])


@cache
def _some_edit() -> Edit:
    return Edit(drawn_masks(1, seed=7)[0][0])


def _event(i: int, record_id: str, store: Any) -> ReviewEvent:
    action = _some_edit() if i % 10 == 0 else Accept() if i % 3 else Reject()
    return ReviewEvent(id=new_id(), record_id=record_id, actor="bench", at=datetime.now(UTC), action=action)


_INSERT = "INSERT INTO masks VALUES (?,?,?,?,?,?,?,?,?,?,?,?)"


def _table(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    columns = "id, recording, frame_index, x1, y1, x2, y2, area, label, method, prompt, rle"
    connection.execute(f"CREATE TABLE masks({columns})")
    connection.execute("CREATE INDEX by_frame ON masks(recording, frame_index)")
    return connection


def _row(record: Any) -> tuple[Any, ...]:
    frame = record.frame
    place = f"{frame.dataset}/{frame.episode}/{frame.camera}", frame.frame_index
    prompt = str(record.provenance.prompt)
    return record.id, *place, *record.box_xyxy, record.area, record.label, "sam_raw", prompt, record.rle.counts


def compare_writing(rounds: int) -> None:
    """Compare writers; PNG files are timed on fewer masks."""
    contenders = [
        Contender("maskwright store", "store:write_store", {"num_masks": NUM_WRITTEN}),
        Contender("COCO JSON (pycocotools' format)", "store:write_coco", {"num_masks": NUM_WRITTEN}),
        Contender("SQLite table, index on frame", "store:write_sqlite", {"num_masks": NUM_WRITTEN}),
        Contender("a PNG for each mask", "store:write_png", {"num_masks": NUM_PNG}),
    ]
    timings = compare(contenders, rounds=rounds)
    timings[-1] = replace(timings[-1], seconds=timings[-1].seconds * NUM_WRITTEN / NUM_PNG)
    rate = NUM_WRITTEN / timings[0].seconds
    note = f"{NUM_WRITTEN:,} masks a round, ms for each 1,000; the store takes {rate:,.0f} masks/s"
    report("store", "Store: write masks of 640 x 480", timings, note=note, items=NUM_WRITTEN // 1000)


def compare_asking(folder: Path, rounds: int, questions: Sequence[str]) -> None:
    """Compare answers of the store, of a SQLite table, and of pyarrow over the same files."""
    make_store(folder)
    make_table(folder)
    for question in questions:
        arguments = {"folder": str(folder), "question": question}
        contenders = [
            Contender("maskwright store", "store:ask_store", arguments),
            Contender("SQLite table, no events", "store:ask_sqlite", arguments),
            Contender("pyarrow.dataset, no events", "store:ask_arrow", arguments),
        ]
        if question == "one mask":
            contenders.pop()  # it reads everything, for seconds
        note = f"{NUM_ASKED:,} masks, {NUM_DECIDED:,} of them decided and folded, {NUM_SINCE} since; ms a question"
        report("store", f"Store: {question}", compare(contenders, rounds=rounds), note=note, items=ASKED_AT_ONCE)


def main() -> None:
    """Run the parts that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", nargs="?", choices=("write", "ask"))
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--question", action="append", choices=QUESTIONS)
    asked = parser.parse_args()
    if asked.part != "ask":
        compare_writing(asked.rounds)
    if asked.part != "write":
        with tempfile.TemporaryDirectory() as folder:
            kept = asked.folder or Path(folder)
            kept.mkdir(parents=True, exist_ok=True)
            compare_asking(kept, asked.rounds, asked.question or QUESTIONS)


if __name__ == "__main__":
    main()
