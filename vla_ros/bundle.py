"""A model on disk: ``manifest.yaml`` and the files it names, validated and checksummed before anything runs.

Nothing is guessed. A loader that finds something else than the manifest says refuses with the key, what was expected
and what was found. ``vla_ros.manifest`` says what a manifest may say.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from vla_ros.manifest import LARGEST_FILE, FileSpec, Manifest
from vla_ros.strict_yaml import read_yaml, write_yaml
from vla_ros.types import IndexArray, VlaError
from vla_ros.validation import first_problem

MANIFEST = 'manifest.yaml'
LARGEST_MANIFEST = 250_000  # bytes; a manifest is a page of text


@dataclass(frozen=True)
class Bundle:
    """A validated manifest and the folder it lives in."""

    folder: Path
    manifest: Manifest

    def file(self, key: str) -> Path:
        """The path of one of the manifest's files; VlaError as of ``checked_file``."""
        return checked_file(self.folder, MANIFEST, self.manifest.files, key, repr(self.manifest.name))

    def rows_of(self, cameras: tuple[str, ...]) -> IndexArray:
        """Row indices (N,) of the given cameras' tokens in the token matrix."""
        start = 0
        rows: dict[str, IndexArray] = {}
        for camera in self.manifest.cameras:
            rows[camera.name] = np.arange(start, start + camera.tokens)
            start += camera.tokens
        return np.concatenate([rows[name] for name in cameras])


def checked_file(folder: Path, manifest: str, files: Mapping[str, FileSpec], key: str, name: str) -> Path:
    """The path of a file that a manifest names by ``key``, checked against its SHA-256.

    Raises:
        VlaError: the key is not in the manifest; the file is missing, too large, was altered or, by a link, lies
        outside of the folder.
    """
    spec = files.get(key)
    if spec is None:
        raise VlaError(f'{folder / manifest}: files.{key} is missing; found {sorted(files)}')
    where = f'{folder / manifest}: files.{key}'
    path = (folder / spec.path).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise VlaError(f'{where} must stay inside of the bundle, found {spec.path!r}, which leads to {path}')
    if not path.is_file():
        raise VlaError(f'{path} is missing; restore the bundle {name}')
    largest, size = LARGEST_FILE[Path(spec.path).suffix], path.stat().st_size
    if size > largest:
        raise VlaError(f'{where}: expected at most {largest} bytes, found {size}')
    found = sha256(path)
    if found != spec.sha256:
        raise VlaError(
            f'{path} was altered: expected SHA-256 {spec.sha256[:12]}..., found {found[:12]}...; '
            'restore it or export it again'
        )
    return path


def sha256(path: Path) -> str:
    """SHA-256 of a file as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open('rb') as file:
        for block in iter(lambda: file.read(1 << 20), b''):
            digest.update(block)
    return digest.hexdigest()


def load_bundle(folder: Path) -> Bundle:
    """Read and validate the manifest of a bundle; its files are checked when they are opened.

    Raises:
        VlaError: no manifest, not YAML, or a key that is missing, unknown or out of range.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise VlaError(f'{path} is missing; a bundle is a folder with a {MANIFEST}')
    content = read_yaml(path, LARGEST_MANIFEST)
    try:
        return Bundle(folder, Manifest.model_validate(content))
    except ValidationError as error:
        raise VlaError(f'{path}: {first_problem(error)}') from error


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write ``manifest.yaml`` into the bundle's folder, keys in the order of the schema."""
    write_yaml(folder / MANIFEST, manifest.model_dump(mode='json'))
