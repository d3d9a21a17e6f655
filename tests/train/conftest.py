import pytest
import torch

from maskwright.train.assets import AssetPack, Catalogue, bleed, halved, quartered


@pytest.fixture(scope="session")
def pack() -> AssetPack:
    """Three coloured discs with a part each, and four materials: enough to paint scenes without any download."""
    axis = torch.linspace(-1, 1, 192)
    disc = ((axis[None] ** 2 + axis[:, None] ** 2) < 0.8).to(torch.uint8)
    part = ((axis[None] > 0.2) * disc).to(torch.uint8)
    colours = torch.tensor([[220, 40, 30], [30, 160, 60], [60, 80, 220]], dtype=torch.uint8)
    sprites = torch.stack([torch.cat([c[:, None, None] * disc, 255 * disc[None], part[None]]) for c in colours])
    generator = torch.Generator().manual_seed(0)
    materials = torch.randint(0, 255, (4, 3, 64, 64), generator=generator, dtype=torch.uint8)
    sprites = bleed(sprites)
    return AssetPack(
        sprites=sprites,
        small_sprites=halved(sprites),
        sprite_weights=torch.full((3,), 1 / 3),
        materials=materials,
        small_materials=quartered(materials),
        num_textures=2,
        catalogue=Catalogue(
            sprite_words=(("ball", "toy"), ("bowl",), ()),
            sprite_weights=(0.4, 0.3, 0.3),
            sprite_widths=(0.9, 0.9, 0.9),
            material_words=("wood", None, None, None),
        ),
    )
