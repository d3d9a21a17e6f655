"""The stores of a process ask one DuckDB: none sees another's masks or ends its questions, and forks take their own."""

import os
import subprocess
import sys

import pytest

from maskwright.store import create_store
from maskwright.testing.store_values import make_record, make_ref


def test_stores_that_are_open_at_once_keep_apart(tmp_path):
    records = [make_record(make_ref(index)) for index in range(4)]
    with create_store(tmp_path / "one") as one, create_store(tmp_path / "other") as other:
        one.put(records[:3])
        other.put(records[3:])
        streams = [iter(store.query()) for store in (one, other)]
        first = [next(stream).record for stream in streams]
        found = [[mask.record for mask in store.query()] for store in (one, other)]

        one.close()
        again = [mask.record for mask in other.query()]

    assert first == [records[0], records[3]]
    assert found == [records[:3], records[3:]]
    assert again == records[3:]


FORK = """
import os, sys
from maskwright.store import open_store

def count():
    with open_store(sys.argv[1]) as store:
        return len(list(store.query()))

assert count() == 1
child = os.fork()
if child == 0:
    sys.exit(10 + count())  # not os._exit: the parent's DuckDB must be left alone to the end
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), count())
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_process_has_a_duckdb_of_its_own_and_ends(tmp_path):
    with create_store(tmp_path / "masks") as store:
        store.put([make_record()])

    words = [sys.executable, "-c", FORK, str(tmp_path / "masks")]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)

    assert done.stdout == "11 1\n", done.stderr
