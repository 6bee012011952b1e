"""``vla_ros inspect``: what is in a bundle."""

from __future__ import annotations

from typing import Annotated

import typer

from vla_ros.cli.terminal import DEFAULT_BUNDLE, JsonFile, console, write_json


def inspect(bundle: Annotated[str, typer.Argument()] = DEFAULT_BUNDLE, json_file: JsonFile = None) -> None:
    """Show a bundle's manifest and verify its checksums."""
    from vla_ros.bundle import load_bundle
    from vla_ros.paths import bundle_directory
    from vla_ros.viz.manifest_table import manifest_table

    opened = load_bundle(bundle_directory(bundle))
    console.print(manifest_table(opened))
    for key in opened.manifest.files:
        opened.file(key)
    console.print(f'[green]{len(opened.manifest.files)} files, all as their checksums say[/green]')
    write_json(json_file, opened.manifest.model_dump(mode='json'))
