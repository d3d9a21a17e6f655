import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch._subclasses import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

from maskwright.models.sam import image_encoder
from maskwright.models.sam.image_encoder import GridAttention
from maskwright.nn import fused_attention
from maskwright.nn.attention import relative_positions
from maskwright.nn.fused_attention import attend_over_grid, can_fuse, products_with_positions

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA device")


@pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="Triton is not installed")
def test_the_kernel_equals_the_definition_in_tritons_interpreter():
    script = Path(__file__).parent / "grid_kernel_in_interpreter.py"
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=False, env={**os.environ}, timeout=600
    )

    assert done.returncode == 0, done.stderr
    errors = json.loads(done.stdout)
    assert max(errors["torch.float32"]) < 1e-6
    assert max(errors["torch.float16"]) < 2e-3


def test_products_with_positions_hold_those_of_each_query_with_its_rows_and_columns():
    torch.manual_seed(0)
    heads, c, h, w = 2, 4, 3, 5
    qkv = torch.randn(1, h, w, 3 * heads * c)
    table_h, table_w = torch.randn(2 * h - 1, c), torch.randn(2 * w - 1, c)

    near = products_with_positions(qkv, table_h, table_w, heads).unflatten(1, (h, w))

    assert near.shape == (heads, h, w, 2 * (h + w))
    q = qkv.view(h, w, 3, heads, c)[:, :, 0]
    rows = torch.einsum("hwnc,hkc->nhwk", q, relative_positions(table_h, h))
    columns = torch.einsum("hwnc,wkc->nhwk", q, relative_positions(table_w, w))
    for y in range(h):
        torch.testing.assert_close(near[:, y, :, y : y + h].flip(-1), rows[:, y])
    for x in range(w):
        beside = near[:, :, x, 2 * h - 1 + x : 2 * h - 1 + x + w]
        torch.testing.assert_close(beside.flip(-1), columns[:, :, x])


def test_the_operator_tells_its_shape_and_its_operations_without_being_run():
    with FakeTensorMode(), torch.no_grad(), FlopCounterMode(display=False) as counter:
        qkv = torch.empty(2, 20, 20, 3 * 32, device="cuda", dtype=torch.bfloat16)
        zero, table = qkv.new_empty(3 * 32), qkv.new_empty(27, 8)

        out = attend_over_grid(qkv, zero, table, table, 4, 14, 14)

    assert out.shape == (2, 20, 20, 32)
    queries = 2 * 4 * 14 * 14  # of four windows an image
    assert counter.get_total_flops() == queries * 32 * (4 * 14 * 14 + 2 * (14 + 14))


def test_gradients_and_other_numbers_go_the_other_way(monkeypatch):
    with FakeTensorMode(), torch.no_grad():
        on_cpu = torch.empty(1, 4, 4, 3 * 16)
        in_fp64 = torch.empty(1, 4, 4, 3 * 16, device="cuda", dtype=torch.float64)
        assert not can_fuse(on_cpu.bfloat16(), 1, 4, 4)
        assert not can_fuse(in_fp64, 1, 4, 4)
        with torch.enable_grad():
            assert not can_fuse(in_fp64.bfloat16(), 1, 4, 4)
            assert not can_fuse(on_cpu, 1, 4, 4)
        monkeypatch.setattr(fused_attention, "HAS_AVX2", False)
        assert not can_fuse(on_cpu, 1, 4, 4)
        monkeypatch.setattr(fused_attention, "HAS_AVX2", True)
        assert can_fuse(on_cpu, 1, 4, 4)


def _layer(grid, window, heads, c):
    torch.manual_seed(0)
    layer = GridAttention(heads * c, heads, grid[0], window)
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    if not window:
        layer.rel_pos_w = torch.nn.Parameter(0.3 * torch.randn(2 * grid[1] - 1, c))
    return layer


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize(
    ("grid", "window", "heads", "c", "images"),
    [((20, 20), 14, 2, 16, 1), ((37, 50), 14, 2, 80, 2), ((9, 100), 0, 1, 32, 1), ((3, 300), 0, 1, 16, 1),
     ((5, 3), 7, 1, 16, 2), ((32, 32), 0, 2, 64, 1)],
)  # fmt: skip
def test_on_a_processor_the_kernel_equals_the_definition(grid, window, heads, c, images, threads, monkeypatch):
    layer = _layer(grid, window, heads, c)
    qkv = torch.randn(images, *grid, 3 * heads * c)
    before = torch.get_num_threads()

    with torch.no_grad():
        monkeypatch.setattr(fused_attention, "HAS_AVX2", True)
        torch.set_num_threads(threads)
        fused = layer.attend(qkv).double()
        torch.set_num_threads(before)
        monkeypatch.setattr(fused_attention, "HAS_AVX2", False)
        truth = layer.double().attend(qkv.double())

    assert float((fused - truth).norm() / truth.norm()) < 1e-6


def test_on_a_processor_scores_of_any_size_do_not_overflow(monkeypatch):
    monkeypatch.setattr(fused_attention, "HAS_AVX2", True)
    layer = _layer((20, 20), 0, 1, 16)
    qkv = 60 * torch.randn(1, 20, 20, 48)

    with torch.no_grad():
        fused = layer.attend(qkv).double()
        truth = layer.double().attend(qkv.double())

    assert float((fused - truth).norm() / truth.norm()) < 1e-4


@needs_cuda
@pytest.mark.filterwarnings("default")  # Triton's own
@pytest.mark.parametrize(("dtype", "most"), [(torch.float32, 1e-5), (torch.float16, 2e-3), (torch.bfloat16, 2e-2)])
@pytest.mark.parametrize(("grid", "window"), [((64, 64), 14), ((64, 64), 0), ((37, 50), 14), ((9, 100), 0)])
def test_on_a_gpu_the_kernel_is_taken_and_equals_the_definition(grid, window, dtype, most, monkeypatch):
    torch.manual_seed(0)
    layer = GridAttention(2 * 80, 2, grid[0], window).cuda()
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    if not window:
        layer.rel_pos_w = torch.nn.Parameter(0.3 * torch.randn(2 * grid[1] - 1, 80, device="cuda"))
    layer.to(dtype)
    qkv = torch.randn(2, *grid, 480, device="cuda").to(dtype)

    with torch.no_grad():
        assert can_fuse(qkv, 2, window or grid[0], window or grid[1])
        fused = layer.attend(qkv).double()
        monkeypatch.setattr(image_encoder, "can_fuse", lambda *given: False)
        truth = layer.double().attend(qkv.double())

    assert float((fused - truth).norm() / truth.norm()) < most
