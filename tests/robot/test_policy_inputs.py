import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as PillowImage

from maskwright.core.errors import InputError, MaskError, RecordError, SettingError
from maskwright.core.image import FrameRef
from maskwright.masks import encode
from maskwright.robot.policy_background import Backdrops, _chance
from maskwright.robot.policy_cloud import masked_cloud
from maskwright.robot.policy_crop import cut_mask, cut_pixels, find_window
from maskwright.robot.policy_inputs import make_inputs
from maskwright.robot.policy_patches import patch_shares
from maskwright.robot.policy_recipe import (
    BlurredBackground,
    CloudRule,
    ConstantBackground,
    CropRule,
    NoiseBackground,
    PatchRule,
    PictureBackground,
    PolicyRecipe,
)
from robot_data import picture

REF = FrameRef(dataset="d", episode="episode_000003", camera="front", frame_index=4)


def scene(size_hw=(60, 80)):
    """A noisy frame, a mug and a bin."""
    pixels = np.random.default_rng(0).integers(0, 255, (*size_hw, 3), np.uint8)
    mug, bin_ = np.zeros(size_hw, bool), np.zeros(size_hw, bool)
    mug[20:30, 30:50] = True
    bin_[40:60, 60:80] = True
    return pixels, {"mug": mug, "bin": bin_}


def recipe(**facts):
    return PolicyRecipe(slots=("bin", "mug"), **facts)


def test_each_slot_has_a_crop_around_the_centroid_of_its_object():
    pixels, masks = scene()

    made = make_inputs(pixels, masks, recipe(crop=CropRule(margin=0.5), size_hw=(32, 32)))

    assert [view.name for view in made.views] == ["bin", "mug"]
    assert made.view("mug").window_xyxy == (25, 10, 55, 40)  # 20 wide, half of its reach more on each side
    assert made.view("bin").window_xyxy == (55, 35, 85, 65)  # leaves the frame
    assert all(view.pixels.shape == (32, 32, 3) and view.is_present for view in made.views)
    assert made.present.tolist() == [True, True]


def test_a_window_of_fixed_height_cuts_pixels_without_scaling_them():
    pixels, masks = scene()

    made = make_inputs(pixels, masks, recipe(crop=CropRule(side_px=20), size_hw=(20, 30)))

    x1, y1, x2, y2 = made.view("mug").window_xyxy
    assert (x2 - x1, y2 - y1) == (30, 20)
    assert (made.view("mug").pixels == pixels[y1:y2, x1:x2]).all()


@pytest.mark.parametrize(
    ("padding", "outside"),
    [("constant", lambda pixels: np.full((10, 3), (9, 8, 7))), ("edge", lambda pixels: pixels[59, 60:70])],
)
def test_what_lies_outside_the_frame_is_padded_by_rule(padding, outside):
    pixels, masks = scene()
    rule = CropRule(side_px=30, padding=padding)

    made = make_inputs(pixels, masks, recipe(crop=rule, size_hw=(30, 30), fill_rgb=(9, 8, 7)))

    view = made.view("bin")
    assert view.window_xyxy == (55, 35, 85, 65)
    assert (view.pixels[29, 5:15] == outside(pixels)).all()


def test_a_window_is_shifted_inside_where_asked():
    pixels, masks = scene()

    made = make_inputs(pixels, masks, recipe(crop=CropRule(side_px=30, padding="shift"), size_hw=(30, 30)))

    assert made.view("bin").window_xyxy == (50, 30, 80, 60)


def test_an_object_that_is_not_there_gives_an_empty_crop_with_a_flag():
    pixels, masks = scene()
    whole = recipe(crop=CropRule(), size_hw=(16, 16), channels=True, patches=PatchRule(side_px=8), fill_rgb=(1, 2, 3))

    for absent in (None, np.zeros((60, 80), bool)):
        made = make_inputs(pixels, {**masks, "mug": absent}, whole)
        view = made.view("mug")
        assert made.present.tolist() == [True, False]
        assert not view.is_present
        assert view.window_xyxy == (0, 0, 0, 0)
        assert (view.pixels == (1, 2, 3)).all()
        assert not view.channels.any()
        assert not view.shares.any()


