"""Serialised messages as bags hold them: the stamp without decoding, and decoders made of what the bag says."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from vla_ros.types import NANOSECONDS, VlaError


def stamp_of(serialised: bytes) -> int:
    """Nanoseconds of the stamp of a message that begins with a header: after 4 bytes that say how it is encoded (CDR).

    Raises:
        VlaError: fewer bytes than that.
    """
    if len(serialised) < 12:
        raise VlaError(f'message: expected a header with a stamp, found {len(serialised)} bytes')
    seconds, nanoseconds = struct.unpack_from('<iI' if serialised[1] & 1 else '>iI', serialised, 4)
    return int(seconds) * NANOSECONDS + int(nanoseconds)


def restamped(serialised: bytes, stamp: int) -> bytes:
    """The same message with another stamp (ns) in its header."""
    order = '<iI' if serialised[1] & 1 else '>iI'
    return serialised[:4] + struct.pack(order, *divmod(stamp, NANOSECONDS)) + serialised[12:]


def decoder(type_name: str, definition: str) -> Callable[[bytes], Any]:
    """Turns serialised messages of a type into objects with the fields' names.

    Args:
        type_name: as bags spell it: 'sensor_msgs/msg/Image'.
        definition: in the format ros2msg, as bags hold it; '' takes the one of ROS 2 Jazzy.

    Raises:
        VlaError: no definition, or one that cannot be read.
    """
    try:
        from mcap.records import Schema
        from mcap_ros2.decoder import DecoderFactory
    except ImportError as error:
        raise VlaError('mcap-ros2-support is not installed; pip install mcap-ros2-support') from error
    text = definition or _definition(type_name)
    try:
        made = DecoderFactory().decoder_for('cdr', Schema(1, text.encode(), 'ros2msg', type_name))
    except Exception as error:  # of the parser: whatever trips it
        raise VlaError(f'the definition of {type_name} cannot be read: {error}') from error
    assert made is not None  # cdr and ros2msg are what it is for

    def decode(serialised: bytes) -> Any:
        try:
            return made(serialised)
        except Exception as error:  # struct.error, UnicodeDecodeError, ...
            raise VlaError(f'a message of {type_name} cannot be decoded: {error}') from error

    return decode


def _definition(type_name: str) -> str:
    from rosbags.typesys import Stores, get_typestore

    try:
        text, _ = get_typestore(Stores.ROS2_JAZZY).generate_msgdef(type_name, ros_version=2)
    except Exception as error:
        raise VlaError(f'nothing says what a {type_name} is made of: {error}') from error
    return str(text)
