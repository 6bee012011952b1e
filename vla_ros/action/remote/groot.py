"""The protocol of GR00T's policy server (N1.6, N1.7): ZeroMQ request and reply, msgpack, its configuration first.

Written to gr00t/policy/server_client.py and gr00t/data/types.py of NVIDIA/Isaac-GR00T: ``get_modality_config`` says
which videos, states, words and actions the checkpoint has, ``get_action`` answers ``[actions, info]`` in physical
units, with relative actions already added to the state.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from vla_ros.action.remote.arrays import LARGEST_MESSAGE, SHOWN, Dialect, pack, unpack
from vla_ros.action.remote.errors import ServerError
from vla_ros.action.remote.link import Asked
from vla_ros.action.remote.policy_file import PolicyFile

MARKS: Mapping[str, Dialect] = {'__ModalityConfig_class__': 'npy', '__ModalityConfig__': 'numpy'}
"""How a server marks a configuration tells how it writes arrays."""
SERVED_AS = {'ABSOLUTE': 'absolute', 'RELATIVE': 'absolute', 'DELTA': 'delta'}


class GrootLink:
    """A connection to ``tcp://host:port``. ``key`` is the api_token, if there is one."""

    def __init__(self, file: PolicyFile, address: str, timeout: float, key: str = '') -> None:
        self._file, self._address, self._timeout, self._key = file, address, timeout, key
        self._socket: Any = None
        self._dialect: Dialect = 'npy'
        self._language: tuple[str, ...] = ()

    def connect(self) -> None:
        """Ask for the modality configuration, and compare it with the policy's file."""
        import zmq

        self._socket = zmq.Context.instance().socket(zmq.REQ)
        self._socket.setsockopt(zmq.LINGER, 0)
        for option in (zmq.RCVTIMEO, zmq.SNDTIMEO):
            self._socket.setsockopt(option, max(1, round(self._timeout * 1000)))
        self._socket.setsockopt(zmq.MAXMSGSIZE, LARGEST_MESSAGE)
        self._socket.connect(self._address)
        said = self._call({'endpoint': 'get_modality_config'})
        self._dialect, configuration = modality_configuration(said)
        require_agreement(self._file, configuration)
        self._language = tuple(configuration['language']['modality_keys'])

    def ask(self, asked: Asked) -> Mapping[str, npt.NDArray[np.generic]]:
        """One observation in a batch of one, one step of time; the answer without them."""
        observation = {
            'video': {key: image[None, None] for key, image in asked.pictures.items()},
            'state': {key: vector[None, None] for key, vector in asked.state.items()},
            'language': {key: [[asked.prompt]] for key in self._language},
        }
        said = self._call({'endpoint': 'get_action', 'data': {'observation': observation, 'options': None}})
        if not isinstance(said, list) or len(said) != 2 or not isinstance(said[0], dict):
            raise ServerError(f'answer: expected [actions, info], found {type(said).__name__}')
        arrays = {key: value for key, value in said[0].items() if isinstance(value, np.ndarray)}
        for key, value in arrays.items():
            if value.ndim != 3 or value.shape[0] != 1:
                raise ServerError(f'answer {key!r}: expected shape (1, steps, numbers), found {value.shape}')
        return {key: value[0] for key, value in arrays.items()}

    def abort(self) -> None:
        """Nothing: a socket of ZeroMQ belongs to its thread, and waits no longer than it was told."""

    def close(self) -> None:
        """Drop socket and question; a new socket asks anew."""
        found, self._socket = self._socket, None
        if found is not None:
            found.close()

    def _call(self, request: dict[str, Any]) -> Any:
        import zmq

        try:
            self._socket.send(
                pack({**request, **({'api_token': self._key} if self._key else {})}, self._dialect)
            )
            message = self._socket.recv()
        except zmq.Again as error:
            raise ServerError(f'no answer within {self._timeout:g} s') from error
        if message == b'ERROR':
            raise ServerError('the server failed without saying why')
        said = unpack(message, self._dialect)
        if isinstance(said, dict) and 'error' in said:
            raise ServerError(f'the server failed: {str(said["error"])[:SHOWN]}')
        return said


def modality_configuration(said: Any) -> tuple[Dialect, dict[str, dict[str, Any]]]:
    """How the server writes arrays, and its configuration by modality.

    Raises:
        ServerError: it is none of N1.6 or N1.7.
    """
    dialects, found = set(), {}
    for modality, entry in said.items() if isinstance(said, dict) else ():
        marks = [mark for mark in MARKS if isinstance(entry, dict) and mark in entry]
        content = entry.get('as_json') if marks else None
        if not isinstance(content, dict) or not all(
            isinstance(content.get(key), list) for key in ('modality_keys', 'delta_indices')
        ):
            raise ServerError(f'modality {modality!r}: expected a configuration of GR00T N1.6 or N1.7')
        dialects.add(MARKS[marks[0]])
        found[str(modality)] = content
    missing = {'video', 'state', 'action', 'language'} - set(found)
    if missing or len(dialects) != 1:
        raise ServerError(
            f'modality configuration: expected video, state, action, language, found {list(found)}'
        )
    return dialects.pop(), found


def require_agreement(file: PolicyFile, configuration: Mapping[str, Mapping[str, Any]]) -> None:
    """Refuse a server whose checkpoint is not the one that the policy's file declares.

    Raises:
        ServerError: in one sentence, what differs.
    """
    declared: dict[str, Sequence[str]] = {
        'video': [picture.key for picture in file.pictures],
        'state': [state.key for state in file.state],
        'action': [actions.key for actions in file.actions],
    }
    for modality, keys in declared.items():
        served = configuration[modality]['modality_keys']
        if sorted(map(str, served)) != sorted(keys):
            raise ServerError(
                f'{modality}: expected {sorted(keys)}, as {file.name!r} declares, found {served}'
            )
    if file.prompt_key not in configuration['language']['modality_keys']:
        served = configuration['language']['modality_keys']
        raise ServerError(f'language: expected {file.prompt_key!r}, found {served}')
    for modality in ('video', 'state', 'language'):
        moments = configuration[modality]['delta_indices']
        if moments != [0]:
            raise ServerError(
                f'{modality}: expected the present alone, [0], found moments {str(moments)[:SHOWN]}'
            )
    steps = configuration['action']['delta_indices']
    if steps != list(range(file.horizon)):
        raise ServerError(f'action: expected {file.horizon} steps from 0, found {str(steps)[:SHOWN]}')
    _require_same_actions(file, configuration['action'])


def _require_same_actions(file: PolicyFile, action: Mapping[str, Any]) -> None:
    configs = action.get('action_configs')
    if configs is None:
        return  # the checkpoint does not say; the file alone does
    if not isinstance(configs, list) or len(configs) != len(action['modality_keys']):
        raise ServerError('action: expected one action_config a key')
    actions = {entry.key: entry for entry in file.actions}
    for key, config in zip(action['modality_keys'], configs, strict=True):
        said = config if isinstance(config, dict) else {}
        if str(said.get('type')).upper() != 'NON_EEF':
            raise ServerError(f'action {key!r}: expected joints (NON_EEF), found {said.get("type")!r}')
        served = SERVED_AS.get(str(said.get('rep')).upper())
        declared = {
            column.representation or actions[key].representation
            for column in actions[key].columns
            if not column.ignored
        }
        if declared - {served}:
            raise ServerError(
                f'action {key!r}: {file.name!r} declares {sorted(declared)}, but the server gives {served!r}'
            )