def test_masks_are_channels_in_the_order_of_the_slots_and_an_absent_one_is_zeros():
    pixels, masks = scene()

    whole = make_inputs(pixels, {"mug": encode(masks["mug"])}, recipe(channels=True)).view("frame")

    stacked = whole.stacked()
    assert stacked.shape == (60, 80, 5)
    assert (stacked[:, :, :3] == pixels).all()
    assert not stacked[:, :, 3].any()  # the bin's
    assert (stacked[:, :, 4] == masks["mug"] * 255).all()


def test_a_background_is_put_behind_all_objects_and_what_is_kept_besides():
    pixels, masks = scene()
    hand = np.zeros((60, 80), bool)
    hand[0:5, 0:5] = True
    chosen = recipe(background=ConstantBackground(colour_rgb=(5, 6, 7)), keeps=("hand",))

    seen = make_inputs(pixels, {**masks, "hand": hand}, chosen).view("frame").pixels

    kept = masks["mug"] | masks["bin"] | hand
    assert (seen[kept] == pixels[kept]).all()
    assert (seen[~kept] == (5, 6, 7)).all()


def test_a_blur_changes_what_is_no_object_alone():
    pixels, masks = scene()

    seen = make_inputs(pixels, masks, recipe(background=BlurredBackground(sigma_px=4))).view("frame").pixels

    kept = masks["mug"] | masks["bin"]
    assert (seen[kept] == pixels[kept]).all()
    assert seen[~kept].std() < pixels[~kept].std() / 3


@pytest.mark.parametrize("changes", ["episode", "frame"])
def test_noise_follows_from_the_seed_and_the_place_of_the_frame(changes):
    pixels, masks = scene()
    other = FrameRef(dataset="elsewhere", episode="episode_000003", camera="front", frame_index=5)

    def seen(seed, ref):
        background = NoiseBackground(seed=seed, changes=changes)
        return make_inputs(pixels, masks, recipe(background=background), ref=ref).view("frame").pixels

    assert (seen(1, REF) == seen(1, REF)).all()
    assert (seen(1, REF) != seen(2, REF)).any()
    assert (seen(1, REF) == seen(1, other)).all() == (changes == "episode")


def test_what_is_drawn_by_chance_is_the_same_on_every_machine():
    assert _chance(3, "episode", REF, "frame", 8).tolist() == [94, 2, 107, 21, 157, 32, 93, 20]


def test_parts_of_other_pictures_are_put_behind_and_others_than_the_recipes_are_refused(tmp_path):
    pixels, masks = scene()
    for number in range(3):
        PillowImage.fromarray(picture(number, size_hw=(40, 200))).save(tmp_path / f"{number}.png")
    backdrops = Backdrops.read(tmp_path)
    chosen = recipe(background=PictureBackground(digest=backdrops.digest))

    seen = make_inputs(pixels, masks, chosen, ref=REF, backdrops=backdrops).view("frame").pixels

    behind = seen[~(masks["mug"] | masks["bin"])]
    assert any((behind == picture(number)[0, 0]).all() for number in range(3))
    with pytest.raises(SettingError, match=r"give them: backdrops=Backdrops\.read\(folder\)"):
        make_inputs(pixels, masks, chosen, ref=REF)
    (tmp_path / "0.png").unlink()
    with pytest.raises(SettingError, match="others than the recipe means: expected those of digest"):
        make_inputs(pixels, masks, chosen, ref=REF, backdrops=Backdrops.read(tmp_path))
    with pytest.raises(InputError, match="there is no picture to put behind objects"):
        Backdrops.read(tmp_path / "nowhere")


