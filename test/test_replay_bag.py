"""Bags of whatever storage, layout and clock lead to the same replay; what cannot be read is told in one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest
from replay_bags import BEGAN, GO, make_model, ros_messages, write_bag
from sensor_msgs.msg import CameraInfo, JointState

from vla_ros.evaluation.cdr import restamped, stamp_of
from vla_ros.evaluation.replay.clock import ClockSource
from vla_ros.evaluation.replay.outcome import trajectories_sha256
from vla_ros.evaluation.replay.run import Selection, replay
from vla_ros.types import NANOSECONDS, VlaError

REMAPS = ('camera/front/image_raw:=/cam/color', 'joint_states:=robot/joints')


def digest(bag: Path, selection: Selection | None = None) -> str:
    outcome = replay(bag, make_model(), selection)
    assert len(outcome.replayed.plans) >= 3
    assert outcome.refusals == ()
    return trajectories_sha256(outcome.sent, outcome.replayed.plans.values)


@pytest.fixture(scope='module')
def bag(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bag(tmp_path_factory.mktemp('bags') / 'bag', ros_messages())


@pytest.fixture(scope='module')
def expected(bag: Path) -> str:
    return digest(bag)


def test_mcap_and_sqlite_bags_and_their_files_alone_give_the_same(
    bag: Path, expected: str, tmp_path: Path
) -> None:
    sqlite = write_bag(tmp_path / 'sqlite', ros_messages(), plugin='SQLITE3')
    (mcap_file,), (db_file,) = bag.glob('*.mcap'), sqlite.glob('*.db3')
    alone = tmp_path / 'without_metadata'
    alone.mkdir()
    (alone / 'run_0.mcap').write_bytes(mcap_file.read_bytes())

    assert [digest(path) for path in (sqlite, mcap_file, db_file, alone)] == [expected] * 4


def test_namespaces_and_remaps_are_those_of_the_launch(expected: str, tmp_path: Path) -> None:
    spaced = write_bag(tmp_path / 'spaced', ros_messages(namespace='left'))
    names = {'/camera/front/image_raw': '/cam/color', '/joint_states': '/robot/joints'}
    renamed = write_bag(
        tmp_path / 'renamed', [(names.get(topic, topic), at, m) for topic, at, m in ros_messages()]
    )

    assert digest(spaced, Selection(namespace='/left/')) == expected
    assert digest(renamed, Selection(remaps=REMAPS)) == expected


def test_the_time_comes_from_the_clock_the_recorder_or_the_stamps(expected: str, tmp_path: Path) -> None:
    elsewhere = 1_700_000_000 * NANOSECONDS
    ticking = write_bag(tmp_path / 'ticking', ros_messages(received=elsewhere, clock=True))
    simulated = write_bag(tmp_path / 'simulated', ros_messages(received=elsewhere))

    assert digest(ticking) == expected
    with pytest.raises(VlaError, match='there is no /clock'):
        replay(simulated, make_model())
    assert digest(simulated, Selection(clock=ClockSource.STAMPS))


def test_compressed_images_are_read(tmp_path: Path, expected: str) -> None:
    assert digest(write_bag(tmp_path / 'png', ros_messages(compressed=True))) == expected


def test_a_bag_without_words_is_replayed_with_those_of_the_command_line(tmp_path: Path) -> None:
    silent = write_bag(tmp_path / 'silent', ros_messages(instruction=None))

    with pytest.raises(VlaError, match='--instruction'):
        replay(silent, make_model())
    outcome = replay(silent, make_model(), Selection(instruction=GO))
    assert outcome.replayed.instructions.values == (GO,)
    assert len(outcome.recorded.plans) == 0
    assert len(outcome.replayed.plans) > 3


@pytest.mark.parametrize('missing', ['/joint_states', '/camera/wrist/image_raw'])
def test_a_missing_topic_is_named_with_those_that_are_there_and_the_way_out(
    missing: str, tmp_path: Path
) -> None:
    left = write_bag(tmp_path / 'bag', [entry for entry in ros_messages() if entry[0] != missing])

    with pytest.raises(VlaError) as refusal:
        replay(left, make_model())

    sentence = str(refusal.value)
    assert missing in sentence and '/camera/front/image_raw' in sentence and '--remap' in sentence
    assert '\n' not in sentence


def test_a_topic_of_another_type_is_refused(tmp_path: Path) -> None:
    wrong = write_bag(tmp_path / 'bag', ros_messages() + [('/depth', BEGAN + NANOSECONDS, JointState())])

    with pytest.raises(VlaError, match=r'/depth: expected sensor_msgs/msg/Image'):
        replay(wrong, make_model(), Selection(remaps=('camera/front/image_raw:=/depth',)))


@pytest.mark.parametrize('plugin', ['MCAP', 'SQLITE3'])
@pytest.mark.parametrize('share', [0.02, 0.5, 0.95])
def test_a_file_that_was_cut_off_is_one_sentence(plugin: str, share: float, tmp_path: Path) -> None:
    bag = write_bag(tmp_path / 'bag', ros_messages(), plugin)
    (file,) = [path for path in bag.iterdir() if path.suffix in ('.mcap', '.db3')]
    content = file.read_bytes()
    file.write_bytes(content[: int(share * len(content))])

    for path in (bag, file):
        with pytest.raises(VlaError, match='cannot be read') as refusal:
            replay(path, make_model())
        assert '\n' not in str(refusal.value)


@pytest.mark.parametrize('content', [None, b'', b'no bag at all' * 100])
def test_what_is_no_bag_is_one_sentence(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / 'x.mcap'
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(VlaError, match='x.mcap'):
        replay(path, make_model())
    with pytest.raises(VlaError, match='expected a bag'):
        replay(tmp_path / 'nowhere', make_model())


def test_a_start_beyond_the_end_is_refused(bag: Path) -> None:
    with pytest.raises(VlaError, match='start: expected less than the bag is long'):
        replay(bag, make_model(), Selection(start=100.0))


def test_messages_that_a_node_would_refuse_are_counted_as_there(tmp_path: Path) -> None:
    messages = ros_messages()
    messages.append(('/joint_states', BEGAN, JointState(name=['pan'], position=[0.0])))
    messages.append(('/joint_states', BEGAN, JointState(name=['gripper_of_another_arm'], position=[0.0])))
    messages.append(('/camera/front/camera_info', BEGAN, CameraInfo(k=[9.0] * 9, d=[1.0] * 5, width=0)))
    bag = write_bag(tmp_path / 'bag', sorted(messages, key=lambda entry: entry[1]))

    outcome = replay(bag, make_model())

    assert outcome.refused() == {'action': {'bad_joint_states': 1}, 'perception': {'bad_camera_info': 1}}
    assert len(outcome.replayed.plans) > 3


def test_a_compressed_image_that_cannot_be_read_is_refused_by_perception(tmp_path: Path) -> None:
    messages = ros_messages(compressed=True)
    for topic, at, message in messages:
        if topic.startswith('/camera/wrist') and at < BEGAN + NANOSECONDS // 2:
            message.data = message.data[:20]

    outcome = replay(write_bag(tmp_path / 'bag', messages), make_model())

    assert outcome.refused() == {'perception': {'bad_image': 5}}


def test_a_stamp_is_read_and_written_without_decoding() -> None:
    from rclpy.serialization import deserialize_message, serialize_message

    serialised = serialize_message(JointState(name=['pan'], position=[1.0]))
    later = restamped(serialised, 5 * NANOSECONDS + 7)

    assert stamp_of(later) == 5 * NANOSECONDS + 7
    assert deserialize_message(later, JointState).position[0] == 1.0
    with pytest.raises(VlaError, match='expected a header'):
        stamp_of(b'\0\1')
