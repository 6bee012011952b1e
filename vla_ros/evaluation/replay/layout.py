"""Which topics of a bag are which: names as the nodes have them, with namespace and remaps as at the launch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vla_ros.robots import load_robot, robot_names
from vla_ros.types import VlaError

IMAGE, COMPRESSED = 'sensor_msgs/msg/Image', 'sensor_msgs/msg/CompressedImage'
CLOCK = '/clock'
LISTED = 12  # topics of a bag that an error lists


@dataclass(frozen=True)
class Layout:
    """Topics by their names in the bag.

    Attributes:
        cameras: topic of images -> camera.
        calibrations: topic -> camera.
        joints: of joint states.
        instruction, plans, decisions: None if the bag has none.
        clock: whether it has /clock.
        compressed: whether images are files (JPEG, PNG).
    """

    cameras: Mapping[str, str]
    calibrations: Mapping[str, str]
    joints: str
    instruction: str | None
    plans: str | None
    decisions: str | None
    clock: bool
    compressed: bool

    @property
    def topics(self) -> set[str]:
        """All of them."""
        optional = {self.instruction, self.plans, self.decisions} - {None}
        found = {*self.cameras, *self.calibrations, self.joints, *(name for name in optional if name)}
        return found | ({CLOCK} if self.clock else set())


def parse_remaps(texts: Sequence[str]) -> dict[str, str]:
    """'from:=to' as ROS writes it: from a name of the nodes to the one in the bag.

    Raises:
        VlaError: another form.
    """
    remaps = {}
    for text in texts:
        name, separator, topic = text.partition(':=')
        if not (separator and name.strip('/') and topic.strip('/')):
            raise VlaError(f"remap: expected 'from:=to', found {text!r}")
        remaps[name.strip('/')] = '/' + topic.strip('/')
    return remaps


def find_layout(
    topics: Mapping[str, tuple[str, int]],
    cameras: Sequence[str],
    namespace: str = '',
    remaps: Mapping[str, str] | None = None,
    *,
    needs_instruction: bool = True,
) -> Layout:
    """Find what the model needs and what was recorded of its results.

    Args:
        topics: of the bag: name -> type and number of messages.
        cameras: that the model looks through.
        namespace: in which the nodes ran; '' is the root.
        remaps: names of the nodes -> topics of the bag.
        needs_instruction: whether a bag without words is refused.

    Raises:
        VlaError: a camera, the joint states or the instruction is missing.
    """
    given = dict(remaps or {})
    prefix = f'/{namespace.strip("/")}/' if namespace.strip('/') else '/'
    filled = {name: kind for name, (kind, count) in topics.items() if count}

    def find(name: str, *others: str) -> str | None:
        candidates = [given[name]] if name in given else [prefix + other for other in (name, *others)]
        return next((topic for topic in candidates if topic in filled), None)

    def require(name: str, *others: str) -> str:
        found = find(name, *others)
        if found is None:
            listed = ', '.join(sorted(filled)[:LISTED]) + (', ...' if len(filled) > LISTED else '')
            raise VlaError(
                f'the bag has no messages on {given.get(name, prefix + name)} (it has {listed or "none at all"}); '
                f"say with --remap '{name}:=/the/topic' where they are"
            )
        return found

    images, calibrations = {}, {}
    for camera in cameras:
        raw = f'camera/{camera}/image_raw'
        topic = require(raw, f'{raw}/compressed')
        if filled[topic] not in (IMAGE, COMPRESSED):
            raise VlaError(f'{topic}: expected {IMAGE} or {COMPRESSED}, found {filled[topic]}')
        images[topic] = camera
        information = find(f'camera/{camera}/camera_info')
        if information is not None:
            calibrations[information] = camera
    instruction = find('instruction')
    if instruction is None and needs_instruction:
        raise VlaError(
            "the bag has no instruction; say one with --instruction 'touch the red cube', or name its topic with "
            "--remap 'instruction:=/the/topic'"
        )
    elsewhere = {load_robot(name).controller.topic for name in robot_names()}
    return Layout(
        images,
        calibrations,
        require('joint_states'),
        instruction,
        find('joint_trajectory', *sorted(elsewhere)),
        find('reasoning/decision'),
        CLOCK in filled,
        any(filled[topic] == COMPRESSED for topic in images),
    )
