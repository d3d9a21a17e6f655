import hashlib
import io
import json
import os
import pickle
import sys
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from maskwright.core.errors import CheckpointError
from maskwright.models import build_model, load_model
from maskwright.models.checkpoint import architecture_of, read_checkpoint, to_our_names
from maskwright.models.loading import _entry_for, load_into
from maskwright.models.protocol import FramePrompts
from maskwright.models.registry import ENTRIES, find_entry
from maskwright.models.test_sam.model import fixed_tensor

DATA = Path(__file__).with_name("data")
HQ_ONLY = tuple(
    f"mask_decoder.{part}."
    for part in ("hf_token", "hf_mlp", "compress_vit_feat", "embedding_encoder", "embedding_maskfeature")
)


@pytest.fixture(scope="module")
def model():
    return load_model("test-sam")


@pytest.fixture(scope="module")
def state(model):
    return dict(model.state_dict())


def fake_state(name: str) -> dict[str, torch.Tensor]:
    """Zeros of a full-size architecture's names and shapes, one element of memory each."""
    with torch.device("meta"):
        network = build_model(name)
    return {key: torch.zeros(()).expand(value.shape) for key, value in network.state_dict().items()}


@pytest.mark.parametrize(
    "wrap",
    [
        lambda s: s,
        lambda s: {"model": s, "optimizer": {"state": {}}, "epoch": 3},
        lambda s: {"state_dict": {f"module.{k}": v for k, v in s.items()}},
        lambda s: {"model": {f"sam._orig_mod.{k}": v for k, v in s.items()}},
        lambda s: {**s, "pixel_mean": torch.zeros(3, 1, 1), "pixel_std": torch.ones(3, 1, 1)},
    ],
    ids=["plain", "training checkpoint", "data parallel", "compiled inside a wrapper", "with derived buffers"],
)
def test_a_state_dict_is_found_in_what_training_scripts_save(tmp_path, state, wrap):
    path = tmp_path / "mine.pth"
    torch.save(wrap(state), path)

    loaded = load_model(path)

    assert loaded.card.name == "test-sam"
    assert loaded.card.licence.startswith("unknown")
    assert all(torch.equal(value, state[key]) for key, value in loaded.state_dict().items())


def test_the_legacy_format_and_safetensors_load_too(tmp_path, state):
    legacy, safe = tmp_path / "old.pt", tmp_path / "new.safetensors"
    torch.save(state, legacy, _use_new_zipfile_serialization=False)
    save_file({key: value.clone() for key, value in state.items()}, safe)

    for path in (legacy, safe):
        assert all(torch.equal(value, state[key]) for key, value in load_model(path).state_dict().items())


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_low_memory_leaves_the_weights_in_the_file(tmp_path, state, suffix):
    path = tmp_path / f"mine{suffix}"
    torch.save(state, path) if suffix == ".pth" else save_file({k: v.clone() for k, v in state.items()}, path)

    copied, mapped = load_model(path), load_model(path, low_memory=True)

    picture = torch.rand(1, 3, copied.frame.side, copied.frame.side)
    with torch.no_grad():
        assert torch.equal(mapped.encode(picture).image_embedding, copied.encode(picture).image_embedding)
    assert all(lies_in(path, one.data_ptr()) for one in mapped.parameters())
    assert not any(lies_in(path, one.data_ptr()) for one in copied.parameters())


