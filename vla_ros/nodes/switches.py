"""The switches of a person, as services: enable and disable, stop until reset. They exist in every lifecycle state."""

from __future__ import annotations

from rclpy.node import Node
from std_srvs.srv import SetBool, Trigger

from vla_ros.action.motion import Motion


def open_switches(node: Node, motion: Motion) -> None:
    """Offer ``action/enable``, ``action/stop`` and ``action/reset`` of a motion."""

    def enable(request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        if request.data:
            problem = motion.enable()
            response.success, response.message = problem is None, problem or 'enabled'
        else:
            motion.disable()
            response.success, response.message = True, 'disabled'
        return response

    def stop(_request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        motion.stop()
        response.success, response.message = True, 'stopped until action/reset'
        return response

    def reset(_request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        motion.reset()
        response.success, response.message = True, 'reset; call action/enable to move'
        return response

    node.create_service(SetBool, 'action/enable', enable)
    node.create_service(Trigger, 'action/stop', stop)
    node.create_service(Trigger, 'action/reset', reset)
