"""Version 3 of LeRobot's dataset format: what is written is read again, and what is not whole is refused by name."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

pa = pytest.importorskip('pyarrow')
pytest.importorskip('av')

import pyarrow.parquet as pq  # noqa: E402
from recordings import JOINTS, SPEC, frame, picture, state, write_dataset  # noqa: E402

from vla_ros.dataset import layout, packages, writer  # noqa: E402
from vla_ros.dataset.mapping import DatasetMapping, load_mapping  # noqa: E402
from vla_ros.dataset.reader import DatasetReader  # noqa: E402
from vla_ros.dataset.recording import RecordedFrame, RecordingSpec  # noqa: E402
from vla_ros.dataset.statistics import PictureStatistics, of_numbers, together  # noqa: E402
from vla_ros.dataset.summary import summary  # noqa: E402
from vla_ros.dataset.writer import DatasetWriter  # noqa: E402
from vla_ros.types import VlaError  # noqa: E402

LENGTHS = (5, 7, 4)


@pytest.fixture(scope='module')
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp('data') / 'toy', LENGTHS)


@pytest.fixture
def dataset(written: Path, tmp_path: Path) -> Path:
    """A copy that may be spoilt."""
    return shutil.copytree(written, tmp_path / 'toy')


def require_whole(reader: DatasetReader, lengths: tuple[int, ...]) -> None:
    """All numbers as they were, and each picture the one of its frame."""
    assert tuple(episode.length for episode in reader.episodes) == lengths
    for episode, length in enumerate(lengths):
        numbers = reader.numbers(episode)
        expected = np.array([state(episode, number) for number in range(length + 1)])
        np.testing.assert_allclose(numbers.state, expected[:-1], atol=1e-6)
        np.testing.assert_allclose(numbers.action, expected[1:], atol=1e-6)
        assert set(numbers.tasks) == {f'task {episode % 2}'}
        for camera, size in SPEC.cameras.items():
            shown = list(reader.images(episode, camera, range(length)))
            assert len(shown) == length
            for number, image in enumerate(shown):
                assert np.abs(image.astype(int) - picture(size, episode, number)).max() <= 6


def test_given_written_episodes_when_read_then_numbers_pictures_and_words_are_the_same(written: Path) -> None:
    reader = DatasetReader(written)
    assert reader.spec == SPEC
    require_whole(reader, LENGTHS)
    assert len(list((written / 'videos').rglob('*.mp4'))) == 2  # many episodes share a file
    assert not list(written.rglob('.*'))
    found = summary(reader)
    assert (found['episodes'], found['frames'], found['tasks']) == (3, 16, 2)
    assert found['degrees']['pan'] == (0.0, pytest.approx(np.degrees(0.23), abs=0.1))


def test_given_any_frame_when_asked_for_alone_then_it_is_that_one(written: Path) -> None:
    found = DatasetReader(written).frame(1, 4)
    assert found.timestamp == 4 / SPEC.fps
    np.testing.assert_allclose(found.state, state(1, 4), atol=1e-6)
    assert np.abs(found.images['front'].astype(int) - picture((32, 48), 1, 4)).max() <= 6


def test_given_files_that_get_full_then_others_are_begun_and_everything_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layout, 'VIDEO_MEGABYTES', 1e-9)
    monkeypatch.setattr(layout, 'DATA_MEGABYTES', 1e-9)
    monkeypatch.setattr(layout, 'CHUNK_FILES', 2)
    folder = write_dataset(tmp_path / 'toy', LENGTHS, commit_every=2)
    require_whole(DatasetReader(folder), LENGTHS)
    files = sorted(path.relative_to(folder).as_posix() for path in (folder / 'data').rglob('*.parquet'))
    assert files == [
        'data/chunk-000/file-000.parquet',
        'data/chunk-000/file-001.parquet',
        'data/chunk-001/file-000.parquet',
    ]


def test_given_a_recording_that_is_broken_off_then_what_was_finished_is_there(tmp_path: Path) -> None:
    recording = DatasetWriter(tmp_path / 'toy', SPEC)
    for episode, length in enumerate((5, 7)):
        for number in range(length):
            recording.add(frame(episode, number))
        recording.end_episode()
    recording.add(frame(2, 0))
    # Nobody closes it: this is what is on disk when the process is killed here.
    require_whole(DatasetReader(tmp_path / 'toy'), (5, 7))


@pytest.mark.parametrize('step', ['write_tasks', '_put_rows', '_write_info'])
def test_given_a_commit_that_is_broken_off_then_the_episodes_before_it_are_as_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    recording = DatasetWriter(tmp_path / 'toy', SPEC)
    for number in range(5):
        recording.add(frame(0, number))
    recording.end_episode()
    monkeypatch.setattr(writer.tables if step == 'write_tasks' else recording, step, killed)
    for number in range(7):
        recording.add(frame(1, number))
    with pytest.raises(KeyboardInterrupt):
        recording.end_episode()
    require_whole(DatasetReader(tmp_path / 'toy'), (5,))


def test_a_dropped_episode_leaves_no_trace(tmp_path: Path) -> None:
    with DatasetWriter(tmp_path / 'toy', SPEC) as recording:
        recording.add(frame(0, 0, task='a mistake'))
        recording.drop_episode()
        recording.end_episode()
        for number in range(5):
            recording.add(frame(0, number))
        recording.end_episode()
    require_whole(DatasetReader(tmp_path / 'toy'), (5,))
    assert summary(DatasetReader(tmp_path / 'toy'))['tasks'] == 1


def test_given_a_dataset_without_an_episode_then_it_can_be_read(tmp_path: Path) -> None:
    DatasetWriter(tmp_path / 'toy', SPEC).close()
    assert DatasetReader(tmp_path / 'toy').episodes == ()


def changed(path: Path, **values: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def feature(folder: Path, key: str, **values: object) -> None:
    found = json.loads((folder / layout.INFO).read_text())['features']
    found[key] |= values
    changed(folder / layout.INFO, features=found)


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def column(folder: Path, name: str, values: object) -> None:
    path = folder / 'data' / 'chunk-000' / 'file-000.parquet'
    table = pq.read_table(path)
    index = table.column_names.index(name)
    pq.write_table(
        table.drop([name]) if values is None else table.set_column(index, name, pa.array(values)), path
    )


def episode_column(folder: Path, name: str, values: object) -> None:
    path = folder / 'meta' / 'episodes' / 'chunk-000' / 'file-000.parquet'
    table = pq.read_table(path)
    pq.write_table(table.set_column(table.column_names.index(name), name, pa.array(values)), path)


FRONT = 'videos/observation.images.front/chunk-000/file-000.mp4'
SPOILT = {
    'another version': (
        lambda f: changed(f / layout.INFO, codebase_version='v2.1'),
        "codebase_version: expected 'v3.0', found 'v2.1'; LeRobot converts it",
    ),
    'a missing key': (lambda f: changed(f / layout.INFO, features={}), "features: expected 'timestamp'"),
    'another dtype': (
        lambda f: feature(f, 'action', dtype='int64'),
        "features.action.dtype: expected float32 or float64, found 'int64'",
    ),
    'pictures as files': (
        lambda f: feature(f, 'observation.images.front', dtype='image'),
        "dtype: expected video, found 'image'",
    ),
    'names that are not as many': (lambda f: feature(f, 'action', shape=[4]), r'shape: expected \[3\]'),
    'an unknown unit': (lambda f: feature(f, 'action', info=None), "info.unit: expected 'rad', found None"),
    'half a rate': (lambda f: changed(f / layout.INFO, fps=12.5), 'fps: expected a whole number'),
    'a path out of the folder': (
        lambda f: changed(f / layout.INFO, data_path='../{chunk_index}/{file_index}'),
        "data_path: expected 'data/chunk-",
    ),
    'no info': (lambda f: (f / layout.INFO).unlink(), 'info.json is missing'),
    'half of info': (lambda f: cut_off(f / layout.INFO), 'info.json is not JSON'),
    'no tasks': (lambda f: (f / layout.TASKS).unlink(), 'tasks.parquet is missing'),
    'an episode too many': (
        lambda f: changed(f / layout.INFO, total_episodes=4),
        'expected rows of episodes 0 to 3',
    ),
    'an episode that is nowhere': (
        lambda f: episode_column(f, 'data/file_index', [0, None, 0]),
        'data/file_index: expected a number from 0 or 1 on, found None',
    ),
    'a video that is cut off': (lambda f: cut_off(f / FRONT), 'file-000.mp4 cannot be decoded'),
    'no video': (lambda f: (f / FRONT).unlink(), 'file-000.mp4 cannot be decoded, is missing'),
    'half of the numbers': (
        lambda f: cut_off(f / 'data' / 'chunk-000' / 'file-000.parquet'),
        'no parquet file, or cut off',
    ),
    'a missing column': (lambda f: column(f, 'action', None), "expected column 'action'"),
    'a column of another type': (
        lambda f: column(f, 'action', [[1, 2, 3]] * 16),
        'action: expected lists of 3 float32, found list',
    ),
    'a number that is none': (
        lambda f: column(f, 'action', [[0.0, np.nan, 0.0]] * 16),
        'action: expected finite numbers',
    ),
    'rows of another length': (
        lambda f: column(f, 'action', [[0.0, 1.0]] * 16),
        'action: expected 3 numbers in each',
    ),
    'a late row': (lambda f: column(f, 'timestamp', [0.0, 0.1] * 8), 'timestamp: expected frame_index / 20'),
    'a missing row': (lambda f: column(f, 'frame_index', list(range(1, 17))), 'expected frames 0 to 4'),
    'an unknown task': (lambda f: column(f, 'task_index', [9] * 16), 'task_index: expected one of'),
}


@pytest.mark.parametrize('what', SPOILT)
def test_given_a_spoilt_dataset_when_read_then_one_sentence_says_where_and_what(
    dataset: Path, what: str
) -> None:
    spoil, sentence = SPOILT[what]
    spoil(dataset)
    with pytest.raises(VlaError, match=sentence):
        summary(DatasetReader(dataset))


def test_given_no_pyarrow_then_one_sentence_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> None:
        raise ImportError(f'No module named {name!r}')

    monkeypatch.setattr(packages, 'import_module', missing)
    with pytest.raises(VlaError, match=r"pyarrow is not installed .*pip install 'vla_ros\[dataset\]'"):
        DatasetWriter(tmp_path / 'toy', SPEC)


@pytest.mark.parametrize(
    ('change', 'sentence'),
    [
        ({'images': {}}, r"images: expected those of \['front', 'wrist'\], found those of \[\]"),
        ({'state': np.zeros(2)}, 'state: expected 3 numbers'),
        ({'action': np.full(3, np.inf)}, 'action: expected finite numbers'),
        ({'timestamp': 0.3}, 'timestamp of frame 0: expected 0.000000 s'),
        ({'task': ' '}, 'task: expected words'),
    ],
)
def test_given_a_frame_that_does_not_fit_then_it_is_refused_and_the_episode_goes_on(
    tmp_path: Path, change: dict[str, object], sentence: str
) -> None:
    with DatasetWriter(tmp_path / 'toy', SPEC) as recording:
        with pytest.raises(VlaError, match=sentence):
            recording.add(RecordedFrame(**{**vars(frame(0, 0)), **change}))
        assert recording.length == 0


def test_given_a_folder_with_something_in_it_or_an_odd_picture_then_nothing_is_written(
    tmp_path: Path,
) -> None:
    (tmp_path / 'mine.txt').touch()
    with pytest.raises(VlaError, match='expected a new or an empty folder'):
        DatasetWriter(tmp_path, SPEC)
    with pytest.raises(VlaError, match='camera front: expected an even height and width.*31 x 48'):
        DatasetWriter(tmp_path / 'new', RecordingSpec(20, JOINTS, {'front': (31, 48)}))
    assert not (tmp_path / 'new').exists()


# An SO-101 as LeRobot records it.


def test_given_degrees_and_percent_when_mapped_then_states_are_rad(tmp_path: Path) -> None:
    mapping = load_mapping('so101_lerobot')
    theirs = tuple(column.name for column in mapping.state.columns)
    spec = RecordingSpec(20, theirs, {'front': (32, 32), 'wrist': (32, 32)})
    numbers = np.array([90.0, -45.0, 0.0, 180.0, 1.0, 50.0])
    with DatasetWriter(tmp_path / 'toy', spec) as recording:
        recording.add(RecordedFrame(frame(0, 0, spec).images, numbers, numbers, 0.0, 'lift it'))
        recording.end_episode()
    feature(tmp_path / 'toy', 'observation.state', info=None)  # LeRobot says no unit

    with pytest.raises(VlaError, match='name that with --mapping'):
        DatasetReader(tmp_path / 'toy')
    reader = DatasetReader(tmp_path / 'toy', mapping)

    assert reader.spec.joints[-1] == 'gripper'
    half_open = (-0.17453 + 1.74533) / 2
    expected = [np.pi / 2, -np.pi / 4, 0.0, np.pi, np.pi / 180, half_open]
    np.testing.assert_allclose(reader.numbers(0).state[0], expected, atol=1e-5)


def test_given_a_mapping_that_leaves_a_number_out_then_it_is_refused(written: Path) -> None:
    content = DatasetReader(written).mapping.model_dump()
    for vector in ('state', 'action'):
        content[vector]['columns'] = content[vector]['columns'][:2]
    with pytest.raises(VlaError, match=r"names: expected those of the mapping, \['lift', 'pan'\], found"):
        DatasetReader(written, DatasetMapping.model_validate(content))


def test_given_a_mapping_file_with_a_wrong_key_then_it_is_named(tmp_path: Path) -> None:
    path = tmp_path / 'mine.yaml'
    path.write_text('{name: mine, title: Mine, state: {key: s, columns: [{name: a, joint: a, unit: turns}]}}')
    with pytest.raises(VlaError, match=r'mine.yaml: state.columns.0.unit: '):
        load_mapping(str(path))


# Statistics.

TABLE = arrays(np.float64, st.tuples(st.integers(1, 20), st.just(2)), elements=st.floats(-100, 100))


@given(TABLE, TABLE)
def test_statistics_of_parts_together_are_those_of_the_whole(one: np.ndarray, other: np.ndarray) -> None:
    found, whole = together([of_numbers(one), of_numbers(other)]), np.concatenate([one, other])
    for name, expected in (
        ('min', whole.min(0)),
        ('max', whole.max(0)),
        ('mean', whole.mean(0)),
        ('std', whole.std(0)),
    ):
        np.testing.assert_allclose(found[name], expected, atol=1e-6)
    assert found['count'] == [len(whole)]
    outermost = np.minimum(np.quantile(one, 0.1, axis=0), np.quantile(other, 0.1, axis=0))
    np.testing.assert_allclose(found['q10'], outermost)


def test_statistics_of_pictures_are_those_of_their_pixels_in_shares_of_white() -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, 8, 10, 3)).astype(np.uint8)
    counted = PictureStatistics()
    for image in images:
        counted.add(image)
    found, pixels = counted.result(), images.reshape(-1, 3) / 255
    assert found['mean'].shape == (3, 1, 1)
    for name, expected in (
        ('min', pixels.min(0)),
        ('max', pixels.max(0)),
        ('mean', pixels.mean(0)),
        ('std', pixels.std(0)),
        ('q50', np.quantile(pixels, 0.5, axis=0, method='inverted_cdf')),
        ('q99', np.quantile(pixels, 0.99, axis=0, method='inverted_cdf')),
    ):
        np.testing.assert_allclose(found[name].ravel(), expected, atol=1e-9)
    assert found['count'] == [3]
