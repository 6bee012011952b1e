"""Joining the ROS graph: what was set wrongly from outside is one sentence, not a traceback."""

from __future__ import annotations

from collections.abc import Sequence

import rclpy
from rclpy._rclpy_pybind11 import RCLError, RCLInvalidROSArgsError, UnknownROSArgsError
from rclpy.context import Context
from rclpy.signals import SignalHandlerOptions

from vla_ros.types import VlaError


def join_graph(args: Sequence[str] | None = None, context: Context | None = None) -> None:
    """``rclpy.init`` without its signal handlers, on the default context if none is given.

    Raises:
        VlaError: arguments behind --ros-args or settings in the environment, as of security, that ROS 2 refuses.
    """
    try:
        rclpy.init(
            args=list(args) if args is not None else None,
            context=context,
            signal_handler_options=SignalHandlerOptions.NO,
        )
    except UnknownROSArgsError as error:
        raise VlaError(f'--ros-args: expected arguments that ROS 2 knows, found {error}') from error
    except (RCLError, RCLInvalidROSArgsError) as error:
        reason = str(error).split(', at /')[0]  # where in its own source it happened helps nobody here
        raise VlaError(f'ROS 2 does not start: {reason}') from error
