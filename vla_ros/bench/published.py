"""Published times of GR00T N1.7's action head on NVIDIA's machines, and whether the roofline model explains them.

Times: scripts/deployment/README.md of NVIDIA/Isaac-GR00T (4 steps, 1 camera, TensorRT), the column of the head.
Machines: bandwidth of NVIDIA's data sheets, and dense half precision on tensor cores, derived by factors of two where a
sheet has only fewer bits or sparse numbers; the head is bound by bandwidth on all of them.
Sizes: the published checkpoint's configuration, 32 layers of width 1536, 41 tokens, every other one attending to
features of the language model, 2048 wide.
"""

from __future__ import annotations

from typing import Any

from vla_ros.bench.roofline import Machine, fit_roofline
from vla_ros.bench.work import Product, Work, work_of

MACHINES = {
    'H100': Machine(989e12, 3350e9),
    'RTX Pro 6000 Blackwell': Machine(503e12, 1792e9),
    'DGX Spark': Machine(125e12, 273e9),
    'AGX Thor': Machine(258e12, 273e9),
    'AGX Orin': Machine(42.5e12, 204.8e9),
}
HEAD_SECONDS = {
    'H100': 12.3e-3,
    'RTX Pro 6000 Blackwell': 13.2e-3,
    'DGX Spark': 52.4e-3,
    'AGX Thor': 56.6e-3,
    'AGX Orin': 78.6e-3,
}
STEPS, LAYERS, WIDTH, ROWS, SOURCE_WIDTH, SOURCE_ROWS = 4, 32, 1536, 41, 2048, 128
HALF = 2  # bytes of a number


def head_work() -> Work:
    """The action head's work for one chunk; its operators are layers and steps."""
    cross, times = LAYERS // 2, STEPS
    products: list[Product] = [
        (SOURCE_ROWS, SOURCE_WIDTH, 2 * WIDTH, cross * times),
        (ROWS, WIDTH, WIDTH, 2 * cross * times),
        (ROWS, WIDTH, 4 * WIDTH, cross * times),
        (ROWS, WIDTH, 4 * WIDTH, LAYERS * times),
        (ROWS, 4 * WIDTH, WIDTH, LAYERS * times),
        (1, WIDTH, 2 * WIDTH, LAYERS * times),
    ]
    return work_of(products, LAYERS * times, HALF)


def published_check() -> dict[str, Any]:
    """Each machine's time as the others predict it, and the largest factor by which that is wrong."""
    work = head_work()
    table = {}
    for name, machine in MACHINES.items():
        others = [(work, MACHINES[other], HEAD_SECONDS[other]) for other in MACHINES if other != name]
        predicted = fit_roofline(others).seconds(work, machine)
        table[name] = {
            'published_ms': round(1e3 * HEAD_SECONDS[name], 1),
            'predicted_ms': round(1e3 * predicted, 1),
            'bound_ms': round(1e3 * machine.bound(work), 1),
        }
    factors = [row['predicted_ms'] / row['published_ms'] for row in table.values()]
    model = fit_roofline([(work, MACHINES[name], HEAD_SECONDS[name]) for name in MACHINES])
    return {
        'machines': table,
        'largest_factor': round(max(max(factor, 1 / factor) for factor in factors), 3),
        'efficiency': round(model.efficiency, 3),
        'microseconds_a_layer': round(1e6 * model.overhead, 2),
    }
