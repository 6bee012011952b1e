"""A served policy behind the interface of a local one: pictures, words and joints out, a chunk in."""

from __future__ import annotations

import os
import threading
import zlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vla_ros.action.remote.caller import Caller
from vla_ros.action.remote.errors import ServerError
from vla_ros.action.remote.link import Asked, Link
from vla_ros.action.remote.mapping import joint_targets, state_vector
from vla_ros.action.remote.policy_file import PolicyFile, require_mappable
from vla_ros.manifest import ChunkSpec, Manifest
from vla_ros.types import (
    ActionChunk,
    DoubleArray,
    FloatArray,
    JointSample,
    Pictures,
    Sight,
    Thought,
    VlaError,
    require_shape,
)

KEY = 'VLA_ROS_POLICY_KEY'  # variable of the environment: a parameter could be read by anybody
REMEMBERED = 8  # thoughts whose words are kept
LONGEST_PROMPT = 2000  # characters
SCHEMES = {'openpi': ('ws://', 'wss://'), 'groot': ('tcp://', 'ipc://')}
MODULES = {
    'openpi': ('msgpack', 'websockets'),
    'groot': ('msgpack', 'zmq'),
    'smolvla': ('onnxruntime', 'tokenizers'),
    'groot_onnx': ('onnxruntime', 'tokenizers'),
}


@dataclass(frozen=True)
class Provider:
    """Where ONNX Runtime computes, for a policy in this process; see ``runtime.open_session``."""

    name: str = 'cpu'
    allow_fallback: bool = False


CPU = Provider()


class RemotePolicy:
    """Asks a server; see ``open_policy``. Words come in by ``hear_words`` and go nowhere but to the server.

    One caller of ``act`` at a time.
    """

    def __init__(
        self, file: PolicyFile, manifest: Manifest, link: Link, address: str, timeout: float
    ) -> None:
        require_mappable(file, manifest)
        self._file, self._link, self._address, self._timeout = file, link, address, timeout
        self._joints = manifest.robot.joints
        self._cameras = [camera.name for camera in manifest.cameras]
        self._sizes = {camera.name: (camera.height, camera.width, 3) for camera in manifest.cameras}
        self._words: OrderedDict[int, str] = OrderedDict()
        self._lock = threading.Lock()
        self._caller: Caller | None = None

    @property
    def providers(self) -> Sequence[str]:
        """Who computes."""
        return (
            f'{self._file.backend} {"server" if self._file.backend in SCHEMES else "model"} {self._address}',
        )

    @property
    def chunk(self) -> ChunkSpec:
        """What its chunks are like, in place of those of the bundle's own policy."""
        return ChunkSpec(horizon=self._file.horizon, dt=self._file.dt, representation='absolute', prefix=0)

    @property
    def wants_subtask(self) -> bool:
        """Whether the words are those of the subtask; else they are the person's own."""
        return self._file.prompt == 'subtask'

    @property
    def problem(self) -> str:
        """Why the server cannot be asked now; '' if it can."""
        return 'not connected yet' if self._caller is None else self._caller.problem

    def hear_words(self, stamp: int, words: str) -> None:
        """What the thought of this stamp (ns) is in words; none take back what was said.

        Raises:
            VlaError: too many of them.
        """
        if len(words) > LONGEST_PROMPT:
            raise VlaError(f'prompt: expected at most {LONGEST_PROMPT} characters, found {len(words)}')
        with self._lock:
            self._words.pop(stamp, None)
            if words:
                self._words[stamp] = words
            while len(self._words) > REMEMBERED:
                self._words.popitem(last=False)

    def forget_words(self) -> None:
        """The order is over: no words of before count."""
        with self._lock:
            self._words.clear()

    def act(
        self,
        tokens: Sight,
        thought: Thought,
        joints: JointSample,
        noise: FloatArray,
        prefix: DoubleArray | None = None,
    ) -> ActionChunk:
        """Absolute joint targets, as the server has them; ``prefix`` is not asked for.

        Raises:
            VlaError: no pictures, no words to the thought, or a ServerError.
        """
        if not isinstance(tokens, Pictures):
            raise VlaError(f'policy {self._file.name!r}: expected pictures, found visual tokens')
        with self._lock:
            words = self._words.get(thought.stamp)
        if words is None:
            raise ServerError(
                'reasoning/decision: expected the words of the thought in force, found none yet'
            )
        if self._caller is None:
            raise ServerError(f'{self._address}: not connected yet')
        images = dict(zip(self._cameras, tokens.images, strict=True))
        for name, image in images.items():
            require_shape(f'picture of {name}', image, self._sizes[name])
        asked = Asked(
            {picture.key: images[picture.camera] for picture in self._file.pictures},
            {
                state.key: state_vector(state.columns, self._joints, joints.positions)
                for state in self._file.state
            },
            words,
            zlib.crc32(noise.tobytes()),
        )
        answer = self._caller.ask(asked)
        targets = joint_targets(self._file, self._joints, joints.positions, answer)
        return ActionChunk(tokens.stamp, self._file.dt, targets)

    def warm_up(self) -> None:
        """Begin to connect; nobody waits for it: until it is done, questions are refused."""
        if self._caller is None:
            self._caller = Caller(self._link, self._address, self._timeout)

    def close(self) -> None:
        """Leave the server."""
        if self._caller is not None:
            self._caller.close()
            self._caller = None


def open_policy(
    backend: str,
    file: PolicyFile,
    manifest: Manifest,
    address: str,
    timeout: float,
    environment: Mapping[str, str] = os.environ,
    provider: Provider = CPU,
) -> RemotePolicy:
    """The policy on the server at ``address``; of an imported model that is its folder, and ``provider`` runs it.

    Raises:
        VlaError: the file is of another protocol, the address of none, a package is missing, or it cannot be mapped.
    """
    if file.backend != backend:
        raise VlaError(f'policy {file.name!r}: expected backend {backend}, found {file.backend}')
    schemes = SCHEMES.get(backend, ())
    if schemes and not address.startswith(schemes):
        raise VlaError(
            f"parameter 'server': expected an address with {' or '.join(schemes)}, found {address!r}"
        )
    key = environment.get(KEY, '')
    try:
        link = _link(backend, file, address, timeout, key, provider)
    except ImportError as error:
        what = "'vla_ros[remote]'" if backend in SCHEMES else ' '.join(MODULES[backend])
        raise VlaError(
            f'backend {backend} needs the packages {", ".join(MODULES[backend])} ({error}); '
            f'install them with pip install {what}'
        ) from error
    return RemotePolicy(file, manifest, link, address, timeout)


def _link(backend: str, file: PolicyFile, address: str, timeout: float, key: str, provider: Provider) -> Link:
    """The protocol, with everything that it needs imported: nothing may be missing later."""
    if backend == 'openpi':
        import websockets.sync.client  # noqa: F401

        from vla_ros.action.remote.openpi import OpenPiLink

        return OpenPiLink(file, address, timeout, key)
    if backend == 'groot':
        import zmq  # noqa: F401

        from vla_ros.action.remote.groot import GrootLink

        return GrootLink(file, address, timeout, key)
    import onnxruntime  # noqa: F401
    import tokenizers  # noqa: F401

    from vla_ros.action.groot.link import GrootOnnxLink
    from vla_ros.action.smolvla.link import SmolVlaLink

    kind = SmolVlaLink if backend == 'smolvla' else GrootOnnxLink
    return kind(file, Path(address).expanduser(), provider.name, allow_fallback=provider.allow_fallback)
