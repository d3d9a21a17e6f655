"""Backends: what runs a model's networks where PyTorch does not, and how networks get there.

    model ──parts_of──▶ parts ──write_part──▶ graphs ──join──▶ OnnxExport ──write_onnx──▶ tiny.onnx
                                                                    │ cut                     │ read_onnx
                                                                    ▼                         ▼
             Model ◀──exported_model── Runtime (OnnxRuntime, …) ◀───────────────── OnnxExport

* `parts.py`     a model's networks by name: `encoder`, `decoder`, and `corrector`, `finder`, `reader` of `tiny`, as
                 modules with named ports. What is no network (promises to boxes and clicks, ranking of words) is not
                 exported: `exported.py` puts a runtime into the families' own classes.
* `manifest.py`  what travels in the file: card, base's SHA-256, frame, ports of the parts, the checks' figures, and
                 `treatment`, what was done to the networks afterwards.
* `onnx_graph.py`, `onnx_file.py`  one ONNX graph of all parts, from images and prompts to masks; `cut` takes a part out
                 as a model of its own.
* `runtime.py`   the protocol: `run(part, inputs) -> outputs`, tensors in the order of the ports.
* `check.py`     random inputs for a part, and how far a runtime is from PyTorch.
* `export.py`    `export_model(model, out)`; `to_onnx(model)` is the same unwritten.
* `loading.py`   `load_exported(path)`, which `load_model` calls for every exported file.

To change the networks of an exported file (quantisation does): `read_onnx`, `cut` each part, change it, `join` them
again and `write_onnx` with a manifest whose `card.computed_as` and `treatment` say what was done.
"""
