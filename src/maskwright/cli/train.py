"""`maskwright train`: fine-tune a model on masks; train the embedded one, make labelled scenes for it, pack assets."""

import dataclasses
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import typer
from typer.core import TyperGroup

from maskwright.cli import fine_tune
from maskwright.cli.report import progress_bar, tell
from maskwright.cli.verbs import CONTEXT
from maskwright.core import settings
from maskwright.core.errors import SettingError
from maskwright.train.recipe import PRESETS, Recipe, changed, read_recipe

if TYPE_CHECKING:
    from maskwright.train.robot_scenes import RobotSceneRecipe


class _SourceOrCommand(TyperGroup):
    """What is no sub-command is a source of masks: `maskwright train masks/` is `maskwright train tune masks/`."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command of the first word."""
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            args = ["tune", *args]
        return super().resolve_command(ctx, args)


app = typer.Typer(
    cls=_SourceOrCommand,
    add_completion=False,
    rich_markup_mode=None,
    context_settings=CONTEXT,
    no_args_is_help=True,
    help="Fine-tune a model on corrected masks (maskwright train SOURCE); train the embedded model, make scenes and "
    "asset packs for it.",
    epilog="Example: maskwright train masks/ --from tiny -o checkpoints/glass_v2",
)
app.command("tune", epilog=fine_tune.recipe_help())(fine_tune.tune)

SCENE_KINDS = ("robots", "painted", "episodes")
SplitName = Literal["train", "held-out", "all"]
PACK_SPLITS: dict[SplitName, Literal["training", "held-out", "all"]] = {
    "train": "training",
    "held-out": "held-out",
    "all": "all",
}


def _recipe_help() -> str:
    """List the presets and every field of a recipe, as --help shows them."""
    usual = PRESETS["cpu"]
    fields = dataclasses.fields(Recipe)
    width = max(len(one.name) for one in fields)
    rows = [f"  {one.name:<{width}}  {one.metadata['help']} [{_shown(getattr(usual, one.name))}]" for one in fields]
    presets = [f"  {name:<{width}}  {_differences(recipe)}" for name, recipe in PRESETS.items()]
    return "\n".join(
        [
            "\b",
            "The recipe, with the values of --preset cpu in brackets; --set NAME=VALUE changes one:",
            *rows,
            "",
            "\b",
            "Presets, by what they have of their own:",
            *presets,
            "",
            "\b",
            "Examples:",
            "  maskwright train tiny --preset smoke",
            "  maskwright train tiny --pack assets.safetensors --scenes robots --validation held-out --minutes 600",
            "  maskwright train tiny --preset gpu --pack assets.safetensors --minutes 9 --set seed=4",
        ]
    )


def _differences(recipe: Recipe) -> str:
    plain = Recipe(minutes=recipe.minutes)
    own = {
        one.name: getattr(recipe, one.name)
        for one in dataclasses.fields(Recipe)
        if one.name == "minutes" or getattr(recipe, one.name) != getattr(plain, one.name)
    }
    return " ".join(f"{name}={_shown(value)}" for name, value in own.items())


def _shown(value: int | float | str) -> str:
    return value or "-" if isinstance(value, str) else f"{value:g}"


