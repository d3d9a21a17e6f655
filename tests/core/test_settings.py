from pathlib import Path

import pytest

from maskwright.core import settings
from maskwright.core.errors import SettingError


def test_every_setting_has_a_default_that_its_own_parser_would_not_refuse():
    for setting in settings.SETTINGS:
        assert setting.get({}) is not None
        assert setting.help.endswith(".")
        assert setting.env.startswith("MASKWRIGHT_")


def test_an_empty_variable_means_the_default():
    assert settings.MODEL.get({"MASKWRIGHT_MODEL": " "}) == "tiny"


def test_folders_expand_the_home_sign():
    assert settings.WEIGHTS.get({"MASKWRIGHT_WEIGHTS": "~/w"}) == Path.home() / "w"


@pytest.mark.parametrize("text", ["2e9", "2_000_000_000", "2000000000"])
def test_byte_counts_may_be_written_as_people_write_them(text):
    assert settings.CACHE_BYTES.get({"MASKWRIGHT_CACHE_BYTES": text}) == 2_000_000_000


@pytest.mark.parametrize("text", ["0", "-1", "many", "1.5", "nan", "inf"])
def test_an_impossible_count_is_an_error_that_names_the_variable(text):
    with pytest.raises(SettingError, match="MASKWRIGHT_CACHE_BYTES must be a positive whole number of bytes"):
        settings.CACHE_BYTES.get({"MASKWRIGHT_CACHE_BYTES": text})


def test_an_unknown_precision_lists_the_known_ones():
    with pytest.raises(SettingError, match="one of auto, fp32, bf16, fp16, got 'int4'"):
        settings.PRECISION.get({"MASKWRIGHT_PRECISION": "int4"})


@pytest.mark.parametrize(("text", "value"), [("1", True), ("off", False), ("YES", True)])
def test_claims_read_the_usual_words(text, value):
    assert settings.DEBUG.get({"MASKWRIGHT_DEBUG": text}) is value
