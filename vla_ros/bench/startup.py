"""Starting: what the robot's side imports, how long that takes, and what it keeps in memory."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from vla_ros.bench.figures import figure
from vla_ros.bench.section import Request, Section
from vla_ros.types import VlaError

UNWANTED = ('torch', 'transformers')
LIMITS = {'import_seconds': 1.0, 'resident_mib': 400.0}
PROGRAM = """
import json, resource, sys, time
begun = time.perf_counter()
import {module}
{more}
seconds = time.perf_counter() - begun
loaded = [name for name in {unwanted} if name in sys.modules]
kibibytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({{'seconds': seconds, 'loaded': loaded, 'mib': kibibytes / 1024}}))
"""
IMPORTS = ('vla_ros.nodes.composed', 'vla_ros.reasoning.onnx_reasoner')
"""What the robot runs, and what is left of it where there is no ROS."""
MODELS = """
from pathlib import Path
from vla_ros.action.flow import FlowPolicy
from vla_ros.perception.encoder import Encoder
from vla_ros.reasoning.onnx_reasoner import OnnxReasoner
begun = time.perf_counter()
bundle = vla_ros.bundle.load_bundle(Path(sys.argv[1]))
models = Encoder(bundle), OnnxReasoner(bundle), FlowPolicy(bundle)
models[2].warm_up()
"""


def startup_section(request: Request) -> Section:
    """How soon it starts.

    Measured, each in a fresh process:

    import_seconds: importing everything that the composed nodes are made of.
    load_seconds: opening all three models and running the first action.
    resident_mib: the most memory that all three models took, without DDS.
    import_share, resident_share: the same as shares of their limits, 1 s and 400 MiB; less is better.
    unwanted: libraries of training that were loaded; there must be none.
    """
    section = Section()
    imports: list[dict[str, Any]] = []
    loads: list[dict[str, Any]] = []
    program = IMPORTS[0]
    for _ in range(request.effort.runs):
        try:
            imports.append(_fresh(request, program))
        except VlaError as error:  # no ROS here
            if program == IMPORTS[1]:
                raise
            section.missing.append(str(error))
            program = IMPORTS[1]
            imports.append(_fresh(request, program))
        loads.append(_fresh(request, 'vla_ros.bundle', MODELS))
    section.figures['import_seconds'] = figure([run['seconds'] for run in imports])
    section.figures['load_seconds'] = figure([run['seconds'] for run in loads])
    section.figures['resident_mib'] = figure([run['mib'] for run in loads])
    for name, limit in LIMITS.items():
        found = section.figures[name]
        section.figures[name.split('_')[0] + '_share'] = figure(
            [value / limit for value in (found.minimum, found.median, found.maximum)]
        )
    section.values['unwanted'] = sorted({name for run in (*imports, *loads) for name in run['loaded']})
    return section


def _fresh(request: Request, module: str, more: str = '') -> dict[str, Any]:
    """What a process of its own says of importing the module and doing more."""
    program = PROGRAM.format(module=module, more=more, unwanted=UNWANTED)
    done = subprocess.run(
        [sys.executable, '-c', program, str(request.bundle)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise VlaError(f'{module}: {done.stderr.strip().splitlines()[-1][:200]}')
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found
