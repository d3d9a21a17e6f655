"""The asset pack: cut-outs with alpha and textures, as pictures in one safetensors file, and how it is made.

A pack holds compressed pictures (WebP), one row each of kind, source and licence, so that whoever trains knows what the
weights have seen. `python -m maskwright.train.assets OUT KIND=FOLDER ...` makes one; kinds are listed in `SPRITE_KINDS` and
`TEXTURE_KINDS`. Parts of a cut-out are found by colour once, when a pack is opened.
"""

import argparse
import io
import json
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image as PillowImage
from safetensors import safe_open
from safetensors.numpy import save_file
from torch import Tensor

from maskwright.core.errors import MaskwrightError

SPRITE_SIDE, TEXTURE_SIDE = 192, 512
# How often a cut-out of each kind is drawn: what looks like a photographed object more often than what looks drawn.
SPRITE_KINDS = {"emoji": 0.34, "render": 0.33, "icon": 0.23, "clipart": 0.10}
TEXTURE_KINDS = ("photo", "texture")
_MAX_PARTS = 3


class AssetPackInvalid(MaskwrightError):
    """An asset pack is missing, or holds nothing to draw."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetPack:
    """Decoded assets: RGB, alpha and part index of each cut-out; RGB of each texture. uint8, on one device."""

    sprites: UInt8[Tensor, "K 5 s s"]
    small_sprites: UInt8[Tensor, "K 5 s2 s2"]
    sprite_weights: Float[Tensor, " K"]
    textures: UInt8[Tensor, "T 3 t t"]
    photos: UInt8[Tensor, "P 3 t t"]

    def to(self, device: torch.device | str) -> "AssetPack":
        """Move every tensor."""
        return AssetPack(
            sprites=self.sprites.to(device),
            small_sprites=self.small_sprites.to(device),
            sprite_weights=self.sprite_weights.to(device),
            textures=self.textures.to(device),
            photos=self.photos.to(device),
        )


def sprite_layers(rgba: UInt8[np.ndarray, "H W 4"]) -> UInt8[np.ndarray, "5 s s"]:
    """Fit a cut-out into a square with a margin: colours bled past the edge, alpha, and parts by colour."""
    inner = SPRITE_SIDE - 8
    height, width = rgba.shape[:2]
    scale = inner / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    fitted = cv2.resize(rgba, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    square = np.zeros((SPRITE_SIDE, SPRITE_SIDE, 4), np.uint8)
    top, left = (SPRITE_SIDE - size[1]) // 2, (SPRITE_SIDE - size[0]) // 2
    square[top : top + size[1], left : left + size[0]] = fitted
    rgb, alpha = square[..., :3], square[..., 3]
    solid = alpha > 200
    # Outside the cut-out its colours go on, blurred: bilinear sampling at the edge must not mix in black.
    weight = cv2.blur(solid.astype(np.float32), (15, 15)) + 1e-4
    bled = cv2.blur(rgb * solid[..., None].astype(np.float32), (15, 15)) / weight[..., None]
    mean = rgb[solid].mean(0) if solid.any() else np.zeros(3)
    bled = np.where(weight[..., None] > 2e-3, bled, mean)
    colours = np.where(solid[..., None], rgb, bled.clip(0, 255)).astype(np.uint8)
    return np.concatenate([colours.transpose(2, 0, 1), alpha[None], colour_parts(colours, solid)[None]])


def colour_parts(rgb: UInt8[np.ndarray, "s s 3"], solid: np.ndarray) -> UInt8[np.ndarray, "s s"]:
    """Index the largest regions of one colour within a cut-out from 1; 0 is the rest."""
    parts = np.zeros(solid.shape, np.uint8)
    area = int(solid.sum())
    if area < 500:
        return parts
    lab = cv2.cvtColor(cv2.medianBlur(rgb, 5), cv2.COLOR_RGB2LAB).astype(np.float32)
    samples = lab[solid][:: max(1, area // 3000)]
    cv2.setRNGSeed(0)
    criteria = (cv2.TERM_CRITERIA_MAX_ITER + cv2.TERM_CRITERIA_EPS, 8, 1.0)
    _, _, centres = cv2.kmeans(samples, 5, np.empty(0, np.int32), criteria, 1, cv2.KMEANS_PP_CENTERS)  # pyright: ignore[reportCallIssue, reportArgumentType]
    nearest = ((lab[:, :, None] - centres) ** 2).sum(-1).argmin(-1)
    found: list[tuple[int, np.ndarray]] = []
    for colour in range(len(centres)):
        region = cv2.morphologyEx(
            ((nearest == colour) & solid).astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)
        )
        count, labels, stats, _ = cv2.connectedComponentsWithStats(region)
        found += [
            (int(stats[i, cv2.CC_STAT_AREA]), labels == i)
            for i in range(1, count)
            if 0.05 * area < stats[i, cv2.CC_STAT_AREA] < 0.6 * area
        ]
    for index, (_, region) in enumerate(sorted(found, key=lambda x: -x[0])[:_MAX_PARTS]):
        parts[region] = index + 1
    return parts


def read_pack(path: Path, *, limit: int | None = None) -> AssetPack:
    """Open a pack and decode its pictures on all cores; `limit` takes every n-th so that tests stay light."""
    if not path.exists():
        raise AssetPackInvalid(f"no asset pack: make one with `python -m maskwright.train.assets`: {path}")
    with safe_open(path, "numpy") as file:
        rows = json.loads(file.metadata()["rows"])
        blob, offsets = file.get_tensor("blob"), file.get_tensor("offsets")
    chosen = range(0, len(rows), max(1, len(rows) // limit) if limit else 1)

    def decode(index: int) -> np.ndarray:
        picture = PillowImage.open(io.BytesIO(blob[offsets[index] : offsets[index + 1]].tobytes()))
        if rows[index]["kind"] in TEXTURE_KINDS:
            return np.asarray(picture.convert("RGB")).transpose(2, 0, 1)
        return sprite_layers(np.asarray(picture.convert("RGBA")))

    with ThreadPoolExecutor() as pool:
        decoded = list(zip((rows[i]["kind"] for i in chosen), pool.map(decode, chosen), strict=True))
    return _assemble(decoded)


def _assemble(decoded: Sequence[tuple[str, np.ndarray]]) -> AssetPack:
    kinds = [kind for kind, _ in decoded]
    if not any(k in SPRITE_KINDS for k in kinds) or "photo" not in kinds or "texture" not in kinds:
        raise AssetPackInvalid(f"a pack needs cut-outs, photos and textures, got {sorted(set(kinds))}")

    def stack(wanted: Iterable[str]) -> Tensor:
        names = set(wanted)
        return torch.from_numpy(np.stack([pixels for kind, pixels in decoded if kind in names]))

    sprites = stack(SPRITE_KINDS)
    sprite_kinds = [k for k in kinds if k in SPRITE_KINDS]
    weights = torch.tensor([SPRITE_KINDS[k] / sprite_kinds.count(k) for k in sprite_kinds])
    small = torch.nn.functional.avg_pool2d(sprites[:, :4].float(), 2).round().to(torch.uint8)
    return AssetPack(
        sprites=sprites,
        small_sprites=torch.cat([small, sprites[:, 4:, ::2, ::2]], 1),
        sprite_weights=weights / weights.sum(),
        textures=stack(["texture"]),
        photos=stack(["photo"]),
    )


def write_pack(out: Path, sources: Sequence[tuple[str, str, str, Path]]) -> int:
    """Write a pack from (kind, source, licence, picture) rows; return its size in bytes."""
    rows: list[dict[str, str]] = []
    chunks: list[bytes] = []
    with ThreadPoolExecutor() as pool:
        compressed = list(pool.map(lambda source: _compress(source[0], source[3]), sources))
    for (kind, source, licence, path), chunk in zip(sources, compressed, strict=True):
        if chunk is not None:
            rows.append({"kind": kind, "source": source, "licence": licence, "name": path.name})
            chunks.append(chunk)
    offsets = np.cumsum([0, *(len(c) for c in chunks)]).astype(np.int64)
    blob = np.frombuffer(b"".join(chunks), np.uint8)
    save_file({"blob": blob, "offsets": offsets}, out, {"rows": json.dumps(rows)})
    return out.stat().st_size


def _compress(kind: str, path: Path) -> bytes | None:
    """Encode one picture as it will lie in the pack; None if it is of no use (no transparency, a sliver)."""
    picture = PillowImage.open(path)
    out = io.BytesIO()
    if kind in TEXTURE_KINDS:
        picture = picture.convert("RGB")
        side = min(picture.size)
        left, top = (picture.width - side) // 2, (picture.height - side) // 2
        picture = picture.crop((left, top, left + side, top + side))
        picture.resize((TEXTURE_SIDE, TEXTURE_SIDE), PillowImage.Resampling.BOX).save(out, "WEBP", quality=82)
        return out.getvalue()
    picture = picture.convert("RGBA")
    alpha = np.asarray(picture)[..., 3]
    ys, xs = np.nonzero(alpha > 24)
    if len(ys) < 200 or (alpha < 128).mean() < 0.03:
        return None
    picture = picture.crop((int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1))
    picture.thumbnail((SPRITE_SIDE, SPRITE_SIDE), PillowImage.Resampling.LANCZOS)
    picture.save(out, "WEBP", quality=80, method=4)
    return out.getvalue()


def main(arguments: Sequence[str] | None = None) -> None:
    """Make a pack from a list of sources: a TSV of kind, source, licence, picture."""
    parser = argparse.ArgumentParser(prog="python -m maskwright.train.assets", description=main.__doc__)
    parser.add_argument("list", type=Path, help="TSV with columns kind, source, licence, path")
    parser.add_argument("out", type=Path)
    options = parser.parse_args(arguments)
    rows = [line.split("\t") for line in options.list.read_text().splitlines() if line]
    write_pack(options.out, [(kind, source, licence, Path(path)) for kind, source, licence, path in rows])


if __name__ == "__main__":
    main()


__all__ = ["SPRITE_KINDS", "TEXTURE_KINDS", "AssetPack", "AssetPackInvalid", "colour_parts", "read_pack", "write_pack"]
