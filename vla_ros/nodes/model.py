"""Which model a node runs, and on what: the parameters that perception, reasoning and action share."""

from __future__ import annotations

from collections.abc import Sequence

from sensor_msgs.msg import Image

from vla_ros.bundle import Bundle, load_bundle
from vla_ros.manifest import Manifest
from vla_ros.nodes.lifecycle import VlaNode
from vla_ros.nodes.parameters import Setting
from vla_ros.paths import bundle_directory
from vla_ros.runtime import PROVIDERS
from vla_ros.types import VlaError

MODEL_SETTINGS = (
    Setting('bundle', 'tabletop', 'Folder of a model bundle, or the name of one in models/.'),
    Setting('provider', 'cpu', 'Where ONNX Runtime computes.', choices=tuple(PROVIDERS)),
    Setting('allow_provider_fallback', False, 'Run on the CPU when the provider cannot be had.'),
)


def open_bundle(node: VlaNode) -> Bundle:
    """The bundle that the node's parameters name.

    Raises:
        VlaError: there is none, or it is not valid.
    """
    return load_bundle(bundle_directory(node.setting('bundle')))


def require_made_with(what: str, message: Image, manifest: Manifest) -> None:
    """Refuse a matrix that another bundle's model made: the same shape may mean something else.

    The nodes of the package say which bundle they have in ``header.frame_id``; who says nothing there is believed.

    Raises:
        VlaError: it was made with another bundle.
    """
    made_with = message.header.frame_id
    if made_with and made_with != manifest.tag:
        raise VlaError(f'{what}: expected them to be made with bundle {manifest.tag!r}, found {made_with!r}')


def tell_providers(node: VlaNode, providers: Sequence[str], *, local: bool = True) -> None:
    """Show which execution providers are in use, and warn as long as a local one is not the one asked for."""
    node.health.note('execution providers', ', '.join(providers))
    if not local:
        return
    wanted = PROVIDERS[node.setting('provider')]
    if list(providers[:1]) != [wanted]:
        sentence = f'computing on {", ".join(providers)} instead of {wanted}'
        node.get_logger().error(sentence)
        node.health.note('execution provider missing', wanted)
        node.health.degraded(sentence)
