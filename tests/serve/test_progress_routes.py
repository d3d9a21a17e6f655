"""Progress, queues and agreement over REST: figures of a real store, pages, and who may see what of whom."""

from dataclasses import replace

import pytest
from pydantic import TypeAdapter

from maskwright.core import Accept, Edit, Reject
from maskwright.core.record import Scores
from maskwright.review import QUEUES
from maskwright.serve.review_figures import ReviewFigures, ranked_cursor, read_ranked
from maskwright.serve.store_cursors import frame_id
from maskwright.serve.wire_review import AgreementOut, LabelsOut, MaskVersionsOut, ProgressOut, QueueOut, QueuesOut
from maskwright.store import Query, create_store, open_store
from maskwright.store.frame_log import key_of
from maskwright.testing.store_values import make_event, make_record, make_ref, rectangle
from store_rest import ANN, BOB, by, run, store_client

REVIEWER = replace(BOB, name="ria", scope="review")
WHOLE, HALF = rectangle(0, 0, 8, 8), rectangle(0, 0, 8, 4)


@pytest.fixture
def records(tmp_path):
    made = [
        make_record(make_ref(index), WHOLE, label=f"label {index % 2}", scores=Scores(predicted_iou=index / 10))
        for index in range(6)
    ]
    with create_store(tmp_path / "masks") as store:
        store.put(made)
        store.append([make_event(record, Accept(), actor="ann") for record in made[:3]])
        store.append(
            [
                make_event(made[0], Reject(), actor="bob"),
                make_event(made[1], Edit(HALF), actor="bob"),
                make_event(made[2], Accept(), actor="bob"),
            ]
        )
    return made


def asked(path, *requests):
    """Ask a server; each request is a path, a caller and parameters."""

    async def ask():
        async with store_client(path) as (client, _):
            return [await client.get(f"/v1/{where}", headers=by(who), params=params) for where, who, params in requests]

    return run(ask())


def is_a(model, answer):
    assert answer.status_code == 200, answer.text
    TypeAdapter(model).validate_json(answer.content, strict=True)
    return answer.json()


def test_progress_says_how_far_it_is_and_of_others_only_to_reviewers(tmp_path, records):
    own, all_of_them, some = asked(
        tmp_path / "masks",
        ("progress", ANN, {}),
        ("progress", REVIEWER, {}),
        ("progress", REVIEWER, {"label": "label 1"}),
    )

    found = is_a(ProgressOut, all_of_them)
    assert found["num_masks"] == {"proposed": 4, "accepted": 1, "rejected": 1, "merged": 0, "split": 0}
    assert (found["num_frames"], found["num_frames_left"]) == (6, 4)
    assert {one["name"] for one in found["labels"]} == {"label 0", "label 1"}
    assert [one["name"] for one in found["annotators"]] == ["ann", "bob"]
    assert found["models"][0]["acceptance_rate"] == 0.5
    assert [one["name"] for one in is_a(ProgressOut, own)["annotators"]] == ["ann"]
    assert sum(is_a(ProgressOut, some)["num_masks"].values()) == 3


def test_a_queue_is_walked_by_cursors(tmp_path, records):
    path = tmp_path / "masks"
    first = is_a(QueueOut, asked(path, ("queues/uncertain", ANN, {"limit": 2}))[0])
    second = is_a(QueueOut, asked(path, ("queues/uncertain", ANN, {"limit": 2, "cursor": first["next_cursor"]}))[0])

    walked = [*first["items"], *second["items"]]
    assert [one["record"]["record"]["id"] for one in walked] == [records[index].id for index in (1, 3, 4, 5)]
    assert [one["value"] for one in walked] == [0.1, 0.3, 0.4, 0.5]
    assert second["next_cursor"] is None


def test_a_second_look_depends_on_who_asks_and_disagreement_is_for_reviewers(tmp_path, records):
    with open_store(tmp_path / "masks") as store:
        store.append([make_event(records[4], Accept(), actor="ann")])
    anns, bobs, refused, shown = asked(
        tmp_path / "masks",
        ("queues/second_look", ANN, {}),
        ("queues/second_look", BOB, {}),
        ("queues/disagreed", ANN, {}),
        ("queues/disagreed", REVIEWER, {}),
    )

    assert is_a(QueueOut, anns)["items"] == []
    assert [one["record"]["record"]["id"] for one in is_a(QueueOut, bobs)["items"]] == [records[4].id]
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "not_allowed")
    ids = [one["record"]["record"]["id"] for one in is_a(QueueOut, shown)["items"]]
    assert ids == [records[0].id, records[1].id]


def test_the_queues_are_listed_with_whether_one_may(tmp_path, records):
    anns, reviewers = asked(tmp_path / "masks", ("queues", ANN, {}), ("queues", REVIEWER, {}))

    assert [one["name"] for one in is_a(QueuesOut, anns)["items"]] == list(QUEUES)
    assert [one["name"] for one in anns.json()["items"] if not one["may"]] == ["disagreed"]
    assert all(one["may"] for one in is_a(QueuesOut, reviewers)["items"])


