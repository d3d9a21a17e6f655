import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as PillowImage

from maskwright.cli.__main__ import run
from maskwright.core import Image
from maskwright.core.errors import InputError, SettingError
from maskwright.models import load_model
from maskwright.predict import EverythingSettings
from maskwright.workflows.costs import Assumptions, Span, estimate_costs, parse_span
from maskwright.workflows.estimate import Given, estimate_work
from maskwright.workflows.throughput import measure_throughput

PUBLISHED = {
    "num_frames": 10_000,
    "manual_minutes": Span(5, 10),
    "assisted_minutes": Span(1, 2),
    "wage": Span(15, 25),
    "machine_ms": Span(150, 150),
    "machine_price": Span(1, 3),
    "masks_per_frame": Span(5, 5),
    "bytes_per_mask": Span(500, 500),
    "gigabyte_month": Span(0.02, 0.02),
}
numbers = st.floats(0, 1e6)
spans = st.tuples(numbers, numbers).map(lambda pair: Span(min(pair), max(pair)))


def test_the_published_example_comes_out_and_its_gpu_time_is_minutes():
    found = estimate_costs(Assumptions(**PUBLISHED))

    assert (found.manual_hours.low, found.manual_hours.high) == pytest.approx((833.33, 1666.67), abs=0.01)
    assert (found.assisted_hours.low, found.assisted_hours.high) == pytest.approx((166.67, 333.33), abs=0.01)
    assert (found.manual_wages.low, found.manual_wages.high) == pytest.approx((12_500, 41_666.67), abs=0.01)
    assert (found.assisted_wages.low, found.assisted_wages.high) == pytest.approx((2_500, 8_333.33), abs=0.01)
    assert found.machine_hours * 60 == Span(25, 25)
    assert (found.machine_cost.low, found.machine_cost.high) == pytest.approx((0.4167, 1.25), abs=0.001)
    assert found.times_faster == Span(2.5, 10)
    assert found.storage_bytes == Span(25e6, 25e6)


def test_what_is_saved_pays_both_sides_the_same_wage():
    found = estimate_costs(Assumptions(**PUBLISHED | {"machine_price": Span(0, 0)}))

    assert (found.saved.low, found.saved.high) == pytest.approx((500 * 15, 1500 * 25))


def test_assistance_that_takes_longer_saves_less_than_nothing():
    found = estimate_costs(Assumptions(**PUBLISHED | {"assisted_minutes": Span(12, 12)}))

    assert found.saved.low < found.saved.high < 0
    assert found.times_faster.high < 1


def test_no_time_of_people_at_all_has_no_ratio():
    assert estimate_costs(Assumptions(**PUBLISHED | {"assisted_minutes": Span(0, 1)})).times_faster is None


@given(spans, spans, st.floats(0, 1), st.floats(0, 1))
def test_a_range_holds_every_value_that_its_parts_can_have(first, second, s, t):
    a = min(max(first.low + s * (first.high - first.low), first.low), first.high)
    b = min(max(second.low + t * (second.high - second.low), second.low), second.high)

    for whole, value in ((first + second, a + b), (first - second, a - b), (first * second, a * b)):
        slack = 1e-9 * max(1, abs(value))
        assert whole.low - slack <= value <= whole.high + slack


@pytest.mark.parametrize(
    ("text", "span"),
    [("5", Span(5, 5)), ("5-10", Span(5, 10)), ("0.5\N{EN DASH}4", Span(0.5, 4)), ("1,000-2,000", Span(1000, 2000))],
)
def test_a_range_is_read_as_people_write_it(text, span):
    assert parse_span(text) == span


@pytest.mark.parametrize("text", ["", "a", "5-", "-5", "1-2-3", "nan", "inf", "10-5"])
def test_what_is_no_range_is_refused(text):
    with pytest.raises(SettingError):
        parse_span(text)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_frames": 0}, "an estimate needs at least one frame, got 0"),
        ({"wage": Span(-1, 2)}, "wage must not be negative, got -1"),
    ],
)
def test_impossible_assumptions_are_refused(change, message):
    with pytest.raises(SettingError, match=message):
        Assumptions(**PUBLISHED | change)


def test_a_range_of_what_is_not_a_number_is_refused():
    with pytest.raises(SettingError, match="goes from a number"):
        Span(math.nan, 1)


def test_every_assumption_says_where_it_comes_from():
    report = estimate_work(Given(num_frames=100, machine_ms=Span(10, 20), wage=Span(30, 30)))

    told = report.as_json()["assumptions"]
    assert told["wage"] == {"value": [30, 30], "origin": "given"}
    assert told["num_frames"] == {"value": 100, "origin": "given"}
    assert told["manual_minutes"]["origin"].startswith("assumed")
    assert all(one["origin"] for one in told.values())
    text = "\n".join(report.lines())
    assert all(report.origins[name] in text for name in told)


@pytest.mark.parametrize("use_everything", [False, True])
def test_a_timed_run_of_a_real_model_gives_times_and_sizes(use_everything):
    rng = np.random.default_rng(0)
    images = [Image(rng.integers(0, 256, (24, 32, 3), dtype=np.uint8)) for _ in range(4)]
    few = EverythingSettings(points_per_side=4) if use_everything else None

    found = measure_throughput(load_model("test-sam"), images, settings=few, seconds=0.1)

    assert 0 < found.frame_ms.low <= found.frame_ms.high
    assert (found.mask_ms.high == 0) is use_everything
    assert found.num_frames >= 3
    assert "test-sam on cpu" in found.says
    assert found.machine_ms(Span(10, 10)).low >= found.machine_ms(Span(1, 1)).low


def test_a_timed_run_of_nothing_is_refused():
    with pytest.raises(InputError, match="at least one frame"):
        measure_throughput(load_model("test-sam"), [])


def test_frames_of_a_source_are_counted_by_camera_and_stride_and_measured(tmp_path, capsys):
    for i in range(7):
        pixels = np.full((24, 32, 3), i, np.uint8)
        PillowImage.fromarray(pixels).save(tmp_path / f"{i}.png")

    code = run(["estimate", str(tmp_path), "--stride", "3", "--model", "test-sam", "--json"])

    told = capsys.readouterr()
    assert code == 0, told.err
    found = json.loads(told.out)["assumptions"]
    assert found["num_frames"]["value"] == 3
    assert "measured here: test-sam on cpu" in found["machine_ms"]["origin"]
    assert "measured" in found["bytes_per_mask"]["origin"]


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (
            ["--frames", "10", "--manual", "ten"],
            2,
            "--manual: expected a number of at least 0, or a range such as 5-10",
        ),
        (["--ms-per-frame", "10"], 1, "say how many frames there are (--frames 10000), or name a data set to count"),
        (["none", "--ms-per-frame", "10"], 1, "none"),
    ],
)
def test_what_cannot_be_estimated_is_one_line(words, code, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    assert run(["estimate", *words]) == code

    told = capsys.readouterr().err
    assert message in told
    assert told.count("\n") == 1


def test_the_command_prints_ranges(capsys):
    assert run(["estimate", "--frames", "10000", "--ms-per-frame", "150"]) == 0

    text = capsys.readouterr().out
    assert "25 minutes" in text
    assert "$12,500 to $41,667" in text