@app.command(epilog=_recipe_help())
def tiny(
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FOLDER", help="Where the run lies; a run there goes on.")
    ] = Path("runs/tiny"),
    preset: Annotated[
        str, typer.Option("--preset", metavar="NAME|FILE", help=f"{', '.join(PRESETS)}, or the recipe.toml of a run.")
    ] = "cpu",
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Change one number of the recipe; may be repeated."),
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option("--minutes", metavar="M", help="How long in all, start and export included.", min=0.1),
    ] = None,
    pack: Annotated[
        Path | None,
        typer.Option(
            "--pack", metavar="FILE", help="Asset pack (maskwright train assets); without, shapes are computed."
        ),
    ] = None,
    scenes: Annotated[
        list[Path] | None,
        typer.Option("--scenes", metavar="FOLDER", help="Labelled scenes to mix in; may be repeated."),
    ] = None,
    pictures: Annotated[
        list[Path] | None,
        typer.Option(
            "--pictures", metavar="FOLDER", help="Pictures without labels, which --teacher labels; may be repeated."
        ),
    ] = None,
    validation: Annotated[
        Path | None,
        typer.Option(
            "--validation", metavar="FOLDER", help="Labelled scenes to score on; without, painted ones of another seed."
        ),
    ] = None,
    start: Annotated[
        str,
        typer.Option(
            "--start",
            metavar="tiny|nothing|FILE",
            help="Weights to begin with: the package's, none, exported ones, or ImageNet's of the trunk (.pth).",
        ),
    ] = "tiny",
    teacher: Annotated[
        str | None,
        typer.Option("--teacher", metavar="NAME|FILE", help="A model that answers the same prompts, to learn from."),
    ] = None,
    device: Annotated[
        str, typer.Option("--device", metavar="DEVICE", help="auto, cpu, cuda or cuda:N.", envvar=settings.DEVICE.env)
    ] = "auto",
) -> None:
    """Train the embedded model: scenes in, weights out. The same command again goes on where a run stopped.

    A step photographs scenes with a camera's faults, asks for objects by click, by box or by both, corrects each answer
    by a click where it is wrong, and learns from all answers: focal and Dice loss, of three candidates only the best,
    squared error of predicted IoU. AdamW, bf16 on a GPU; the average of the weights is scored and exported.

    FOLDER gets tiny.safetensors (the best weights so far; use them with --model FILE), last.pt to go on from,
    recipe.toml, log.csv, curves.png, samples.jpg and tensorboard/.
    """
    began = time.monotonic()
    try:
        recipe = changed(read_recipe(preset), [*(changes or []), *([f"minutes={minutes}"] if minutes else [])])
    except SettingError as error:
        raise typer.BadParameter(str(error)) from error
    if pictures and teacher is None:
        raise typer.BadParameter("--pictures need a --teacher that labels them, for example --teacher vit_b")
    logging.getLogger("maskwright.train").setLevel(logging.INFO)

    from maskwright.train.tiny import TinyRun, train_tiny

    weights = train_tiny(
        TinyRun(
            out=out,
            recipe=recipe,
            pack=pack,
            scenes=tuple(scenes or ()),
            pictures=tuple(pictures or ()),
            validation=validation,
            start=start,
            teacher=teacher,
            device=device,
        ),
        began=began,
    )
    tell(f"weights: {weights} (try: maskwright predict example:tabletop --point 235,290 --model {weights})")


@app.command(epilog="Example: maskwright train text --scenes robots --validation held-out --minutes 10")
def text(
    scenes: Annotated[
        list[Path],
        typer.Option("--scenes", metavar="FOLDER", help="Labelled scenes with names and colours; may be repeated."),
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FOLDER", help="Where the run lies; a run there goes on.")
    ] = Path("runs/text"),
    start: Annotated[
        Path | None,
        typer.Option("--start", metavar="FILE", help="Weights to stay behind; without, the package's."),
    ] = None,
    words: Annotated[
        Path | None, typer.Option("--words", metavar="FILE", help="Weights whose text path to begin with.")
    ] = None,
    minutes: Annotated[
        float,
        typer.Option(
            "--minutes", metavar="M", help="How long to learn; encoding and describing scenes come on top.", min=0.1
        ),
    ] = 30.0,
    validation: Annotated[
        Path | None, typer.Option("--validation", metavar="FOLDER", help="Labelled scenes to score on.")
    ] = None,
) -> None:
    """Teach the embedded model words, behind its frozen encoder: clicks and boxes are answered as before.

    Each scene is encoded once (half a second and 3.5 MB) into FOLDER/features; FOLDER/tiny.safetensors is the result.
    """
    logging.getLogger("maskwright.train").setLevel(logging.INFO)

    from maskwright.models.tiny import TINY_WEIGHTS
    from maskwright.train.text import TextRun, train_text

    weights = train_text(
        TextRun(
            scenes=tuple(scenes),
            out=out,
            start=start or TINY_WEIGHTS,
            text=words,
            validation=validation,
            minutes=minutes,
        )
    )
    tell(f"weights: {weights} (try: maskwright predict example:tabletop --text 'red mug' --model {weights})")