def test_agreement_comes_worst_first_in_pages_and_for_reviewers(tmp_path, records):
    path = tmp_path / "masks"
    refused, first = asked(path, ("agreement", ANN, {}), ("agreement", REVIEWER, {"limit": 2}))
    found = is_a(AgreementOut, first)
    (rest,) = asked(path, ("agreement", REVIEWER, {"limit": 2, "cursor": found["next_cursor"]}))

    assert refused.status_code == 403
    assert found["items"][0] == {
        "record_id": records[0].id,
        "frame": frame_id(key_of(records[0].frame, None)),
        "first": "ann",
        "second": "bob",
        "iou": 0.0,
        "difference": "decision",
        "labels": ["label 0", "label 0"],
        "settled_by": None,
    }
    assert [one["difference"] for one in found["items"] + is_a(AgreementOut, rest)["items"]] == [
        "decision",
        "pixels",
        "none",
    ]
    assert rest.json()["next_cursor"] is None
    assert found["pairs"] == [{"first": "ann", "second": "bob", "num_masks": 3, "num_same": 1, "mean_iou": 0.5}]


def test_what_is_no_cursor_queue_or_condition_is_told_so(tmp_path, records):
    answers = asked(
        tmp_path / "masks",
        ("queues/uncertain", ANN, {"cursor": "x"}),
        ("queues/uncertain", ANN, {"cursor": ranked_cursor(read_ranked("WzAuNSwzXQ"))[:-1]}),
        ("agreement", REVIEWER, {"cursor": "WzAuNSwzXQ"}),
        ("progress", ANN, {"status": "accepted"}),
        ("queues/audit", ANN, {"seed": "-1"}),
    )

    assert [one.status_code for one in answers] == [422] * len(answers)
    assert all(one.json()["error"]["code"] == "request_error" for one in answers)


def test_figures_are_computed_once_for_each_state_of_the_store(tmp_path, records, monkeypatch):
    with open_store(tmp_path / "masks") as store:
        pages, asked_for = store.pages(), []
        rows = pages.rows
        monkeypatch.setattr(pages, "rows", lambda *given, **more: asked_for.append(1) or rows(*given, **more))
        figures = ReviewFigures(pages)

        first = figures.progress(Query())
        num_questions = len(asked_for)
        assert figures.progress(Query()) is first
        assert len(asked_for) == num_questions
        store.append([make_event(records[5], Reject())])
        assert figures.progress(Query()).num_masks["rejected"] == first.num_masks["rejected"] + 1


def test_labels_are_listed_for_everybody(tmp_path, records):
    (found,) = asked(tmp_path / "masks", ("labels", ANN, {}))

    assert is_a(LabelsOut, found) == {
        "items": [{"name": "label 0", "num_masks": 2}, {"name": "label 1", "num_masks": 3}],
        "is_cut": False,
    }


def test_a_queue_says_how_many_are_left_and_goes_on_after_any_of_its_masks(tmp_path, records):
    path = tmp_path / "masks"
    first = is_a(QueueOut, asked(path, ("queues/uncertain", ANN, {"limit": 2}))[0])
    (after_one,) = asked(path, ("queues/uncertain", ANN, {"cursor": first["items"][0]["cursor"]}))

    assert first["num_left"] == 4
    assert first["items"][0]["frame"] == frame_id(key_of(records[1].frame, None))
    assert [one["record"]["record"]["id"] for one in is_a(QueueOut, after_one)["items"]] == [
        records[index].id for index in (3, 4, 5)
    ]


def test_each_persons_version_of_a_mask_is_told_with_how_they_compare(tmp_path, records):
    found, missing = asked(
        tmp_path / "masks", (f"records/{records[1].id}/versions", ANN, {}), ("records/nothing/versions", ANN, {})
    )

    told = is_a(MaskVersionsOut, found)
    assert [(one["actor"], one["rle"]["counts"]) for one in told["items"]] == [
        ("ann", WHOLE.counts.decode()),
        ("bob", HALF.counts.decode()),
    ]
    assert [(one["iou"], one["difference"]) for one in told["pairs"]] == [(0.5, "pixels")]
    assert missing.status_code == 404


def test_only_what_is_open_is_told_when_that_is_asked(tmp_path, records):
    with open_store(tmp_path / "masks") as store:
        store.append([make_event(records[0], Accept(), actor="ria")])

    whole, left = asked(tmp_path / "masks", ("agreement", REVIEWER, {}), ("agreement", REVIEWER, {"is_open": "true"}))

    assert len(is_a(AgreementOut, whole)["items"]) == 5
    assert [one["record_id"] for one in is_a(AgreementOut, left)["items"]] == [records[1].id]
    assert whole.json()["items"][0]["settled_by"] == "ria"
