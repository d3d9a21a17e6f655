"""Every mask of every picture in a folder, as one COCO file.

python examples/folder_to_coco.py FOLDER OUT.json [MODEL]
"""

import json
import sys
from pathlib import Path

import maskwright as mw
from maskwright.datasets import find_images, iter_images
from maskwright.masks import to_coco
from maskwright.predict.everything_settings import preset_for


def main(folder: str, out: str, model_name: str = "tiny") -> None:
    """Write one COCO file with the masks of all pictures."""
    model = mw.load_model(model_name)
    images, annotations = [], []
    for number, (path, image) in enumerate(iter_images(find_images(folder)), start=1):
        height, width = image.size_hw
        images.append({"id": number, "file_name": str(path.relative_to(folder)), "height": height, "width": width})
        for record in mw.everything(model, image, settings=preset_for(model.card, "fast")):
            x1, y1, x2, y2 = record.box_xyxy
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": 1,
                    "segmentation": to_coco(record.rle),
                    "area": record.area,
                    "bbox": [x1, y1, x2 - x1, y2 - y1],
                    "iscrowd": 0,
                }
            )
    document = {"images": images, "categories": [{"id": 1, "name": "object"}], "annotations": annotations}
    Path(out).write_text(json.dumps(document))
    print(f"{len(annotations)} masks of {len(images)} pictures: {out}")


if __name__ == "__main__":
    main(*sys.argv[1:])
