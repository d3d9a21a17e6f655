"""Backends: what runs a model's networks where PyTorch does not, and how networks get there.

    model ──parts_of──▶ parts ──write_part──▶ OnnxExport(graphs, manifest) ──write_onnx──▶ tiny.onnx
                                                      │ source(part)                           │ read_onnx
                                                      ▼                                        ▼
    Model ◀──exported_model(runtime, manifest)── Runtime ◀────────────────── OnnxExport(graphs, manifest)

* `parts.py`     a model's networks by name: `encoder`, `decoder`, and `corrector`, `finder`, `reader` of `tiny`, as
                 modules with named ports. What is no network (promises to boxes and clicks, ranking of words) is not
                 exported: `exported.py` puts a runtime into the families' own classes.
* `manifest.py`  what travels with them: card, base's SHA-256, frame, ports of the parts, the checks' figures, and
                 `treatment`, what was done to the networks afterwards.
* `onnx_graph.py`, `onnx_file.py`  a graph for each part in memory; in the file they are joined into one, from images
                 and prompts to masks, and cut apart again when it is read. `folder.py`: a file for each part.
* `runtime.py`   the protocol: `run(part, inputs) -> outputs`, tensors in the order of the ports. `onnx_runtime.py`,
                 `openvino_runtime.py`, `torchscript.py`, `tensorrt_runtime.py` (plans: `tensorrt_plan.py`).
* `check.py`     random inputs for a part, and how far a runtime is from PyTorch.
* `export.py`    `export_model(model, out, to=...)`; `to_onnx(model)` is the same unwritten.
* `loading.py`   `load_exported(path, backend=...)`, which `load_model` calls for every exported file, and `load_by`,
                 for a model and a backend's name. `choose.py`: the fastest, by measurement.

To change the networks of an exported file, as quantisation does: `read_onnx(path)`, change `graphs[part]`, and
`write_onnx` with a manifest whose `card.computed_as` ("int8") and `treatment` say what was done.
"""