def test_patches_tell_how_much_of_them_each_mask_covers():
    pixels, masks = scene((64, 80))
    rule = PatchRule(side_px=16, threshold=0.5)

    view = make_inputs(pixels, masks, recipe(patches=rule)).view("frame")

    assert view.shares.shape == (2, 4, 5)
    by_hand = masks["mug"].reshape(4, 16, 5, 16).mean(axis=(1, 3))
    assert np.allclose(view.shares[1], by_hand, atol=1e-6)
    assert (view.attended(rule)[1] == (by_hand >= 0.5)).all()
    with pytest.raises(SettingError, match="patches of 16 pixels must fill the picture, got 60 x 80"):
        make_inputs(*scene(), recipe(patches=rule))


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 17), st.integers(0, 2**32))
def test_shares_of_patches_are_exact_for_any_side(rows, columns, side, seed):
    masks = (np.random.default_rng(seed).random((rows * side, columns * side, 2)) < 0.4).astype(np.uint8) * 255

    shares = patch_shares(masks, PatchRule(side_px=side))

    counts = (masks > 0).reshape(rows, side, columns, side, 2).sum(axis=(1, 3)).transpose(2, 0, 1)
    assert (shares == counts.astype(np.float32) / np.float32(side * side)).all()


def test_points_are_metres_in_front_of_a_pinhole():
    depth = np.full((60, 80), 2.0, np.float32)
    depth[22] = np.nan
    depth[23] = 0
    pixels, masks = scene()
    rule = CloudRule(fx=100, fy=50, cx=40, cy=25, num_points=500, has_colour=True)

    cloud, num_read = masked_cloud(depth, masks["mug"], rule, pixels=pixels)

    assert num_read == 8 * 20
    assert cloud.shape == (500, 6)
    assert np.allclose(cloud[0, :3], [(30 - 40) * 2 / 100, (20 - 25) * 2 / 50, 2])
    assert np.allclose(cloud[0, 3:], pixels[20, 30] / 255)
    assert len(np.unique(cloud, axis=0)) == num_read  # given again and again
    assert not masked_cloud(depth, np.zeros((60, 80), bool), rule, pixels=pixels)[0].any()
    with pytest.raises(InputError, match="depth must have the size of the mask"):
        masked_cloud(depth[1:], masks["mug"], rule, pixels=pixels)


def test_clouds_are_one_a_slot_and_want_depth():
    pixels, masks = scene()
    chosen = recipe(cloud=CloudRule(fx=1, fy=1, cx=0, cy=0, num_points=7))

    made = make_inputs(pixels, {"mug": masks["mug"]}, chosen, depth_m=np.ones((60, 80), np.float32))

    assert made.clouds.shape == (2, 7, 3)
    assert not made.clouds[0].any()
    assert (made.clouds[1][:, 2] == 1).all()
    with pytest.raises(InputError, match="point clouds need depth, and the frame has none"):
        make_inputs(pixels, masks, chosen)


def test_a_mask_of_another_size_is_refused():
    pixels, masks = scene()

    with pytest.raises(InputError, match=r"the mask of 'mug' has the size \(30, 40\) \(h, w\), its frame \(60, 80\)"):
        make_inputs(pixels, {"mug": masks["mug"][::2, ::2]}, recipe())
    with pytest.raises(MaskError, match="must be bool"):
        make_inputs(pixels, {"mug": masks["mug"].astype(np.uint8)}, recipe())


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32))
def test_pixels_and_masks_are_cut_by_one_rule(height, width, seed):
    """A mask of half the frame, drawn into the frame too, stays on its pixels whatever the window."""
    rng = np.random.default_rng(seed)
    mask = np.zeros((50, 70), bool)
    y, x = rng.integers(0, 40), rng.integers(0, 60)
    mask[y : y + 10, x : x + 10] = True
    pixels = np.repeat(mask[:, :, None], 3, axis=2).astype(np.uint8) * 255
    window = find_window(mask, CropRule(margin=1), (height, width))

    seen = cut_pixels(pixels, window, (height, width), padding="constant", fill_rgb=(0, 0, 0))[:, :, 0]
    cut = cut_mask(mask, window, (height, width))

    assert set(np.unique(cut)) <= {0, 255}
    assert (seen[cut > 0] > 0).all()  # what is the object's shows some of it
    assert (seen[cut == 0] < 255).all() or not (seen[cut == 0] == 255).sum() > 2 * (height + width)


