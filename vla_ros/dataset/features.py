"""What ``meta/info.json`` says of a dataset that somebody wrote, checked before anything is read of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from vla_ros.dataset.layout import ACTION, COUNTERS, IMAGES, INFO, STATE, UNIT, VERSION
from vla_ros.dataset.mapping import DatasetMapping, Vector, in_radians
from vla_ros.dataset.recording import CAMERA_NAME
from vla_ros.json_file import read_json
from vla_ros.types import VlaError

OLDER = 'v2.'
CONVERTER = 'python -m lerobot.scripts.convert_dataset_v21_to_v30'


class Info:
    """``info.json`` of the dataset in ``folder``, whose keys are looked up by what they must be.

    Raises:
        VlaError: the file is missing, of another version, or a key is missing or wrong.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / INFO
        self._content = read_json(self.path)
        found = self._content.get('codebase_version')
        if found != VERSION:
            older = isinstance(found, str) and found.startswith(OLDER)
            help_ = f'; LeRobot converts it: {CONVERTER}' if older else ''
            self.refuse('codebase_version', f'expected {VERSION!r}, found {found!r}{help_}')
        self.fps = self.number('fps', 1)
        self.episodes = self.number('total_episodes', 0)
        features = self._content.get('features')
        if not isinstance(features, dict):
            self.refuse('features', f'expected an object, found {type(features).__name__}')
        self.features: dict[str, Any] = features
        for name, dtype in COUNTERS.items():
            self.require_dtype(name, (dtype,))

    def refuse(self, key: str, sentence: str) -> NoReturn:
        """Raise VlaError about a key."""
        raise VlaError(f'{self.path}: {key}: {sentence}')

    def number(self, key: str, least: int) -> int:
        """A whole number."""
        found = self._content.get(key)
        whole = isinstance(found, int) or (isinstance(found, float) and found.is_integer())
        if found is None or isinstance(found, bool) or not whole or found < least:
            self.refuse(key, f'expected a whole number of at least {least}, found {found!r:.50}')
        return int(found)

    def require_path(self, key: str, expected: str) -> None:
        """Refuse files in other places than where LeRobot has them."""
        found = self._content.get(key)
        if found != expected:
            self.refuse(key, f'expected {expected!r}, found {found!r:.100}')

    @property
    def robot(self) -> str:
        """What the arm is called, '' if nobody said."""
        return str(self._content.get('robot_type') or '')

    def require_dtype(self, key: str, dtypes: Sequence[str]) -> dict[str, Any]:
        """The feature ``key``, which must be of one of these types."""
        if key not in self.features:
            self.refuse('features', f'expected {key!r}, found {sorted(self.features)[:30]}')
        feature = self.features[key]
        found = feature.get('dtype') if isinstance(feature, dict) else None
        if found not in dtypes:
            hint = '; only cameras that are kept as video are read' if found == 'image' else ''
            self.refuse(f'features.{key}.dtype', f'expected {" or ".join(dtypes)}, found {found!r}{hint}')
        return dict(feature)

    def names(self, key: str) -> tuple[str, ...]:
        """The names of the numbers of a vector."""
        feature = self.require_dtype(key, ('float32', 'float64'))
        found = feature.get('names')
        if isinstance(found, dict) and len(found) == 1:  # {'motors': [...]}, as older recordings have it
            found = next(iter(found.values()))
        shape = feature.get('shape')
        if not isinstance(found, list) or not all(isinstance(name, str) for name in found):
            self.refuse(f'features.{key}.names', f'expected a list of names, found {found!r:.100}')
        if shape != [len(found)]:
            self.refuse(f'features.{key}.shape', f'expected [{len(found)}], one a name, found {shape}')
        return tuple(found)

    def picture_size(self, key: str) -> tuple[int, int]:
        """(height, width) of a camera that is kept as video."""
        feature = self.require_dtype(key, ('video',))
        names, shape = feature.get('names'), feature.get('shape')
        if not isinstance(shape, list) or len(shape) != 3 or not all(isinstance(n, int) for n in shape):
            self.refuse(f'features.{key}.shape', f'expected three whole numbers, found {shape!r:.100}')
        if isinstance(names, list) and names and str(names[0]).startswith('channel'):
            shape = [*shape[1:], shape[0]]
        if shape[2] != 3:
            self.refuse(f'features.{key}.shape', f'expected 3 colours, found {feature["shape"]}')
        return int(shape[0]), int(shape[1])

    def own_mapping(self) -> DatasetMapping:
        """That of a dataset which says itself that it is in rad, as ours do."""
        for key in (STATE, ACTION):
            said = self.require_dtype(key, ('float32', 'float64')).get('info')
            found = said.get('unit') if isinstance(said, dict) else None
            if found != UNIT:
                self.refuse(
                    f'features.{key}.info.unit',
                    f'expected {UNIT!r}, found {found!r}; say what its numbers mean in a file like '
                    'config/datasets/so101_lerobot.yaml, and name that with --mapping',
                )
        cameras = tuple(key.removeprefix(IMAGES) for key in self.features if key.startswith(IMAGES))
        for camera in cameras:
            if not CAMERA_NAME.fullmatch(camera):
                self.refuse(
                    'features', f'expected cameras named as {CAMERA_NAME.pattern}, found {camera!r:.50}'
                )
        return in_radians(self.names(STATE), cameras)

    def require_columns(self, vector: Vector) -> tuple[str, ...]:
        """The names of a vector in the order of the dataset, all of which the mapping declares, and no others."""
        found, declared = self.names(vector.key), [column.name for column in vector.columns]
        if sorted(found) != sorted(declared):
            self.refuse(
                f'features.{vector.key}.names',
                f'expected those of the mapping, {sorted(declared)}, found {sorted(found)}',
            )
        return found