def lies_in(path, address):
    """Whether an address of this process is in a mapping of the file."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        start, stop = (int(end, 16) for end in line.split()[0].split("-"))
        if start <= address < stop:
            return line.endswith(str(path))
    return False


def test_low_memory_keeps_the_models_numbers_where_the_files_are_others(tmp_path, state):
    path = tmp_path / "half.safetensors"
    save_file({k: v.half() if v.is_floating_point() else v.clone() for k, v in state.items()}, path)

    model = load_model(path, low_memory=True)

    assert model.precision == torch.float32
    assert {one.dtype for one in model.parameters()} == {torch.float32}


def test_what_low_memory_cannot_do_is_told(tmp_path, state, monkeypatch, caplog):
    path = tmp_path / "old.pt"
    torch.save(state, path, _use_new_zipfile_serialization=False)
    monkeypatch.setenv("MASKWRIGHT_LOW_MEMORY", "1")

    load_model(path)

    assert "torch's old format" in caplog.text


def test_the_sha256_of_the_file_is_recorded(tmp_path, state):
    path = tmp_path / "mine.pth"
    torch.save(state, path)

    loaded = load_model(path)

    assert loaded.checkpoint_sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("layout", ["sam", "sam_hq"])
def test_every_name_of_transformers_has_ours(layout, state):
    shapes = json.loads((DATA / "transformers_names.json").read_text())[layout]

    ours = to_our_names({name: torch.zeros(shape) for name, shape in shapes.items()})

    sams = {name: value for name, value in ours.items() if not name.startswith(HQ_ONLY)}
    assert {name: value.shape for name, value in sams.items()} == {name: v.shape for name, v in state.items()}
    assert len(ours) - len(sams) == (25 if layout == "sam_hq" else 0)


def test_a_model_of_transformers_gives_the_same_masks_here(tmp_path):
    pytest.importorskip("transformers")
    sys.path.insert(0, str(DATA))
    try:
        from make_transformers_names import transformers_sam
    finally:
        sys.path.remove(str(DATA))

    theirs = transformers_sam().eval()
    drawn = {name: torch.from_numpy(fixed_tensor(name, tuple(v.shape))) for name, v in theirs.state_dict().items()}
    drawn["prompt_encoder.shared_embedding.positional_embedding"] = drawn["shared_image_embedding.positional_embedding"]
    theirs.load_state_dict(drawn)
    theirs.save_pretrained(tmp_path)
    ours = load_model(tmp_path / "model.safetensors")
    pixels = torch.randn(1, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    points = torch.tensor([[40.0, 30.0], [100.0, 90.0]])

    with torch.no_grad():
        expected = theirs(
            pixel_values=pixels,
            input_points=points[None, None],
            input_labels=torch.ones(1, 1, 2, dtype=torch.long),
            multimask_output=True,
        )
        padded = torch.cat([points, torch.zeros(1, 2)])[None]  # transformers adds the padding point itself
        prompts = FramePrompts(points=padded, labels=torch.tensor([[1, 1, -1]]))
        got = ours.decode(ours.encode(pixels), prompts, multimask=True)

    # transformers' decoder norms use an epsilon of 1e-6, the published code 1e-5.
    scale = float(expected.pred_masks.abs().max())
    torch.testing.assert_close(got.logits[0], expected.pred_masks[0, 0], rtol=0, atol=1e-4 * scale)
    torch.testing.assert_close(got.predicted_iou[0], expected.iou_scores[0, 0], rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", [card.card.name for card in ENTRIES])
def test_every_architecture_is_known_by_its_checkpoint(name):
    found = architecture_of(fake_state(name), ENTRIES)

    assert name in [entry.card.name for entry in found]
    assert len({str(entry.signature) for entry in found}) == 1


def test_another_architecture_is_named(tmp_path):
    path = tmp_path / "sam_vit_b_01ec64.pth"
    torch.save(fake_state("vit_l"), path)
    with torch.device("meta"):
        network = build_model("vit_b")

    with pytest.raises(CheckpointError, match=r"expected a checkpoint of vit_b, got one of vit_l\. Load it as vit_l"):
        load_into(network, path)


def test_missing_and_unexpected_names_are_counted_and_the_first_shown(tmp_path, state):
    broken = {key: value for key, value in state.items() if "transformer" not in key}
    path = tmp_path / "mine.pth"
    torch.save({**broken, "extra.weight": torch.zeros(1)}, path)

    with pytest.raises(CheckpointError) as caught:
        load_model(path)

    message = str(caught.value)
    assert "does not fit test-sam" in message
    assert "missing (mask_decoder.transformer.final_attn_token_to_image.k_proj.bias" in message
    assert "more); 1 unexpected (extra.weight)" in message
    assert message.endswith(str(path))
    assert "\n" not in message


def test_another_shape_is_named(tmp_path, state):
    path = tmp_path / "mine.pth"
    torch.save({**state, "mask_decoder.iou_token.weight": torch.zeros(2, 32)}, path)

    with pytest.raises(CheckpointError, match=r"mask_decoder\.iou_token\.weight must have shape 1x32, got 2x32"):
        load_model(path)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_numbers_are_refused(tmp_path, state, value):
    path = tmp_path / "mine.pth"
    torch.save({**state, "mask_decoder.iou_token.weight": torch.full((1, 32), value)}, path)

    with pytest.raises(CheckpointError, match=r"NaN or infinity in mask_decoder\.iou_token\.weight"):
        load_model(path)


class Payload:
    """What an attacker puts into a pickle."""

    def __reduce__(self):
        return os.system, ("echo this must never run",)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_payload_is_refused_and_not_run(tmp_path, state, zipped, capfd):
    path = tmp_path / "evil.pth"
    torch.save({**state, "bomb": Payload()}, path, _use_new_zipfile_serialization=zipped)

    with pytest.raises(CheckpointError, match=r"could run code \(posix\.system\), and was not loaded"):
        load_model(path)

    assert "never run" not in capfd.readouterr().out


def test_a_plain_pickle_is_refused_and_not_run(tmp_path, capfd):
    path = tmp_path / "evil.pt"
    path.write_bytes(pickle.dumps({"a": Payload()}))

    with pytest.raises(CheckpointError, match=r"evil\.pt$"):
        load_model(path)

    assert "never run" not in capfd.readouterr().out


@pytest.mark.parametrize("kind", ["zip", "legacy", "safetensors"])
@pytest.mark.parametrize("keep", [0.2, 0.7, 0.999])
def test_a_truncated_file_says_so(tmp_path, state, kind, keep):
    file = io.BytesIO()
    if kind == "safetensors":
        save_file({key: value.clone() for key, value in state.items()}, tmp_path / "whole")
        whole = (tmp_path / "whole").read_bytes()
    else:
        torch.save(state, file, _use_new_zipfile_serialization=kind == "zip")
        whole = file.getvalue()
    path = tmp_path / "cut.pth"
    path.write_bytes(whole[: int(len(whole) * keep)])

    with pytest.raises(CheckpointError, match=r"truncated or damaged .*cut\.pth$"):
        load_model(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the checkpoint is empty"),
        (b"\xff\xd8\xff\xe0 a photograph", "got a file that starts with"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "Git LFS pointer"),
        (b"<!DOCTYPE html><html>", "web page"),
        (b"{'json': 1}" * 20, "got a file that starts with"),
    ],
)
def test_what_is_not_a_checkpoint_is_called_what_it_is(tmp_path, content, message):
    path = tmp_path / "thing.pth"
    path.write_bytes(content)

    with pytest.raises(CheckpointError, match=message):
        load_model(path)


def test_other_archives_and_torchscript_are_called_what_they_are(tmp_path):
    for member, what in (("hello.txt", "another zip archive"), ("code/constants.pkl", "a TorchScript program")):
        path = tmp_path / "thing.pth"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(member, "x")
            archive.writestr("x/y/" + member, "x")

        with pytest.raises(CheckpointError, match=f"expected a state dict saved by torch, got {what}"):
            read_checkpoint(path)


def test_a_file_without_tensors_and_a_state_of_another_network_are_refused(tmp_path):
    path = tmp_path / "thing.pth"
    torch.save({"epoch": 3, "lr": 0.1}, path)
    with pytest.raises(CheckpointError, match="got a file without one"):
        load_model(path)

    torch.save({"layer.weight": torch.zeros(3)}, path)
    with pytest.raises(CheckpointError, match=r"expected a checkpoint of one of tiny, vit_b, .*, got other parameters"):
        load_model(path)


def test_a_missing_file_and_a_folder_are_told_apart(tmp_path):
    with pytest.raises(CheckpointError, match="got no file"):
        load_model(tmp_path / "absent.pth")
    with pytest.raises(CheckpointError, match="got a folder"):
        load_model(tmp_path)


def test_a_file_called_as_published_gets_the_published_card(tmp_path):
    entry = find_entry("medsam")
    state = fake_state("medsam")
    found = architecture_of(state, ENTRIES)

    assert [e.card.name for e in found] == ["vit_b", "medsam"]
    assert _entry_for(tmp_path / "medsam_vit_b.pth", found) is entry
    assert _entry_for(tmp_path / "fine_tuned.pth", found).card.name == "vit_b"