@app.command(epilog="Example: maskwright train scenes robots runs/robots --count 2000 --assets ~/meshes --split train")
def scenes(
    kind: Annotated[str, typer.Argument(metavar="KIND", help=f"{', '.join(SCENE_KINDS)}.")],
    out: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder of labelled scenes; one begun is continued.")],
    count: Annotated[
        int, typer.Option("--count", metavar="N", help="Pictures, or episodes, that the folder shall hold.", min=1)
    ],
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Another seed, other scenes.")] = 0,
    workers: Annotated[int, typer.Option("--workers", metavar="N", help="robots: processes.", min=1)] = 1,
    frames: Annotated[
        int | None, typer.Option("--frames", metavar="N", help="episodes: length, at 30 frames a second [90].", min=30)
    ] = None,
    assets: Annotated[
        list[Path] | None,
        typer.Option(
            "--assets",
            metavar="PATH",
            help="robots, episodes: a folder to search for meshes and arms, may be repeated; painted: an asset pack.",
        ),
    ] = None,
    textures: Annotated[
        Path | None,
        typer.Option("--textures", metavar="LIST", help="robots, episodes: table of photographs and textures."),
    ] = None,
    split: Annotated[
        str, typer.Option("--split", metavar="NAME", help="Which assets: train, held-out or all.")
    ] = "all",
    hard: Annotated[
        str | None,
        typer.Option(
            "--hard", metavar="NAMES", help="robots: most things are glass, specular, thin, or several of it."
        ),
    ] = None,
    gripper: Annotated[
        str | None,
        typer.Option("--gripper", metavar="NAMES", help="robots: made grippers instead: suction, soft, tweezers."),
    ] = None,
    views: Annotated[
        int, typer.Option("--views", metavar="N", help="robots: pictures of each scene, an episode.", min=1)
    ] = 2,
) -> None:
    """Make labelled scenes for training (--scenes) and evaluation; the same command again goes on.

    robots are tabletops with arms, grippers and things, rendered by a simulator (pip install 'maskwright[scenes]').
    painted are what training paints by itself: cut-outs and shapes over photographs and textures; held-out ones have
    more glass, metal, wires, rows and piles.
    episodes are robots in motion, for maskwright evaluate --tasks track: an arm picks a thing up and puts it down, with
    a true mask of every object on every frame.
    """
    if kind not in SCENE_KINDS:
        raise typer.BadParameter(f"KIND must be one of {', '.join(SCENE_KINDS)}; got {kind!r}")
    if split not in PACK_SPLITS:
        raise typer.BadParameter(f"--split must be one of {', '.join(PACK_SPLITS)}; got {split!r}")
    if kind != "robots" and (hard or gripper or views != 2):
        raise typer.BadParameter(f"--hard, --gripper and --views are for robots; got {kind}")
    wanted = cast(SplitName, split)
    if frames is not None and kind != "episodes":
        raise typer.BadParameter(f"--frames is for episodes; {kind} are single pictures")
    with progress_bar(str(out), quiet=False) as progress:
        if kind == "painted":
            _paint(out, assets or [], seed=seed, count=count, split=wanted, progress=progress)
        else:
            from maskwright.train.robot_scenes import RobotSceneRecipe, write_robot_scenes
            from maskwright.train.tabletop.layout import Challenge

            robots = RobotSceneRecipe(
                seed=seed,
                assets=tuple(assets or ()),
                textures=textures,
                split=wanted,
                challenge=Challenge(hard=_names(hard), grippers=_names(gripper)),
                views=views,
            )
            if kind == "robots":
                write_robot_scenes(out, robots, count=count, workers=workers, progress=progress)
            else:
                _film(out, robots, count=count, num_frames=frames, progress=progress)
    tell(f"{count} {'episodes' if kind == 'episodes' else 'scenes'}: {out}")


def _names(text: str | None) -> tuple[str, ...]:
    return tuple(name.strip() for name in (text or "").split(",") if name.strip())


def _film(
    out: Path,
    scenes: "RobotSceneRecipe",
    *,
    count: int,
    num_frames: int | None,
    progress: Callable[[int, int | None], None],
) -> None:
    from maskwright.train.robot_episodes import RobotEpisodeRecipe, write_robot_episodes

    recipe = (
        RobotEpisodeRecipe(scenes=scenes)
        if num_frames is None
        else RobotEpisodeRecipe(scenes=scenes, num_frames=num_frames)
    )
    write_robot_episodes(out, recipe, count=count, progress=progress)


def _paint(
    out: Path,
    packs: list[Path],
    *,
    seed: int,
    count: int,
    split: SplitName,
    progress: Callable[[int, int | None], None],
) -> None:
    if len(packs) > 1:
        raise typer.BadParameter(f"painted scenes take one asset pack, got {len(packs)}")
    from maskwright.train.painted_folder import PaintedRecipe, write_painted_scenes
    from maskwright.train.tiny import open_pack

    pack = packs[0] if packs else None
    name = f"{pack.name if pack else 'computed'}, {split}"
    opened = open_pack(pack, split=PACK_SPLITS[split]).to("cpu")
    recipe = PaintedRecipe(seed=seed, pack=name, mix="hard" if split == "held-out" else "training")
    write_painted_scenes(out, recipe, opened, count=count, progress=progress)


@app.command(epilog="Example: maskwright train assets list.tsv assets.safetensors")
def assets(
    sources: Annotated[
        Path,
        typer.Argument(
            metavar="LIST", help="Table with tabs: kind, source, licence, path of the picture, words (optional)."
        ),
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The pack to write.")],
) -> None:
    """Pack cut-outs with alpha, textures and photographs into one file, each with its licence.

    Kinds are emoji, render, icon and clipart (cut-outs), texture and photo. Pictures that cannot be read are left out
    and named.
    """
    from maskwright.train.assets import read_list, write_pack

    packed = write_pack(out, read_list(sources))
    for one in packed.skipped:
        tell(f"left out: {one.item}: {one.reason}")
    tell(f"{packed.num_assets} assets, {packed.num_bytes / 1e6:.1f} MB: {out}")
