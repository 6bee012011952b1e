"""The parameters of the simulated robot."""

from __future__ import annotations

from vla_ros.nodes.parameters import Setting
from vla_ros.sim.controller_settings import RELEASES
from vla_ros.sim.layouts import LAYOUTS, OBJECTS

SETTINGS = (
    Setting(
        'seed', 1_000_000, 'Of the scene; takes effect with simulator/reset.', 0, 2**62, live=True, unit='1'
    ),
    Setting(
        'layout',
        OBJECTS,
        'What stands on the table; takes effect with simulator/reset.',
        choices=tuple(LAYOUTS),
        live=True,
    ),
    Setting('away', False, 'Begin away from the rest pose; takes effect with simulator/reset.', live=True),
    Setting(
        'task',
        '',
        "What the referee judges, as 'put:red cube:blue bowl; home'; begins anew when set.",
        live=True,
    ),
    Setting(
        'time_limit', 0.0, 'Of the next task; 0 is the limit of its kind.', 0.0, 600.0, live=True, unit='s'
    ),
    Setting('speed', 1.0, 'Simulated seconds a second at most.', 0.05, 20.0, live=True, unit='1'),
    Setting(
        'camera_rate',
        20.0,
        'Of the images of each camera, in simulated time.',
        0.5,
        100.0,
        live=True,
        unit='1/s',
    ),
    Setting(
        'joint_state_rate', 50.0, 'Of the joint states, in simulated time.', 1.0, 200.0, live=True, unit='1/s'
    ),
    Setting('publish_clock', False, 'Simulated time on /clock and in all stamps; cameras hold the world up.'),
    Setting(
        'controller',
        'jazzy',
        'The release whose joint_trajectory_controller is simulated.',
        choices=tuple(RELEASES),
    ),
    Setting('interpolate_from_desired_state', False, 'As the parameter of a joint_trajectory_controller.'),
    Setting('allow_partial_joints_goal', False, 'As the parameter of a joint_trajectory_controller.'),
    Setting('state_log', '', 'File (npz) for the states of the world, to draw it again; empty for none.'),
    Setting(
        'motion_log', '', 'File for the joints at every physics step, read while it grows; empty for none.'
    ),
)
