"""Models of many sizes with random weights, for what grows with what. Run as a program: it needs torch."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from vla_ros.bench.work import Product, flow_products, work_of

CAMERAS, HORIZONS, STEPS, THOUGHTS = (1, 2, 3, 4), (8, 16, 32, 64), (1, 2, 4, 8, 16), (8, 16, 32, 64)
PARAMETERS = {1: (1, 1), 4: (2, 1), 16: (4, 1), 64: (4, 4)}
"""How many times as many parameters: how many times as wide, and as deep."""
QUICK = 2  # points of each sweep
Sizes = Mapping[str, Any]
"""Of System 1, as ``vla_ros.training.flow.FlowConfig`` has them."""


def write_growth(bundle: Path, out: Path, *, quick: bool = False) -> list[dict[str, Any]]:
    """A graph a point of each sweep around the bundle's sizes, and an index of them with the work that each is."""
    import torch

    from vla_ros.bundle import load_bundle
    from vla_ros.training.action_stage import load_action
    from vla_ros.training.flow import FlowConfig, FlowHead
    from vla_ros.training.flow_graph import write_flow

    torch.manual_seed(0)
    out.mkdir(parents=True, exist_ok=True)
    head, _ = load_action(bundle)
    manifest, index = load_bundle(bundle).manifest, []
    a_camera = head.config.tokens // len(manifest.cameras)
    for sweep, points in sweeps(asdict(head.config), manifest.thought.rows, a_camera).items():
        for value, sizes, thought_rows in points[:QUICK] if quick else points:
            path = out / f'{sweep}_{value}.onnx'
            write_flow(FlowHead(FlowConfig(**sizes)).eval(), path, thought_rows)
            index.append(_entry(sweep, value, path, flow_products(sizes, thought_rows)))
    for cameras, products in _eyes(bundle, out, CAMERAS[:QUICK] if quick else CAMERAS):
        index.append(_entry('eyes', cameras, out / f'eyes_{cameras}.onnx', products))
    (out / 'index.json').write_text(json.dumps(index), encoding='utf-8')
    return index


def sweeps(own: Sizes, rows: int, a_camera: int) -> dict[str, list[tuple[int, Sizes, int]]]:
    """Points of each sweep: its value, the sizes of System 1, and the rows of the thought.

    Args:
        own: sizes of the bundle; rows: of its thought; a_camera: visual tokens of one camera.
    """

    def larger(wide: int, deep: int) -> Sizes:
        return {
            **own,
            'width': wide * own['width'],
            'heads': wide * own['heads'],
            'pairs': deep * own['pairs'],
        }

    return {
        'cameras': [(n, {**own, 'tokens': n * a_camera}, rows) for n in CAMERAS],
        'horizon': [(n, {**own, 'horizon': n, 'prefix': min(own['prefix'], n - 1)}, rows) for n in HORIZONS],
        'flow_steps': [(n, {**own, 'steps': n}, rows) for n in STEPS],
        'thought_rows': [(n, own, n) for n in THOUGHTS],
        'parameters': [(times, larger(*how), rows) for times, how in PARAMETERS.items()],
    }


def _eyes(bundle: Path, out: Path, counts: tuple[int, ...]) -> Iterator[tuple[int, list[Product]]]:
    from vla_ros.training.export import export_vision
    from vla_ros.training.stages import load_llava

    tower: Any = load_llava(bundle).model.vision_tower
    sizes = tower.config
    width, layers = sizes.hidden_size, sizes.num_hidden_layers
    tokens = (sizes.image_size // sizes.patch_size) ** 2
    for cameras in counts:
        export_vision(tower, out / f'eyes_{cameras}.onnx', cameras)
        rows = cameras * tokens
        yield (
            cameras,
            [
                (rows, 3 * sizes.patch_size**2, width, 1),
                (rows, width, 4 * width, layers),
                (rows, width, tokens, layers),
                (rows, tokens, width, layers),
                (rows, width, sizes.intermediate_size, layers),
                (rows, sizes.intermediate_size, width, layers),
            ],
        )


def _entry(sweep: str, value: int, path: Path, products: list[Product]) -> dict[str, Any]:
    import onnx

    nodes = len(onnx.load(str(path)).graph.node)
    return {'sweep': sweep, 'value': value, 'file': path.name, **asdict(work_of(products, nodes))}


if __name__ == '__main__':
    write_growth(Path(sys.argv[1]), Path(sys.argv[2]), quick=sys.argv[3:] == ['quick'])
