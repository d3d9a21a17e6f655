"""`python -m maskwright.evaluate FOLDER`: a table of tiny beside the baselines on any folder of pictures and masks."""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from maskwright.evaluate.baselines import BoxFill, GrabCut
from maskwright.evaluate.benchmark import evaluate, format_table, summarise
from maskwright.evaluate.examples import read_folder
from maskwright.evaluate.segmenter import ModelSegmenter, Segmenter
from maskwright.models import load_model


def main(arguments: Sequence[str] | None = None) -> None:
    """Evaluate from the command line."""
    parser = argparse.ArgumentParser(prog="python -m maskwright.evaluate", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", action="append", help="name or checkpoint; may be given again (default: tiny)")
    parser.add_argument("--clicks", type=int, default=5, help="clicks for each object")
    parser.add_argument("--limit", type=int, help="stop after this many pictures")
    parser.add_argument("--no-baselines", action="store_true")
    parser.add_argument("--json", type=Path, help="write every row here")
    options = parser.parse_args(arguments)
    segmenters: list[Segmenter] = [ModelSegmenter(load_model(name)) for name in options.model or ["tiny"]]
    if not options.no_baselines:
        segmenters += [GrabCut(), BoxFill()]
    rows = {
        segmenter.name: list(
            evaluate(segmenter, read_folder(options.folder, limit=options.limit), max_clicks=options.clicks)
        )
        for segmenter in segmenters
    }
    if options.json:
        options.json.write_text(
            json.dumps({name: [asdict(row) for row in found] for name, found in rows.items()}, indent=1)
        )
    sys.stdout.write(format_table([summarise(name, found) for name, found in rows.items()]) + "\n")


if __name__ == "__main__":
    main()
