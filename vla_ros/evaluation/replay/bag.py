"""A bag as serialised messages: MCAP or sqlite3, a folder of ``ros2 bag record`` or one file of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from vla_ros.evaluation.cdr import decoder
from vla_ros.types import VlaError

SUFFIXES = ('.mcap', '.db3')


@dataclass(frozen=True)
class Serialised:
    """One message: its topic as recorded, when it was received (ns of the recorder's clock), and its bytes."""

    topic: str
    received: int
    data: bytes


@dataclass(frozen=True)
class Topic:
    """A topic of a bag. ``decode`` turns bytes into an object with the message's fields, or raises VlaError."""

    name: str
    type_name: str
    count: int
    decode: Callable[[bytes], Any]


class Bag:
    """A bag on disk. Nothing is kept open between reads.

    Raises:
        VlaError: there is none, rosbags is missing, or it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._parts = _parts(path)
        self.topics: dict[str, Topic] = {}
        with ExitStack() as opened:
            for reader in self._open(opened):
                for connection in reader.connections:
                    before = self.topics.get(connection.topic)
                    count = int(connection.msgcount) + (before.count if before else 0)
                    self.topics[connection.topic] = Topic(
                        connection.topic, connection.msgtype, count, _lazy_decoder(connection)
                    )

    def read(self, topics: set[str]) -> Iterator[Serialised]:
        """The messages of some topics in the order in which they were received.

        Raises:
            VlaError: the file ends or is damaged somewhere.
        """
        with ExitStack() as opened:
            for reader in self._open(opened):
                wanted = [c for c in reader.connections if c.topic in topics]
                messages = iter(reader.messages(wanted)) if wanted else iter(())
                while True:
                    try:
                        connection, received, data = next(messages)
                    except StopIteration:
                        break
                    except Exception as error:  # whatever zstd, apsw or struct say of damaged bytes
                        raise self._unreadable(error) from error
                    yield Serialised(connection.topic, received, data)

    def _open(self, opened: ExitStack) -> Iterator[Any]:
        from rosbags.rosbag2 import Reader

        for part in self._parts:
            try:
                reader = opened.enter_context(Reader(part))
            except Exception as error:
                raise self._unreadable(error) from error
            yield reader

    def _unreadable(self, error: Exception) -> VlaError:
        said = ' '.join(str(error).split()) or type(error).__name__
        mending = 'if it was cut off, mcap recover or ros2 bag reindex may mend it'
        return VlaError(f'{self.path} cannot be read: {said[:200].rstrip(".")}; {mending}')


def _parts(path: Path) -> list[Path]:
    """What rosbags has to open: the folder with its metadata, or the files themselves where that is missing."""
    try:
        import rosbags.rosbag2  # noqa: F401
    except ImportError as error:
        raise VlaError('rosbags is not installed; pip install rosbags') from error
    if path.is_file() and path.suffix in SUFFIXES:
        return [path]
    if path.is_dir() and (path / 'metadata.yaml').is_file():
        return [path]
    files = sorted(file for file in path.glob('*') if file.suffix in SUFFIXES) if path.is_dir() else []
    if not files:
        raise VlaError(f'{path}: expected a bag (a folder as of ros2 bag record, an .mcap or a .db3 file)')
    return files


def _lazy_decoder(connection: Any) -> Callable[[bytes], Any]:
    """A decoder that is made when it is first used: most topics never are."""

    @cache
    def make() -> Callable[[bytes], Any]:
        definition = connection.msgdef
        text = definition.data if definition.format.name == 'MSG' else ''
        return decoder(connection.msgtype, text)

    return lambda data: make()(data)
