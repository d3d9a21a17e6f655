"""The asset pack: cut-outs with alpha and textures, as pictures in one safetensors file, and how it is made.

A pack holds compressed pictures (WebP), one row each of kind, source, licence and words, so that whoever trains knows
what the weights have seen. `python -m maskwright.train.assets LIST.tsv OUT` makes one; kinds are listed in
`SPRITE_KINDS` and `TEXTURE_KINDS`. Parts of a cut-out are found by colour once, when a pack is made. A pack without
words takes them from file names (`asset_names`).
"""

import argparse
import io
import json
import warnings
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from zlib import crc32

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from PIL import Image as PillowImage
from safetensors import safe_open
from safetensors.numpy import save_file
from torch import Tensor

from maskwright.core.errors import ImageError, InputError
from maskwright.datasets.loss_report import Skipped
from maskwright.models.tiny.vocabulary import WORDS
from maskwright.train.asset_names import plain_name, texture_material, words_for
from maskwright.train.pooling import box_mean

SPRITE_SIDE, TEXTURE_SIDE = 192, 512
# How often a cut-out of each kind is drawn: what looks like a photographed object more often than what looks drawn.
SPRITE_KINDS = {"emoji": 0.34, "render": 0.33, "icon": 0.23, "clipart": 0.10}
TEXTURE_KINDS = ("photo", "texture")
_MAX_PARTS = 3
# A cut-out whose name says nothing is a sign, a letter, a map more often than a thing.
_UNNAMED_SHARE, _FLAG_SHARE = 0.5, 0.1
_HELD_OUT_EVERY = 20