RECIPES = (
    recipe(),
    recipe(crop=CropRule(side_px=30, padding="edge"), size_hw=(224, 224), channels=True, keeps=("hand",)),
    recipe(background=ConstantBackground(), patches=PatchRule(), several="largest"),
    recipe(background=BlurredBackground(sigma_px=3)),
    recipe(background=NoiseBackground(seed=4, changes="frame"), cloud=CloudRule(fx=1, fy=2, cx=3, cy=4, max_m=2)),
    recipe(background=PictureBackground(digest="d", seed=2)),
)


@pytest.mark.parametrize("chosen", RECIPES)
def test_a_recipe_travels_as_json(chosen, tmp_path):
    (tmp_path / "policy_recipe.json").write_text(chosen.to_text())

    assert PolicyRecipe.from_text(chosen.to_text()) == PolicyRecipe.read(tmp_path) == chosen


def test_a_recipe_that_is_none_is_refused(tmp_path):
    (tmp_path / "broken.json").write_text('{"slots": ["mug"], "colour": 3}')

    with pytest.raises(RecordError, match="a recipe is JSON, and this is none"):
        PolicyRecipe.from_text("mug")
    with pytest.raises(InputError, match="unknown field colour"):
        PolicyRecipe.read(tmp_path / "broken.json")
    with pytest.raises(InputError, match=r"there is no policy_recipe\.json"):
        PolicyRecipe.read(tmp_path)


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ({"slots": ()}, "at least one slot"),
        ({"slots": ("mug", "mug")}, "got 'mug' twice"),
        ({"slots": ("mug",), "keeps": ("mug",)}, "has a slot and is kept in any case"),
        ({"slots": ("mug",), "crop": CropRule()}, "crops need a size"),
        ({"slots": ("mug",), "size_hw": (0, 4)}, "pictures have 1 to 4096 pixels"),
        ({"slots": ("mug",), "size_hw": (224, 225), "patches": PatchRule()}, "must fill the picture"),
        ({"slots": ("mug",), "fill_rgb": (0, 0, 256)}, "a colour is red, green and blue from 0 to 255"),
    ],
)
def test_parts_of_a_recipe_that_do_not_fit_are_refused(facts, told):
    with pytest.raises(SettingError, match=told):
        PolicyRecipe(**facts)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: CropRule(margin=-1), "the margin of a crop"),
        (lambda: CropRule(side_px=0), "the window of a crop"),
        (lambda: CropRule(padding="mirror"), "padding is one of constant, edge, shift"),
        (lambda: BlurredBackground(sigma_px=0), "a blur has a width"),
        (lambda: NoiseBackground(cell_px=0), "the cells of noise"),
        (lambda: PatchRule(side_px=0), "a patch has 1 to 512 pixels"),
        (lambda: PatchRule(threshold=0), "the threshold of patches"),
        (lambda: CloudRule(fx=0, fy=1, cx=0, cy=0), "focal lengths"),
        (lambda: CloudRule(fx=1, fy=1, cx=0, cy=0, num_points=0), "at least 1 point"),
    ],
)
def test_rules_that_cannot_be_are_refused(make, told):
    with pytest.raises(SettingError, match=told):
        make()


def test_what_was_not_asked_for_is_told():
    view = make_inputs(*scene(), recipe()).view("frame")

    with pytest.raises(InputError, match="ask for them with channels=True"):
        view.stacked()
    with pytest.raises(InputError, match="ask for them with patches="):
        view.attended(PatchRule())
    with pytest.raises(InputError, match="no view is called 'mug'; there are frame"):
        make_inputs(*scene(), recipe()).view("mug")
