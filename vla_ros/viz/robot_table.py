"""A robot's file as a person reads it: what is published beside what is in force."""

from __future__ import annotations

from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from vla_ros.action.limits import load_limits
from vla_ros.robots import Robot


def robot_table(robot: Robot, limits_file: Path) -> RenderableType:
    """Joints with published and chosen limits, then one row a fact.

    Raises:
        VlaError: the file of limits cannot be read, or lacks a joint.
    """
    limits = load_limits(limits_file, robot.joint_names)
    joints = Table(title=f'{robot.name}: {robot.title}', title_justify='left', box=None, pad_edge=False)
    for column in ('joint', 'range', 'rest', 'velocity', 'acceleration', 'jerk'):
        joints.add_column(column, header_style='dim')
    for index, joint in enumerate(robot.joints):
        joints.add_row(
            Text(joint.name),
            f'{limits.min_position[index]:g} to {limits.max_position[index]:g}',
            f'{joint.rest:g}',
            _of(limits.max_velocity[index], joint.velocity),
            _of(limits.max_acceleration[index], joint.acceleration),
            _of(limits.max_jerk[index], joint.jerk),
        )
    facts = Table(show_header=False, box=None, pad_edge=False)
    rows = [
        ('controller', f'{robot.controller.topic} ({robot.controller.type}); {robot.controller.note}'),
        ('joint states', robot.joint_states),
        *((f'camera {camera.name}', f'{camera.image}, {camera.camera_info}') for camera in robot.cameras),
        ('links', f'base {robot.base}, end effector {robot.end_effector}'),
        *([('gripper', f'{g.joint}, moved by {g.moved_by}')] if (g := robot.gripper) else []),
        ('URDF', f'{robot.urdf.package}: {robot.urdf.file}, {robot.urdf.url}'),
        ('MJCF', f'{robot.mjcf.package}: {robot.mjcf.file}, {robot.mjcf.url}'),
        *(('source', f'{source.what}: {source.url}') for source in robot.sources),
    ]
    for key, value in rows:
        facts.add_row(Text(key, 'dim'), Text(value))
    return Group(joints, Text('in force of published, in rad and s; ?: none is published\n', 'dim'), facts)


def _of(chosen: float, published: float | None) -> str:
    return f'{chosen:g} of {published:g}' if published is not None else f'{chosen:g} of ?'
