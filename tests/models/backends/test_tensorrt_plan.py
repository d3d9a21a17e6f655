import pytest

from maskwright.core.errors import SettingError
from maskwright.models.backends.onnx_file import read_onnx
from maskwright.models.backends.tensorrt_plan import DATACENTRE, ORIN, check_built_for, profile_for


def test_the_profile_is_chosen_by_the_gpus_name():
    assert profile_for("Orin (nvgpu)") is ORIN
    assert profile_for("NVIDIA H100 80GB HBM3") is DATACENTRE


def test_a_profile_gives_least_usual_and_most_of_what_varies(exported):
    parts = read_onnx(exported).manifest.parts

    assert ORIN.shapes(parts["encoder"]) == {"images": ((1, 3, 128, 128), (1, 3, 128, 128), (2, 3, 128, 128))}
    decoder = DATACENTRE.shapes(parts["decoder"])
    assert decoder["point_coords"] == ((1, 0, 2), (16, 2, 2), (128, 20, 2))
    assert decoder["mask_input"] == ((1, 1, 32, 32), (1, 1, 32, 32), (128, 1, 32, 32))
    assert decoder["image_embeddings"] == ((1, 32, 8, 8), (4, 32, 8, 8), (32, 32, 8, 8))


def test_a_plan_for_another_gpu_is_refused(exported, tmp_path):
    import dataclasses

    built = {"gpu": "Orin", "capability": "8.7", "tensorrt": "10.3.0", "profile": "orin"}
    manifest = dataclasses.replace(read_onnx(exported).manifest, built_for=built)

    check_built_for(manifest, {"gpu": "Orin", "capability": "8.7", "tensorrt": "10.3.0"}, tmp_path)
    with pytest.raises(SettingError) as told:
        check_built_for(manifest, {"gpu": "NVIDIA L4", "capability": "8.9", "tensorrt": "10.3.0"}, tmp_path)

    assert str(told.value) == (
        "the plan was built for Orin with TensorRT 10.3.0; here is NVIDIA L4 with TensorRT 10.3.0. Build it here: "
        f"maskwright models export test-sam --to tensorrt: {tmp_path}"
    )
