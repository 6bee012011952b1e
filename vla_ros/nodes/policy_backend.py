"""Who is System 1: the bundle's own policy, or one on a server; and what a served one hears in place of tokens."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from sensor_msgs.msg import Image

from vla_ros.action.generations import FLOW, GENERATIONS
from vla_ros.action.remote.policy import Provider, RemotePolicy, open_policy
from vla_ros.action.remote.policy_file import load_policy_file
from vla_ros.manifest import Manifest
from vla_ros.nodes import qos
from vla_ros.nodes.image_messages import image_from_message
from vla_ros.nodes.lifecycle import VlaNode
from vla_ros.nodes.messages import nanoseconds
from vla_ros.nodes.parameters import Setting
from vla_ros.perception.intake import Intake, IntakeSettings
from vla_ros.types import Frame, Pictures, VlaError, require_shape

ONNX = 'onnx'
BACKEND_SETTINGS = (
    Setting(
        'backend',
        ONNX,
        "System 1: the bundle's own policy, one on a server that speaks the protocol of openpi (pi0, pi0.5) or of "
        'GR00T (N1.6, N1.7), or a SmolVLA or a GR00T that was imported.',
        choices=(ONNX, 'openpi', 'groot', 'smolvla', 'groot_onnx'),
        instead={
            'lerobot': "LeRobot's policy server speaks pickle, with which it could run any code here; serve the "
            'policy by the protocol of openpi or of groot'
        },
    ),
    Setting(
        'generation',
        FLOW,
        "Of the bundle's own policy: 2 is flow matching, 1 are action tokens, which not every bundle has.",
        min(GENERATIONS),
        max(GENERATIONS),
        unit='1',
    ),
    Setting(
        'policy',
        '',
        'For all but onnx: what its numbers mean, by the name of a file in config/policies or by the path of one.',
    ),
    Setting(
        'server',
        '',
        'Its address, as ws://host:8000 (openpi) or tcp://host:5555 (groot); of one that was imported, its folder.',
    ),
    Setting(
        'server_timeout',
        1.0,
        'An answer that takes longer is given up, and the connection with it.',
        0.01,
        60.0,
        unit='s',
    ),
    Setting(
        'picture_slop',
        IntakeSettings.slop,
        'For a server: largest distance of the stamps of a set of pictures; not less than slop of perception.',
        0.0,
        1.0,
        live=True,
        unit='s',
    ),
)
UNGATED = 1000.0  # sets a second: what perception publishes is few enough; replan_rate chooses


def open_remote(node: VlaNode, manifest: Manifest) -> RemotePolicy | None:
    """The policy on a server that the node's parameters name; None if the bundle's own acts.

    Raises:
        VlaError: the policy cannot be mapped to the bundle's joints, a package is missing, or a generation is chosen.
    """
    backend, generation = node.setting('backend'), node.setting('generation')
    if backend == ONNX:
        return None
    if generation != FLOW:
        raise VlaError(
            f"parameter 'generation': expected {FLOW} for backend {backend!r}, which has a policy of its own, "
            f'found {generation}'
        )
    file = load_policy_file(node.setting('policy'))
    return open_policy(
        backend,
        file,
        manifest,
        node.setting('server'),
        node.setting('server_timeout'),
        provider=Provider(node.setting('provider'), node.setting('allow_provider_fallback')),
    )


class Eyes:
    """Hears pictures and the words of decisions for a served policy; sets of pictures go to ``see``."""

    def __init__(
        self, node: VlaNode, manifest: Manifest, policy: RemotePolicy, see: Callable[[Pictures], None]
    ) -> None:
        self._node, self._policy, self._see = node, policy, see
        self._sizes = {camera.name: (camera.height, camera.width, 3) for camera in manifest.cameras}
        for name in self._sizes:
            topic = f'perception/{name}/image'
            node.listen(
                Image,
                topic,
                partial(self._on_image, name),
                qos.STREAM_IN,
                'bad_picture',
                hop='pictures to action',
            )
        node.listen(DiagnosticArray, 'reasoning/decision', self._on_decision, qos.LATCHED, 'bad_decision')
        self.begin()

    def begin(self) -> None:
        """Believe nothing that was heard before."""
        self._intake: Intake[Frame] = Intake(tuple(self._sizes), self._node.refuse)
        self._policy.forget_words()

    def observe(self) -> None:
        """Show whether the server can be asked."""
        self._node.health.note('policy server', self._policy.problem or 'connected')
        self._node.health.note('pictures dropped without partner', self._intake.unmatched)

    def _on_image(self, camera: str, message: Image) -> None:
        image = image_from_message(message)
        require_shape(f'picture of {camera}', image, self._sizes[camera])
        stamp = nanoseconds(message.header.stamp)
        settings = IntakeSettings(
            UNGATED, self._node.setting('picture_slop'), self._node.setting('max_token_age')
        )
        frames = self._intake.add(camera, stamp, self._node.now(), Frame(camera, stamp, image), settings)
        if frames is not None:
            self._see(Pictures(min(frame.stamp for frame in frames), tuple(frame.image for frame in frames)))

    def _on_decision(self, message: DiagnosticArray) -> None:
        """The words go to the policy and from there to the server; nothing else is read of them."""
        if len(message.status) != 1:
            raise VlaError(f'decision: expected one status, found {len(message.status)}')
        status = message.status[0]
        words = status.message
        if not self._policy.wants_subtask:
            words = next((pair.value for pair in status.values if pair.key == 'instruction'), '')
        goes = status.level == DiagnosticStatus.OK
        self._policy.hear_words(nanoseconds(message.header.stamp), words if goes else '')
