"""The asset pack: cut-outs with alpha and textures, as pictures in one safetensors file, and how it is made.

A pack holds compressed pictures (WebP), one row each of kind, source and licence, so that whoever trains knows what the
weights have seen. `python -m maskwright.train.assets LIST.tsv OUT` makes one; kinds are listed in `SPRITE_KINDS` and
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
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from PIL import Image as PillowImage
from safetensors import safe_open
from safetensors.numpy import save_file
from torch import Tensor

from maskwright.core.errors import InputError

SPRITE_SIDE, TEXTURE_SIDE = 192, 512
# How often a cut-out of each kind is drawn: what looks like a photographed object more often than what looks drawn.
SPRITE_KINDS = {"emoji": 0.34, "render": 0.33, "icon": 0.23, "clipart": 0.10}
TEXTURE_KINDS = ("photo", "texture")
_MAX_PARTS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetPack:
    """Decoded assets: RGB, alpha and part index of each cut-out; RGB of textures, then of photographs."""

    sprites: UInt8[Tensor, "K 5 s s"]
    small_sprites: UInt8[Tensor, "K 5 s2 s2"]
    sprite_weights: Float[Tensor, " K"]
    materials: UInt8[Tensor, "T 3 t t"]
    num_textures: int

    def to(self, device: torch.device | str) -> "AssetPack":
        """Move every tensor, and bleed and halve the cut-outs there."""
        sprites = bleed(self.sprites.to(device))
        return AssetPack(
            sprites=sprites,
            small_sprites=halved(sprites),
            sprite_weights=self.sprite_weights.to(device),
            materials=self.materials.to(device),
            num_textures=self.num_textures,
        )


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
    labels = np.zeros((len(samples), 1), np.int32)
    _, _, centres = cv2.kmeans(samples, 5, labels, criteria, 1, cv2.KMEANS_PP_CENTERS)
    nearest = ((lab[:, :, None] - centres) ** 2).sum(-1).argmin(-1)
    found: list[tuple[int, np.ndarray]] = []
    for colour in range(len(centres)):
        region = cv2.morphologyEx(
            ((nearest == colour) & solid).astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)
        )
        count, islands, stats, _ = cv2.connectedComponentsWithStats(region)
        found += [
            (int(stats[i, cv2.CC_STAT_AREA]), islands == i)
            for i in range(1, count)
            if 0.05 * area < stats[i, cv2.CC_STAT_AREA] < 0.6 * area
        ]
    for index, (_, region) in enumerate(sorted(found, key=lambda x: -x[0])[:_MAX_PARTS]):
        parts[region] = index + 1
    return parts


def read_pack(path: Path, *, limit: int | None = None) -> AssetPack:
    """Open a pack and decode its pictures on all cores; `limit` takes every n-th so that tests stay light."""
    if not path.exists():
        raise InputError(f"no asset pack: make one with `python -m maskwright.train.assets`: {path}")
    with safe_open(path, "numpy") as file:
        rows = json.loads(file.metadata()["rows"])
        pictures = _Blobs(file.get_tensor("blob"), file.get_tensor("offsets"))
        parts = _Blobs(file.get_tensor("parts_blob"), file.get_tensor("parts_offsets"))
    chosen = range(0, len(rows), max(1, len(rows) // limit) if limit else 1)

    def decode(index: int) -> UInt8[np.ndarray, "C H W"]:
        picture = PillowImage.open(io.BytesIO(pictures[index]))
        if rows[index]["kind"] in TEXTURE_KINDS:
            return np.asarray(picture.convert("RGB")).transpose(2, 0, 1)
        return _squared(np.asarray(picture.convert("RGBA")), np.asarray(PillowImage.open(io.BytesIO(parts[index]))))

    with ThreadPoolExecutor() as pool:
        return _assemble([rows[i]["kind"] for i in chosen], list(pool.map(decode, chosen)))


class _Blobs:
    """Byte strings laid end to end."""

    def __init__(self, blob: UInt8[np.ndarray, " n"], offsets: np.ndarray) -> None:
        self.blob, self.offsets = blob, offsets

    def __getitem__(self, index: int) -> bytes:
        return self.blob[self.offsets[index] : self.offsets[index + 1]].tobytes()


def _squared(rgba: UInt8[np.ndarray, "H W 4"], parts: UInt8[np.ndarray, "H W"]) -> UInt8[np.ndarray, "5 s s"]:
    """Lay a cut-out and its parts into the middle of a square."""
    square = np.zeros((5, SPRITE_SIDE, SPRITE_SIDE), np.uint8)
    height, width = parts.shape
    top, left = (SPRITE_SIDE - height) // 2, (SPRITE_SIDE - width) // 2
    square[:4, top : top + height, left : left + width] = rgba.transpose(2, 0, 1)
    square[4, top : top + height, left : left + width] = parts
    return square


def _assemble(kinds: Sequence[str], decoded: Sequence[np.ndarray]) -> AssetPack:
    if not any(k in SPRITE_KINDS for k in kinds) or not set(TEXTURE_KINDS) <= set(kinds):
        raise InputError(f"a pack needs cut-outs, photos and textures, got {sorted(set(kinds))}")

    def stack(wanted: Iterable[str]) -> Tensor:
        names = set(wanted)
        chosen = [pixels for kind, pixels in zip(kinds, decoded, strict=True) if kind in names]
        return torch.from_numpy(np.stack(chosen))

    sprites = stack(SPRITE_KINDS)
    sprite_kinds = [k for k in kinds if k in SPRITE_KINDS]
    weights = torch.tensor([SPRITE_KINDS[k] / sprite_kinds.count(k) for k in sprite_kinds])
    return AssetPack(
        sprites=sprites,
        small_sprites=sprites,
        sprite_weights=weights / weights.sum(),
        materials=torch.cat([stack(["texture"]), stack(["photo"])]),
        num_textures=kinds.count("texture"),
    )


def bleed(sprites: UInt8[Tensor, "K 5 s s"]) -> UInt8[Tensor, "K 5 s s"]:
    """Let the colours of cut-outs go on past their edge: bilinear sampling there must not mix in black."""
    out = sprites.clone()
    for start in range(0, len(sprites), 256):
        chunk = sprites[start : start + 256].float()
        rgb, solid = chunk[:, :3], (chunk[:, 3:4] > 200).float()
        weight = F.avg_pool2d(solid, 15, 1, 7) + 1e-4
        around = F.avg_pool2d(rgb * solid, 15, 1, 7) / weight
        out[start : start + 256, :3] = torch.where(solid > 0, rgb, around).clamp(0, 255).to(torch.uint8)
    return out


def halved(sprites: UInt8[Tensor, "K 5 s s"]) -> UInt8[Tensor, "K 5 s2 s2"]:
    """Halve cut-outs by averaging; part indices are picked."""
    chunks = [F.avg_pool2d(chunk[:, :4].float(), 2).round().to(torch.uint8) for chunk in sprites.split(256)]
    return torch.cat([torch.cat(chunks), sprites[:, 4:, ::2, ::2]], 1)


def write_pack(out: Path, sources: Sequence[tuple[str, str, str, Path]]) -> int:
    """Write a pack from (kind, source, licence, picture) rows; return its size in bytes."""
    with ThreadPoolExecutor() as pool:
        compressed = list(pool.map(lambda source: _compress(source[0], source[3]), sources))
    kept = [(source, pair) for source, pair in zip(sources, compressed, strict=True) if pair is not None]
    tensors: dict[str, np.ndarray] = {}
    for prefix, chunks in (("", [pair[0] for _, pair in kept]), ("parts_", [pair[1] for _, pair in kept])):
        tensors[f"{prefix}offsets"] = np.cumsum([0, *(len(c) for c in chunks)]).astype(np.int64)
        tensors[f"{prefix}blob"] = np.frombuffer(b"".join(chunks), np.uint8)
    rows = [{"kind": k, "source": source, "licence": li, "name": path.name} for (k, source, li, path), _ in kept]
    save_file(tensors, out, {"rows": json.dumps(rows)})
    return out.stat().st_size


def _compress(kind: str, path: Path) -> tuple[bytes, bytes] | None:
    """Encode one picture and its parts as they will lie in the pack; None if it is of no use."""
    picture = PillowImage.open(path)
    if kind in TEXTURE_KINDS:
        picture = picture.convert("RGB")
        side = min(picture.size)
        left, top = (picture.width - side) // 2, (picture.height - side) // 2
        picture = picture.crop((left, top, left + side, top + side))
        return _encoded(
            picture.resize((TEXTURE_SIDE, TEXTURE_SIDE), PillowImage.Resampling.BOX), "WEBP", quality=80
        ), b""
    picture = picture.convert("RGBA")
    alpha = np.asarray(picture)[..., 3]
    ys, xs = np.nonzero(alpha > 24)
    if len(ys) < 200 or (alpha < 128).mean() < 0.03:  # nothing there, or no cut-out
        return None
    picture = picture.crop((int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1))
    scale = (SPRITE_SIDE - 8) / max(picture.size)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    picture = picture.resize(size, PillowImage.Resampling.LANCZOS)
    pixels = np.asarray(picture)
    parts = PillowImage.fromarray(colour_parts(np.ascontiguousarray(pixels[..., :3]), pixels[..., 3] > 200))
    return _encoded(picture, "WEBP", quality=76, method=4), _encoded(parts, "PNG", optimize=True)


def _encoded(picture: PillowImage.Image, form: str, **options: int | bool) -> bytes:
    out = io.BytesIO()
    picture.save(out, form, **options)
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


__all__ = ["SPRITE_KINDS", "TEXTURE_KINDS", "AssetPack", "colour_parts", "read_pack", "write_pack"]
