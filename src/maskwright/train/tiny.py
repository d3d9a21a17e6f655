"""The recipe of the embedded model: generated scenes in, weights for the package out. One command, any machine.

    python -m maskwright.train.tiny --pack assets.safetensors --out runs/tiny --minutes 9

A step paints scenes on the device (`scenes`), photographs them (`photometry`), asks for some objects by click or box,
corrects the answers by clicks (`interaction`), and learns from every answer (`losses`). The average of the weights
(EMA) is what is exported. Resumes from `OUT/last.pt`; `--start` begins a new round from exported weights. Everything
that decides is in `Recipe`.
"""

import argparse
import logging
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

import torch
from safetensors.torch import load_file

from maskwright.models.tiny import TinyConfig, build_tiny_network
from maskwright.train.assets import read_pack
from maskwright.train.checkpoints import load_checkpoint, load_imagenet
from maskwright.train.recipe import Recipe
from maskwright.train.run import run
from maskwright.train.trainer import make_trainer

logger = logging.getLogger(__name__)


class _HelpFormatter(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """The module's text as it stands, and every default."""


def parser() -> argparse.ArgumentParser:
    """The command line: where things are, how long, and every field of the recipe."""
    made = argparse.ArgumentParser(
        prog="python -m maskwright.train.tiny", description=__doc__, formatter_class=_HelpFormatter
    )
    made.add_argument("--pack", type=Path, required=True, help="asset pack (python -m maskwright.train.assets)")
    made.add_argument("--out", type=Path, required=True, help="folder for last.pt, log.csv, tiny.safetensors")
    made.add_argument("--imagenet", type=Path, help="ImageNet weights of the trunk (.pth), for a first round")
    made.add_argument("--start", type=Path, help="exported weights to start a new round from")
    made.add_argument("--minutes", type=float, help="stop after this long; the learning rate follows the clock")
    made.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu", help="where to train")
    made.add_argument("--limit-assets", type=int, help="use about this many assets (for a quick try)")
    made.add_argument("--trunk", default=TinyConfig().trunk, help="lite0, lite1 or lite2")
    for one in fields(Recipe):
        made.add_argument(
            f"--{one.name.replace('_', '-')}", type=type(one.default), default=one.default, help=one.metadata["help"]
        )
    return made


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the recipe from the command line."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    options = parser().parse_args(arguments)
    recipe = Recipe(**{one.name: getattr(options, one.name) for one in fields(Recipe)})
    options.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(recipe.seed)
    torch.backends.cuda.matmul.allow_tf32 = True
    torch.backends.cudnn.allow_tf32 = True
    model = build_tiny_network(config=TinyConfig(trunk=options.trunk, side=recipe.side))
    if options.imagenet:
        load_imagenet(model, options.imagenet)
    if options.start:
        model.load_state_dict({name: tensor.float() for name, tensor in load_file(options.start).items()})
    trainer = make_trainer(recipe, model.to(options.device))
    if (options.out / "last.pt").exists():
        load_checkpoint(trainer, options.out / "last.pt")
    pack = read_pack(options.pack, limit=options.limit_assets).to(options.device)
    logger.info("%d cut-outs, %d materials", len(pack.sprites), len(pack.materials))
    run(trainer, pack, options.out, minutes=options.minutes)


if __name__ == "__main__":
    main()


__all__ = ["main", "parser"]
