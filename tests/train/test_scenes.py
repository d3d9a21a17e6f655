import torch

from maskwright.models.tiny.vocabulary import COLOURS, WORDS
from maskwright.train.assets import AssetPack
from maskwright.train.backgrounds import BACKGROUNDS
from maskwright.train.dice import Dice
from maskwright.train.photometry import jpeg, photograph
from maskwright.train.plan import HARD_MIX
from maskwright.train.scenes import paint, paint_plans
from maskwright.train.shapes import SHAPE_KINDS, shape_field


def test_one_seed_paints_one_scene(pack: AssetPack) -> None:
    first, second = (paint(Dice(7), pack, batch=3, side=96) for _ in range(2))

    assert torch.equal(first.pictures, second.pictures)
    assert torch.equal(first.visible, second.visible)
    assert torch.equal(first.parts, second.parts)
    assert first.words is not None
    assert second.words is not None
    assert torch.equal(first.words, second.words)


def test_another_seed_paints_another_scene(pack: AssetPack) -> None:
    first, second = (paint(Dice(seed), pack, batch=1, side=64) for seed in (1, 2))

    assert not torch.equal(first.pictures, second.pictures)


def test_no_pixel_belongs_to_two_objects(pack: AssetPack) -> None:
    scenes = paint(Dice(3), pack, batch=6, side=96)

    assert float(scenes.visible.sum(1).max()) <= 1 + 1e-5
    assert int((scenes.visible > 0.5).sum(1).max()) <= 1


def test_nothing_is_visible_beyond_the_pictures_extent(pack: AssetPack) -> None:
    scenes = paint(Dice(5), pack, batch=8, side=64)

    for extent, visible in zip(scenes.extent, scenes.visible, strict=True):
        rows, columns = (round(float(share) * 32) for share in extent)
        assert float(visible[:, rows + 1 :].sum() + visible[:, :, columns + 1 :].sum()) == 0


def test_words_and_occlusion_belong_to_the_objects_that_are_there(pack: AssetPack) -> None:
    scenes, contents = paint_plans(Dice(4), pack, batch=8, side=128, max_objects=8, mix=HARD_MIX)
    assert scenes.words is not None
    assert scenes.occlusion is not None

    assert float(scenes.occlusion.min()) >= -1e-5
    assert float(scenes.occlusion.max()) <= 1
    for index, objects in enumerate(contents):
        for layer, one in enumerate(objects):
            said = {WORDS[word] for word in scenes.words[index, layer].tolist() if word >= 0}
            assert {*one.names, *one.materials} == said - set(COLOURS)
            assert len(said & set(COLOURS)) <= ("transparent" not in said)
        assert (scenes.words[index, len(objects) :] == -1).all()
        assert float(scenes.visible[index, len(objects) :].sum()) == 0


def test_every_shape_and_every_background_is_drawn_and_finite(pack: AssetPack) -> None:
    axis = torch.linspace(-3, 3, 48)
    u, v = axis[None, None].expand(4, 48, 48), axis[None, :, None].expand(4, 48, 48)
    for kind in SHAPE_KINDS:
        field, _ = shape_field(Dice(0), kind, u, v)
        assert bool(torch.isfinite(field).all()), kind
        assert float(field.max()) > 0, kind
        assert float(field[:, 0].max()) < 0, f"{kind} reaches beyond its coordinates"

    scenes = paint(Dice(0), pack, batch=12 * len(BACKGROUNDS), side=32, max_objects=2)
    assert bool(torch.isfinite(scenes.pictures).all())


def test_a_photograph_is_of_the_scene_and_within_range(pack: AssetPack) -> None:
    scenes = paint(Dice(11), pack, batch=4, side=96)

    photographs = photograph(Dice(1), scenes.pictures)

    assert float(photographs.min()) >= 0
    assert float(photographs.max()) <= 1
    for scene, photo in zip(scenes.pictures, photographs, strict=True):
        both = torch.stack([scene.mean(0).flatten(), photo.mean(0).flatten()])
        assert float(torch.corrcoef(both)[0, 1]) > 0.5


def test_jpeg_changes_a_smooth_picture_by_little() -> None:
    ramp = torch.linspace(0.2, 0.8, 64)[None, None, None].expand(2, 3, 64, 64).contiguous()

    assert float((jpeg(Dice(0), ramp) - ramp).abs().mean()) < 0.02
