"""The labels of a store: those of listed masks, by name, the most used where there are too many."""

from maskwright.core import Reject, Relabel
from maskwright.review import labels as module
from maskwright.review.labels import labels_of
from maskwright.store import create_store
from maskwright.testing.store_values import make_event, make_record, make_ref


def counted(store):
    return [(one.name, one.num_masks) for one in labels_of(store.pages()).items]


def test_labels_are_counted_as_they_are_now_without_those_of_rejected_masks(tmp_path):
    records = [
        make_record(make_ref(index), label=label) for index, label in enumerate(["lid", "cup", "cup", None, "pan"])
    ]
    with create_store(tmp_path / "masks") as store:
        assert counted(store) == []
        store.put(records)
        assert counted(store) == [("cup", 2), ("lid", 1), ("pan", 1)]
        store.append([make_event(records[4], Reject()), make_event(records[0], Relabel("cup"))])
        assert counted(store) == [("cup", 3)]


def test_of_too_many_labels_those_with_the_most_masks_are_told(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MOST_LABELS", 2)
    with create_store(tmp_path / "masks") as store:
        store.put([make_record(make_ref(index), label=label) for index, label in enumerate("abbccc")])

        found = labels_of(store.pages())

    assert [one.name for one in found.items] == ["b", "c"]
    assert found.is_cut
