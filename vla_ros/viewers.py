"""The stock nodes that a person looks at the robot with: rviz2, and what tells it where the links are.

They come with apt's ROS 2, not with this package; ``vla_ros.graph`` has the nodes of the package itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vla_ros.paths import config_file
from vla_ros.types import VlaError

RVIZ_FILE = 'vla.rviz'


@dataclass(frozen=True)
class StockNode:
    """A node of another package, which is also the name of its executable.

    Attributes:
        texts: parameters that are texts, whatever they look like.
        arguments: of the executable.
    """

    package: str
    texts: tuple[tuple[str, str], ...] = ()
    arguments: tuple[str, ...] = ()


def rviz(file: str = '') -> StockNode:
    """rviz2 with a file of displays; '' is the one that comes along."""
    return StockNode('rviz2', arguments=('-d', file or str(config_file(RVIZ_FILE))))


def state_publisher(urdf: str) -> StockNode:
    """robot_state_publisher, which publishes the frames of all links.

    Args:
        urdf: a file, or the name of one in config/robots/.

    Raises:
        VlaError: there is no such file.
    """
    path = Path(urdf).expanduser()
    path = config_file(f'robots/{urdf}') if path.parent == Path('.') and not path.is_file() else path
    try:
        description = path.read_text(encoding='utf-8')
    except (OSError, UnicodeDecodeError) as error:
        raise VlaError(f'urdf: expected a file or one of config/robots/, found {urdf!r} ({error})') from error
    return StockNode('robot_state_publisher', texts=(('robot_description', description),))
