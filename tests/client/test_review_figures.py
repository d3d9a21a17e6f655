"""How a review goes, over the client: progress, labels, queues, and how people agree."""

import dataclasses
import time

import pytest

from client_server import CLICK, make_image
from maskwright.client import Client
from maskwright.core.errors import NotAllowed, UnknownRecord


@pytest.fixture
def saved(client):
    """Three masks of a picture that no other test uses, named alike."""
    masks = client.segment(make_image(time.monotonic_ns() % 2**32), [CLICK] * 3)
    return client.save([dataclasses.replace(mask, label="review-figures") for mask in masks])


def test_progress_and_labels_count_what_was_saved_and_decided(client, saved):
    before = client.progress(label="review-figures")
    for one in saved[:2]:
        client.accept(one)
    after = client.progress(label="review-figures")

    assert after.num_masks["accepted"] == before.num_masks["accepted"] + 2
    assert [one.name for one in after.labels] == ["review-figures"]
    assert [one.name for one in after.annotators] == ["anna"]
    assert client.labels()["review-figures"] >= 3


def test_a_queue_is_gone_through_page_by_page_and_loses_none_that_is_decided_meanwhile(client, saved, monkeypatch):
    monkeypatch.setattr("maskwright.client.review_steps._PAGE", 2)

    assert {"uncertain", "audit"} <= {one.name for one in client.queues()}
    found = []
    for one in client.queue("uncertain", label="review-figures"):
        found.append(one.mask.id)
        client.accept(one.mask)

    assert {mask.id for mask in saved} <= set(found)
    assert len(set(found)) == len(found)
    with pytest.raises(UnknownRecord):
        list(client.queue("no-such-queue"))


def test_how_people_agree_is_for_reviewers(served, client, admin, saved):
    client.accept(saved[2])
    admin.reject(saved[2], if_match="*")

    (found,) = [one for one in admin.agreement(label="review-figures") if one.record_id == saved[2].id]
    assert (found.first, found.second, found.difference) == ("anna", "root", "decision")
    with pytest.raises(NotAllowed), Client(served.address, served.tokens["annotate"]) as other:
        list(other.agreement())
