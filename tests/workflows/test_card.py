import hashlib
import json
from datetime import UTC, datetime, timedelta

import pyarrow.parquet as pq
import pytest
import yaml

from flawed_store import AT, good, mask, store_of
from maskwright.cli.__main__ import run
from maskwright.core import ReviewEvent, Scores, new_id
from maskwright.core.errors import SettingError
from maskwright.core.review_event import Accept, Reject
from maskwright.store import Query, open_store
from maskwright.workflows.card import make_card, save_card
from maskwright.workflows.demo import make_demo
from maskwright.workflows.grades import Slice, grade_of


def decide(path, record_ids, action):
    events = [
        ReviewEvent(id=new_id(), record_id=one, actor="ann", at=AT + timedelta(minutes=i), action=action)
        for i, one in enumerate(record_ids)
    ]
    with open_store(path) as store:
        store.append(events)


def front_matter(text):
    _, head, _ = text.split("---\n", 2)
    return yaml.safe_load(head)


def grades(card):
    return {(one.kind, one.name): one.grade for one in card.slices}


@pytest.mark.parametrize(
    ("facts", "grade"),
    [
        ({"num_vouched": 95}, "A"),
        ({"num_vouched": 94}, "B"),
        ({"num_vouched": 50}, "B"),
        ({"num_vouched": 49, "num_decided": 49}, "C"),
        ({"num_vouched": 0, "num_decided": 30, "num_rejected": 30}, "C"),
        ({"num_vouched": 29, "num_decided": 29}, "D"),
        ({"num_vouched": 0}, "D"),
        ({"num_vouched": 100, "num_wrong": 1}, "F"),
    ],
)
def test_the_rule_of_grades(facts, grade):
    plain = {"num_masks": 100, "num_vouched": 0, "num_decided": 0, "num_rejected": 0, "num_wrong": 0}

    assert grade_of(Slice(kind="label", name="cup", **plain | facts)) == grade


def test_slices_are_graded_by_label_camera_and_maker(tmp_path):
    records = [mask(number, label="cup") for number in range(40)]
    records += [good(number, label="plate") for number in range(40)] + [mask(50, label="fork", area=3)]
    path = store_of(tmp_path / "masks", records)
    decide(path, [one.id for one in records[:28]], Accept())
    decide(path, [one.id for one in records[28:32]], Reject())

    card = make_card(path)

    assert grades(card) == {
        ("label", "cup"): "B", ("label", "plate"): "A", ("label", "fork"): "F",
        ("camera", "kitchen front"): "F", ("made by", "sam_raw tiny"): "F", ("made by", "human_drawn"): "A",
    }  # fmt: skip
    cup = next(one for one in card.slices if one.name == "cup")
    assert (cup.num_masks, cup.num_vouched, cup.num_decided, cup.num_rejected) == (36, 28, 32, 4)
    assert "| label: cup | B | 36 | 77.8 % | 32 | 4 |" in card.text


def test_the_disclaimer_stands_where_masks_are_not_verified_and_only_there(tmp_path):
    raw = store_of(tmp_path / "raw", [mask(0), good(1)])
    fine = store_of(tmp_path / "fine", [good(0)])

    assert "**Not verified by a person: 1 of 2 masks (50.0 %)** (1 mask in all `sam_raw`" in make_card(raw).text
    assert "Not verified" not in make_card(fine).text
    with open_store(raw, read_only=True) as store:
        (one,) = store.query(Query(method="sam_raw"))
    decide(raw, [one.record.id], Accept())
    assert "Not verified" not in make_card(raw).text


@pytest.mark.parametrize(
    ("licences", "given", "told"),
    [
        (["MIT", "MIT"], None, {"license": "mit"}),
        (["MIT", "CC0-1.0"], None, {"license": "unknown"}),
        (["MIT", None], None, {"license": "unknown"}),
        (["MIT", None], "CC-BY-4.0", {"license": "cc-by-4.0"}),
        (["House: rules"] * 2, None, {"license": "other", "license_name": "House: rules"}),
    ],
)
def test_the_head_names_the_licence_as_hugging_face_does(tmp_path, licences, given, told):
    records = [mask(number, provenance={"licence": licence}) for number, licence in enumerate(licences)]
    path = store_of(tmp_path / "masks", records)

    head = front_matter(make_card(path, licence=given).text)

    assert {name: value for name, value in head.items() if name.startswith("license")} == told
    assert head["task_categories"] == ["image-segmentation", "robotics"]
    assert head["size_categories"] == ["n<1K"]


