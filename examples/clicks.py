"""Encode a picture once, then click as often as you like: several objects, and a second click that corrects the first.

python examples/clicks.py [PICTURE X Y]
"""

import sys

import maskwright as mw


def main(path: str, x: float, y: float) -> None:
    """Print the candidates for one click, then the answer sharpened with its own mask."""
    model = mw.load_model("tiny")
    embedding = mw.embed(model, mw.read_image(path))  # the slow part
    click = mw.PointPrompt([(x, y)])
    candidates = mw.predict(model, embedding, [click], num_masks=3)
    for record in mw.to_records(candidates):
        print(f"candidate: {record.area} pixels, predicted IoU {record.scores.predicted_iou:.2f}")
    (record,) = mw.to_records(mw.refine(model, embedding, [click]))
    print(f"refined: {record.area} pixels, box {record.box_xyxy}, {record.provenance.method}")


if __name__ == "__main__":
    if len(sys.argv) == 4:
        main(sys.argv[1], float(sys.argv[2]), float(sys.argv[3]))
    else:
        main(str(mw.example_path()), 235, 290)
