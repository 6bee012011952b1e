"""``vla_ros import``: published checkpoints to what the nodes run without torch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vla_ros.cli.terminal import JsonFile, console, show_numbers, training_packages, write_json

app = typer.Typer(no_args_is_help=True, help='Make a published checkpoint into what the nodes run.')


@app.callback()
def imports() -> None:
    """So that each kind of checkpoint is a command of its own."""


@app.command()
def smolvla(
    checkpoint: Annotated[Path, typer.Argument(help="Folder of LeRobot's pretrained_model.")],
    out: Annotated[Path, typer.Option(help='New folder for the model.')],
    vlm: Annotated[
        Path | None,
        typer.Option(
            help='Folder with config.json and tokenizer.json of the vision-language model that it names.'
        ),
    ] = None,
    json_file: JsonFile = None,
) -> None:
    """A SmolVLA of LeRobot 0.4 or later, for backend smolvla of the action node. Needs torch, once."""
    with training_packages('import'):
        from vla_ros.training.import_smolvla import import_smolvla
    spec = import_smolvla(checkpoint, out, vlm, console.print)
    show_numbers(
        str(out),
        {
            'pictures': ', '.join(spec.images),
            'state': f'{len(spec.state.mean)} numbers',
            'action': f'{len(spec.action.mean)} numbers, {spec.horizon} steps',
            'largest difference from torch': spec.provenance['largest_difference_from_torch'],
        },
    )
    write_json(json_file, spec.model_dump(mode='json'))


@app.command('groot-onnx')
def groot_onnx(
    export: Annotated[
        Path,
        typer.Argument(help="What Isaac-GR00T's export_onnx_n1d7.py wrote, --export-mode full_pipeline."),
    ],
    checkpoint: Annotated[Path, typer.Option(help='Folder of the checkpoint that was exported.')],
    vlm: Annotated[
        Path, typer.Option(help='Folder with tokenizer, processor and chat template of Cosmos-Reason2-2B.')
    ],
    out: Annotated[Path, typer.Option(help='New folder for the model.')],
    embodiment: Annotated[
        str | None, typer.Option(help='Which robot, if the checkpoint knows several.')
    ] = None,
    json_file: JsonFile = None,
) -> None:
    """A GR00T N1.7 in the official ONNX export, for backend groot_onnx of the action node. Needs torch, once."""
    with training_packages('import'):
        from vla_ros.training.import_groot import import_groot
    spec = import_groot(export, checkpoint, vlm, out, embodiment, console.print)
    show_numbers(
        str(out),
        {
            'embodiment': f'{spec.embodiment} ({spec.embodiment_id})',
            'pictures': ', '.join(spec.pictures.keys),
            'state': ', '.join(f'{part.key} ({part.width})' for part in spec.state),
            'actions': ', '.join(
                f'{part.key} ({part.width}, {part.representation})' for part in spec.actions
            ),
            'horizon': f'{spec.horizon} steps',
        },
    )
    write_json(json_file, spec.model_dump(mode='json'))
