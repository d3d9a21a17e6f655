"""The list of formats: each is documented, importable, and found by its name."""

from importlib import import_module
from pathlib import Path

import pytest

from maskwright.core.errors import SettingError
from maskwright.datasets.formats import FEATURES, FORMATS, Format, find_format
from maskwright.datasets.loss_report import LossLog

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "formats.md"


def _row(one: Format) -> str:
    kept = [name for name in FEATURES if name in one.holds]
    lost = [name for name in FEATURES if name not in one.holds]
    return f"| `{one.name}` | {', '.join(kept) if lost else 'everything'} | {', '.join(lost)} |".replace("|  |", "| |")


@pytest.mark.parametrize("one", FORMATS.values(), ids=FORMATS)
def test_the_guide_says_what_each_format_keeps(one: Format) -> None:
    assert _row(one) in GUIDE.read_text().splitlines()


@pytest.mark.parametrize("one", FORMATS.values(), ids=FORMATS)
def test_every_module_reads_and_writes_what_its_format_says(one: Format) -> None:
    module = import_module(f"maskwright.datasets.{one.module}")

    assert one.holds <= set(FEATURES)
    assert hasattr(module, "read") == one.reads
    assert hasattr(module, "write") == one.writes


def test_an_unknown_format_lists_those_there_are() -> None:
    with pytest.raises(SettingError, match=r"formats are coco, .*; got 'excel'"):
        find_format("excel")


def test_a_format_that_is_only_read_or_only_written_says_so(tmp_path: Path) -> None:
    none = Format(name="none", module="none", help="", holds=frozenset(), reads=False, writes=False)

    with pytest.raises(SettingError, match="none is a format that is only written"):
        none.read(tmp_path, log=LossLog())
    with pytest.raises(SettingError, match="none is a format that is only read"):
        none.write([], tmp_path / "out", log=LossLog())