Split = Literal["all", "training", "held-out"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetSource:
    """One picture for a pack; words are taken from its file name unless given."""

    kind: str
    source: str
    licence: str
    path: Path
    words: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """What is known of the assets of a pack, in their order, on the host: scenes are planned there.

    `sprite_widths` are widths as shares of the longer side.
    """

    sprite_words: tuple[tuple[str, ...], ...] = ()
    sprite_weights: tuple[float, ...] = ()
    sprite_widths: tuple[float, ...] = ()
    material_words: tuple[str | None, ...] = ()

    def named(self, *words: str) -> list[int]:
        """Cut-outs that are called by one of these words first."""
        return [index for index, own in enumerate(self.sprite_words) if own and own[0] in words]


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetPack:
    """Decoded assets: RGB, alpha and part index of each cut-out; RGB of textures, then of photographs.

    The small ones are for things drawn small: half the side for cut-outs, a quarter for materials.
    """

    sprites: UInt8[Tensor, "K 5 s s"]
    small_sprites: UInt8[Tensor, "K 5 s2 s2"]
    sprite_weights: Float[Tensor, " K"]
    materials: UInt8[Tensor, "T 3 t t"]
    small_materials: UInt8[Tensor, "T 3 t2 t2"]
    num_textures: int
    catalogue: Catalogue = field(default_factory=Catalogue)

    def to(self, device: torch.device | str) -> "AssetPack":
        """Move every tensor; bleed the cut-outs and make the small ones there."""
        sprites, materials = bleed(self.sprites.to(device)), self.materials.to(device)
        return AssetPack(
            sprites=sprites,
            small_sprites=halved(sprites),
            sprite_weights=self.sprite_weights.to(device),
            materials=materials,
            small_materials=quartered(materials),
            num_textures=self.num_textures,
            catalogue=self.catalogue,
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


def read_pack(path: Path, *, limit: int | None = None, split: Split = "all") -> AssetPack:
    """Open a pack and decode its pictures on all cores; `limit` takes every n-th so that tests stay light.

    One asset in twenty, with all of its views, is "held-out": scenes for evaluation are made of those.
    """
    if not path.exists():
        raise InputError(f"no asset pack: make one with `python -m maskwright.train.assets`: {path}")
    with safe_open(path, "numpy") as file:
        rows = json.loads(file.metadata()["rows"])
        pictures = _Blobs(file.get_tensor("blob"), file.get_tensor("offsets"))
        parts = _Blobs(file.get_tensor("parts_blob"), file.get_tensor("parts_offsets"))
    wanted = [index for index, row in enumerate(rows) if split == "all" or is_held_out(row) == (split == "held-out")]
    chosen = wanted[:: max(1, len(wanted) // limit) if limit else 1]

    def decode(index: int) -> UInt8[np.ndarray, "C H W"]:
        picture = PillowImage.open(io.BytesIO(pictures[index]))
        if rows[index]["kind"] in TEXTURE_KINDS:
            return np.asarray(picture.convert("RGB")).transpose(2, 0, 1)
        return _squared(np.asarray(picture.convert("RGBA")), np.asarray(PillowImage.open(io.BytesIO(parts[index]))))

    with ThreadPoolExecutor() as pool:
        return _assemble([rows[i] for i in chosen], list(pool.map(decode, chosen)))


def is_held_out(row: Mapping[str, str]) -> bool:
    """Decide by name, so that all views of a thing, and all pieces of a photograph, are on one side."""
    name = plain_name(row["kind"], row["name"]) or row["name"]
    if row["kind"] in TEXTURE_KINDS:
        name = name.rstrip("0123456789 ")
    return crc32(name.encode()) % _HELD_OUT_EVERY == 0


def words_of_row(row: Mapping[str, str]) -> tuple[str, ...]:
    """Give the words of an asset: those of its row, else those that its name tells; unknown ones are left out."""
    if "words" in row:
        return tuple(word for word in row["words"].split() if word in WORDS)
    if row["kind"] in TEXTURE_KINDS:
        return tuple(filter(None, [texture_material(row["name"]) if row["kind"] == "texture" else None]))
    return words_for(row["kind"], row["name"])


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


def _assemble(rows: Sequence[Mapping[str, str]], decoded: Sequence[np.ndarray]) -> AssetPack:
    kinds = [row["kind"] for row in rows]
    if not any(k in SPRITE_KINDS for k in kinds) or not set(TEXTURE_KINDS) <= set(kinds):
        raise InputError(f"a pack needs cut-outs, photos and textures, got {sorted(set(kinds))}")

    def of(wanted: Iterable[str]) -> list[int]:
        names = set(wanted)
        return [index for index, kind in enumerate(kinds) if kind in names]

    def stack(indices: Sequence[int]) -> Tensor:
        return torch.from_numpy(np.stack([decoded[index] for index in indices]))

    sprites, materials = of(SPRITE_KINDS), of(["texture"]) + of(["photo"])
    pixels, surfaces = stack(sprites), stack(materials)
    weights = torch.tensor([_weight(rows[i], kinds.count(kinds[i])) for i in sprites])
    weights /= weights.sum()
    return AssetPack(
        sprites=pixels,
        small_sprites=pixels,
        sprite_weights=weights,
        materials=surfaces,
        small_materials=surfaces,
        num_textures=kinds.count("texture"),
        catalogue=Catalogue(
            sprite_words=tuple(words_of_row(rows[i]) for i in sprites),
            sprite_weights=tuple(weights.tolist()),
            sprite_widths=tuple(float((decoded[i][3] > 127).any(0).mean()) for i in sprites),
            material_words=tuple(next(iter(words_of_row(rows[i])), None) for i in materials),
        ),
    )


def _weight(row: Mapping[str, str], num_alike: int) -> float:
    """How often to draw a cut-out: its kind's share, less for what is hardly a thing."""
    share = SPRITE_KINDS[row["kind"]] / num_alike
    if words_of_row(row):
        return share
    is_flag = row["kind"] == "emoji" and plain_name("emoji", row["name"]).startswith(("regional", "clock"))
    return share * (_FLAG_SHARE if is_flag else _UNNAMED_SHARE)


def bleed(sprites: UInt8[Tensor, "K 5 s s"]) -> UInt8[Tensor, "K 5 s s"]:
    """Let the colours of cut-outs go on past their edge: bilinear sampling there must not mix in black."""
    out = sprites.clone()
    for start in range(0, len(sprites), 256):
        chunk = sprites[start : start + 256].float()
        rgb, solid = chunk[:, :3], (chunk[:, 3:4] > 200).float()
        weight = box_mean(solid, 15) + 1e-4
        around = box_mean(rgb * solid, 15) / weight
        out[start : start + 256, :3] = torch.where(solid > 0, rgb, around).clamp(0, 255).to(torch.uint8)
    return out


def halved(sprites: UInt8[Tensor, "K 5 s s"]) -> UInt8[Tensor, "K 5 s2 s2"]:
    """Halve cut-outs by averaging; part indices are picked."""
    chunks = [F.avg_pool2d(chunk[:, :4].float(), 2).round().to(torch.uint8) for chunk in sprites.split(256)]
    return torch.cat([torch.cat(chunks), sprites[:, 4:, ::2, ::2]], 1)


def quartered(materials: UInt8[Tensor, "T 3 t t"]) -> UInt8[Tensor, "T 3 t2 t2"]:
    """Make materials a quarter as wide by averaging."""
    return torch.cat([F.avg_pool2d(chunk.float(), 4).round().to(torch.uint8) for chunk in materials.split(64)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """What a pack came to, and which pictures are not in it and why."""

    num_bytes: int
    num_assets: int
    skipped: tuple[Skipped, ...] = ()


def write_pack(out: Path, sources: Sequence[AssetSource]) -> Packed:
    """Write a pack. Pictures that cannot be read, and cut-outs that are none, are left out.

    Raises:
        InputError: none is left, or a word is not in the vocabulary.
    """
    with warnings.catch_warnings(), ThreadPoolExecutor() as pool:
        warnings.simplefilter("ignore", PillowImage.DecompressionBombWarning)  # large ones are taken, larger ones told
        compressed = list(pool.map(_compress_or_say_why, sources))
    kept = [(source, pair) for source, pair in zip(sources, compressed, strict=True) if not isinstance(pair, Skipped)]
    skipped = tuple(one for one in compressed if isinstance(one, Skipped))
    if not kept:
        reason = f" ({skipped[0].item}: {skipped[0].reason})" if skipped else ""
        raise InputError(f"none of {len(sources)} pictures can be packed{reason}. Mend the list, to write: {out}")
    tensors: dict[str, np.ndarray] = {}
    for prefix, chunks in (("", [pair[0] for _, pair in kept]), ("parts_", [pair[1] for _, pair in kept])):
        tensors[f"{prefix}offsets"] = np.cumsum([0, *(len(c) for c in chunks)]).astype(np.int64)
        tensors[f"{prefix}blob"] = np.frombuffer(b"".join(chunks), np.uint8)
    save_file(tensors, out, {"rows": json.dumps([_row(source) for source, _ in kept])})
    return Packed(num_bytes=out.stat().st_size, num_assets=len(kept), skipped=skipped)


def _row(source: AssetSource) -> dict[str, str]:
    row = {"kind": source.kind, "source": source.source, "licence": source.licence, "name": source.path.name}
    words = words_of_row(row) if source.words is None else source.words
    if unknown := [word for word in words if word not in WORDS]:
        raise InputError(f"expected words of models/tiny/vocabulary.py, got {unknown}: {source.path}")
    return row | {"words": " ".join(words)}


def _compress_or_say_why(source: AssetSource) -> tuple[bytes, bytes] | Skipped:
    try:
        pair = _compress(source.kind, source.path)
    except ImageError as error:
        return Skipped(item=str(source.path), reason=str(error))
    return pair or Skipped(item=str(source.path), reason="hardly anything of it is seen, or hardly anything is not")


def _compress(kind: str, path: Path) -> tuple[bytes, bytes] | None:
    """Encode one picture and its parts as they will lie in the pack; None if it is of no use."""
    picture = _read(path)
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


def _read(path: Path) -> PillowImage.Image:
    try:
        with PillowImage.open(path) as picture:
            picture.load()
            return picture
    except PillowImage.DecompressionBombError:
        raise ImageError("it has more pixels than Pillow opens. Make it smaller") from None
    except Exception as error:  # decoders of damaged files raise nearly every type there is
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error) or type(error).__name__
        raise ImageError(f"it cannot be read ({reason.splitlines()[0]})") from None


def _encoded(picture: PillowImage.Image, form: str, **options: int | bool) -> bytes:
    out = io.BytesIO()
    picture.save(out, form, **options)
    return out.getvalue()


def read_list(path: Path) -> list[AssetSource]:
    """Read a TSV of kind, source, licence, picture and, where they are given, words."""
    sources: list[AssetSource] = []
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        if not line:
            continue
        kind, source, licence, picture, *words = (*line.split("\t"), "", "", "")[: max(4, line.count("\t") + 1)]
        if not picture:
            raise InputError(
                f"expected kind, source, licence, path and tabs between them, got {line!r}: {path}:{number}"
            )
        known = tuple(words[0].split()) if words else None
        sources.append(AssetSource(kind=kind, source=source, licence=licence, path=Path(picture), words=known))
    return sources


def main(arguments: Sequence[str] | None = None) -> None:
    """Make a pack from a list of sources: a TSV of kind, source, licence, picture and, if wanted, words."""
    parser = argparse.ArgumentParser(prog="python -m maskwright.train.assets", description=main.__doc__)
    parser.add_argument("list", type=Path, help="TSV with columns kind, source, licence, path, words (optional)")
    parser.add_argument("out", type=Path)
    options = parser.parse_args(arguments)
    skipped = write_pack(options.out, read_list(options.list)).skipped
    parser.exit(message="".join(f"left out: {one.item}: {one.reason}\n" for one in skipped))


if __name__ == "__main__":
    main()


__all__ = [
    "SPRITE_KINDS",
    "TEXTURE_KINDS",
    "AssetPack",
    "AssetSource",
    "Catalogue",
    "Packed",
    "Split",
    "colour_parts",
    "is_held_out",
    "read_list",
    "read_pack",
    "words_of_row",
    "write_pack",
]