def test_names_with_signs_do_not_break_the_tables_or_the_head(tmp_path):
    path = tmp_path / "käse: |x| 'y'"
    store_of(path, [mask(0, label="a|b\nc <script>")])

    text = make_card(path).text

    assert front_matter(text)["pretty_name"] == "käse: |x| 'y'"
    assert r"| a\|b c &lt;script> | 1 |" in text


def test_an_empty_store_has_a_card_too(tmp_path):
    card = make_card(store_of(tmp_path / "masks", []))

    assert "0 masks on 0 frames." in card.text
    assert card.slices == ()


def test_croissant_has_what_the_specification_requires_and_tells_the_files_as_they_are(tmp_path):
    made = make_demo(tmp_path / "demo")
    card = make_card(made.store, at=datetime(2026, 5, 1, tzinfo=UTC))
    content = json.loads(json.dumps(card.croissant))

    required = ("@context", "@type", "conformsTo", "name", "description", "license", "url", "creator", "datePublished")
    assert [name for name in required if not content.get(name)] == []
    assert content["@type"] == "sc:Dataset"
    assert content["conformsTo"] == "http://mlcommons.org/croissant/1.0"
    assert content["datePublished"] == "2026-05-01"
    objects = {one["@id"]: one for one in content["distribution"]}
    segments = [one for one in objects.values() if one["encodingFormat"] == "application/x-parquet"]
    (file,) = (one for one in segments if one["@type"] == "cr:FileObject")
    data = (made.store / file["contentUrl"]).read_bytes()
    assert file["sha256"] == hashlib.sha256(data).hexdigest()
    assert file["contentSize"] == f"{len(data)} B"
    (masks,) = content["recordSet"]
    columns = pq.read_schema(made.store / file["contentUrl"]).names
    for field in masks["field"]:
        assert field["source"]["fileSet"]["@id"] in objects
        assert field["source"]["extract"]["column"] in columns
        assert field["@id"] == f"masks/{field['name']}"
        assert field["description"]
    assert masks["key"]["@id"] in [field["@id"] for field in masks["field"]]
    told = [field["source"]["extract"]["column"] for field in masks["field"]]
    assert set(columns) - set(told) == {"ordinal", "added"}  # of the store itself


def test_a_store_without_files_has_no_record_set(tmp_path):
    card = make_card(store_of(tmp_path / "masks", [mask(0)]))

    assert [one["@id"] for one in card.croissant["distribution"]] == ["live.sqlite"]
    assert "recordSet" not in card.croissant


def test_numbers_that_are_none_do_not_break_the_card(tmp_path):
    path = store_of(tmp_path / "masks", [mask(0, frame=None, scores=Scores(predicted_iou=float("nan")))])

    assert "loose pictures" in make_card(path).text


def test_the_command_writes_two_files_or_prints(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    store_of(tmp_path / "masks", [good(0)])

    assert run(["card", "masks", "-o", "card"]) == 0
    assert sorted(path.name for path in (tmp_path / "card").iterdir()) == ["README.md", "croissant.json"]
    assert "card/README.md" in capsys.readouterr().err
    assert run(["card", "masks"]) == 0
    assert capsys.readouterr().out.startswith("---\nlicense: mit\n")
    assert run(["card", "masks", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["facts"]["num_masks"] == 1
    assert told["slices"][0]["grade"] == "A"
    assert run(["card", "masks", "-o", "card"]) == 1
    assert "must be new or empty" in capsys.readouterr().err


def test_a_folder_with_something_in_it_is_left_alone(tmp_path):
    card = make_card(store_of(tmp_path / "masks", [good(0)]))
    (tmp_path / "card").mkdir()
    (tmp_path / "card" / "mine").touch()

    with pytest.raises(SettingError):
        save_card(card, tmp_path / "card")
    assert [path.name for path in (tmp_path / "card").iterdir()] == ["mine"]
