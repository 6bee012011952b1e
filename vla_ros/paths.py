"""Where the files that come with the package are: launch, config, models, rviz.

The same files lie in three places, depending on how the package came to the machine: the source tree (cloned, or
installed editable), ``<prefix>/share/vla_ros`` (pip, colcon), or a prefix of the ament index.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from vla_ros.types import VlaError

PACKAGE = 'vla_ros'


def share_directory(
    *,
    module: Path = Path(__file__),
    prefix: str = sys.prefix,
    environment: Mapping[str, str] = os.environ,
) -> Path:
    """The folder that holds package.xml, launch, config and models.

    Args:
        module: a file of the installed package; it decides what the source tree is.
        prefix: the prefix of the running Python.
        environment: read for AMENT_PREFIX_PATH.

    Raises:
        VlaError: none of the places has it; the message lists them all.
    """
    candidates = places(module, prefix, environment)
    for candidate in candidates:
        if (candidate / 'package.xml').is_file():
            return candidate
    looked_at = ', '.join(str(candidate) for candidate in candidates)
    raise VlaError(
        f'the shared files of {PACKAGE} are missing: no package.xml in {looked_at}; install it again'
    )


def places(module: Path, prefix: str, environment: Mapping[str, str]) -> tuple[Path, ...]:
    """The folders that are looked at, in order: source tree, the package's own prefix, Python's, the ament index."""
    module = module.resolve()
    shared = Path('share') / PACKAGE
    source_tree = module.parent.parent
    # <prefix>/lib/python3.x/site-packages/vla_ros/paths.py: true of pip, pip --user and colcon alike.
    own_prefix = [module.parents[4] / shared] if len(module.parents) > 4 else []
    ament = [
        Path(entry) / shared for entry in environment.get('AMENT_PREFIX_PATH', '').split(os.pathsep) if entry
    ]
    return tuple(dict.fromkeys([source_tree, *own_prefix, Path(prefix) / shared, *ament]))


def config_file(name: str) -> Path:
    """A file that comes with the package in config/.

    Raises:
        VlaError: there is no such file.
    """
    path = share_directory() / 'config' / name
    if not path.is_file():
        raise VlaError(f'{path} is missing; install {PACKAGE} again')
    return path


def named_yaml(kind: str, given: str, key: str) -> Path:
    """A YAML file in config/<kind>, by its name there, or one of one's own by its path.

    Raises:
        VlaError: there is neither; ``key`` is what the sentence calls it.
    """
    folder = share_directory() / 'config' / kind
    names = sorted(path.stem for path in folder.glob('*.yaml'))
    path = folder / f'{given}.yaml' if given in names else Path(given).expanduser()
    if path.suffix != '.yaml' or not path.is_file():
        raise VlaError(f'{key}: expected one of {names} or the path of a .yaml, found {given!r}')
    return path


def bundle_directory(bundle: str) -> Path:
    """The folder of a bundle, given by the name of one that comes with the package or by its path.

    Raises:
        VlaError: neither exists; the message lists the names there are.
    """
    models = share_directory() / 'models'
    names = sorted(path.parent.name for path in models.glob('*/manifest.yaml'))
    if bundle in names:
        return models / bundle
    given = Path(bundle).expanduser()
    if bundle and given.is_dir():
        return given.resolve()
    known = ', '.join(names) or 'none'
    raise VlaError(
        f'bundle: expected a folder or the name of a bundle in {models} ({known}), found {bundle!r}'
    )
