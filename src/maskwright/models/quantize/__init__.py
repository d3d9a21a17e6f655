"""Quantisation of exported networks: 8-bit integers where they cost nothing that masks need.

    graph ──find_layers──▶ layers ──observe(frames)──▶ ranges ──quantize(chosen layers)──▶ graph of 8 bits
                                     └──scale_channels──▶ an equal graph whose channels have more equal ranges

* `layers.py`       the convolutions and matrix products with weights, by the names of their modules.
* `ranges.py`       what the layers' inputs and outputs are on calibration frames, and the range that rounds best.
* `scaling.py`      SmoothQuant's scaling for any chain of linear layers: exact, and better conditioned.
* `qdq.py`          quantise and dequantise nodes around chosen layers: what onnxruntime and OpenVINO turn into
                    integer kernels.
* `sensitivity.py`  how much each group of layers costs by itself; who stays in float.
* `weights_only.py` weights of 8 or 16 bits for size alone; computation stays in float.

Nothing here knows of masks: whether a quantised model is good enough is for `workflows.quantize`, which measures masks.
"""
