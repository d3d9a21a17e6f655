"""Pictures and masks over the client: sent once, named by digest, the same as in this process."""

import numpy as np
import pytest

import maskwright as mw
from client_server import CLICK, make_image, png_of
from maskwright.client.picture_files import file_of, image_of
from maskwright.core.errors import (
    ImageError,
    PromptOutsideImage,
    SettingError,
    UnknownImage,
    UnknownModel,
    UnsupportedPrompt,
)
from maskwright.masks import FillHoles, decode


class Counting:
    """Steps of a client, counted by method and path."""

    def __init__(self, client, monkeypatch):
        self.seen, send = [], client._shell._send
        monkeypatch.setattr(client._shell, "_send", lambda asked: (self.seen.append(asked), send(asked))[1])

    @property
    def uploads(self):
        return sum(asked.path == "/v1/images" for asked in self.seen)


def test_a_picture_is_sent_once_and_known_by_its_digest(client, monkeypatch):
    image, counting = make_image(100), Counting(client, monkeypatch)

    sent = client.upload(image)
    again = client.upload(image)
    by_digest = client.upload(image.digest)

    assert (sent.digest, sent.size_hw, sent.is_embedded) == (image.digest, (48, 64), False)
    assert again == by_digest == client.upload(sent) == sent
    assert counting.uploads == 1
    assert np.array_equal(client.picture(sent).pixels, image.pixels)


@pytest.mark.parametrize("kind", ["bytes", "path", "text"])
def test_a_file_is_sent_once_by_its_content(client, monkeypatch, tmp_path, kind):
    image, counting = make_image(101 + len(kind)), Counting(client, monkeypatch)
    path = tmp_path / "photo.png"
    path.write_bytes(png_of(image))
    given = {"bytes": path.read_bytes(), "path": path, "text": str(path)}[kind]

    masks = client.segment(given, [CLICK])
    client.segment(given, [CLICK])
    sent = client.upload(given)

    assert masks[0].image_digest == sent.digest == image.digest
    assert counting.uploads == 1


def test_masks_are_those_of_this_process(client):
    image = make_image(102)
    prompts = [CLICK, mw.CombinedPrompt([mw.BoxPrompt((5, 5, 40, 40)), mw.PointPrompt([(8, 8)], [0])])]
    model = mw.load_model("test-sam")

    found = client.segment(image, prompts, num_masks=2, labels=["cup", None], cleanup=[FillHoles()], refine_steps=1)
    embedding = mw.embed(model, image)
    here = mw.to_records(mw.predict(model, embedding, prompts, num_masks=2))
    plain = client.segment(image, prompts, num_masks=2)

    assert [mask.rle for mask in plain] == [mask.rle for mask in here]
    assert [mask.label for mask in found] == ["cup", "cup", None, None]
    assert {step.name for mask in found for step in mask.provenance.steps} >= {"fill_holes"}
    assert found[0].provenance.prompt == prompts[0]
    assert decode(found[0].rle).shape == (48, 64)


def test_a_picture_that_the_server_let_go_is_sent_again(client, served, monkeypatch):
    image = make_image(103)
    content = png_of(make_image(104))
    client.segment(content, [CLICK])
    client._link.sent.add(next(iter(client._link.sent._digests)), "0" * 64)  # as if it had been let go
    counting = Counting(client, monkeypatch)

    masks = client.segment(content, [CLICK])
    client.segment(image, [CLICK])

    assert masks[0].image_digest == make_image(104).digest
    assert counting.uploads == 2


def test_a_digest_that_the_server_does_not_have_is_an_error(client):
    for do in (client.upload, client.embed, client.picture, lambda digest: client.segment(digest, [CLICK])):
        with pytest.raises(UnknownImage, match="does not have the picture"):
            do("0" * 64)


def test_a_picture_is_encoded_before_the_first_click(client):
    image = make_image(105)

    embedded = client.embed(image, model="test-sam")

    assert embedded == client.upload(image)
    assert embedded.is_embedded


def test_everything_is_found_with_a_preset_and_changes(client):
    settings = {"points_per_side": 2, "pred_iou_thresh": 0.3, "stability_score_thresh": 0.1}

    found = client.everything(make_image(106), preset="fast", settings=settings)

    assert found
    assert all(mask.provenance.prompt is not None and mask.image_digest == make_image(106).digest for mask in found)
    with pytest.raises(SettingError, match="timeout_s must be above 0"):
        client.everything(make_image(106), timeout_s=0)


def test_what_does_not_fit_is_the_error_that_it_is_here(client, tmp_path):
    image = make_image(107)
    with pytest.raises(PromptOutsideImage, match="lies outside the image"):
        client.segment(image, [mw.PointPrompt([(200, 20)])])
    with pytest.raises(UnsupportedPrompt):
        client.segment(image, [mw.TextPrompt("a cup")])
    with pytest.raises(UnknownModel, match="sam9"):
        client.segment(image, [CLICK], model="sam9")
    with pytest.raises(ImageError, match="not a picture"):
        client.upload(b"no picture")
    with pytest.raises(ImageError, match=r"cannot be read \(No such file or directory\): .*missing.png"):
        client.upload(tmp_path / "missing.png")


@pytest.mark.parametrize("is_near", [True, False])
def test_pixels_travel_without_loss(client, is_near):
    image = make_image(108 + is_near, 31, 17)

    sent = client.upload(file_of(image, is_near=is_near))

    assert sent.digest == image.digest
    if not is_near:
        assert image_of(file_of(image, is_near=False)).digest == image.digest
