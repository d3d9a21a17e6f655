"""Makes `version_1.zip` and `version_3.zip`: a store and an HDF5 store as earlier versions wrote them.

    git archive 56d0c90 src | tar -x -C /tmp/old && PYTHONPATH=/tmp/old/src python make_old_versions.py 1
    git archive 445a155 src | tar -x -C /tmp/old && PYTHONPATH=/tmp/old/src python make_old_versions.py 3

Version 1 had no columns of tracks, version 3 none of agreement. Masks lie in a segment, in the ledger and in a fold, so
that each way of reading meets columns that are not there.
"""

import json
import sys
import tempfile
import zipfile
from pathlib import Path

from maskwright.core import Accept, Relabel, to_json
from maskwright.store import create_store
from maskwright.store.hdf5_store import create_hdf5_store
from maskwright.testing.store_values import make_event, make_frame, make_record, make_ref


def main() -> None:
    """Write the zip file beside this one."""
    records = [make_record(make_ref(index), id=f"mask {index}") for index in range(4)]
    with tempfile.TemporaryDirectory() as folder, create_store(Path(folder) / "masks") as store:
        with store.bulk_writer(run="old") as writer:
            for record in records[:2]:
                writer.add(make_frame(record.frame), [record])
        store.append([make_event(records[0], Relabel("lid"))])
        store.compact(grace_s=0)
        store.append([make_event(records[1], Accept())])
        store.put(records[2:])
        with create_hdf5_store(Path(folder) / "masks.h5") as small:
            small.put(records)
        store.close()
        (Path(folder) / "records.json").write_text(json.dumps([to_json(record) for record in records]))
        with zipfile.ZipFile(
            Path(__file__).parent / f"version_{sys.argv[1]}.zip", "w", zipfile.ZIP_DEFLATED
        ) as archive:
            for path in sorted(one for one in Path(folder).rglob("*") if one.is_file() and one.suffix != ".lock"):
                archive.write(path, path.relative_to(folder).as_posix())


if __name__ == "__main__":
    main()
