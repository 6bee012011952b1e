"""Parameters as a table: name, default, range and meaning; whatever is not live is read-only."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, SetParametersResult
from rclpy.exceptions import ParameterException
from rclpy.node import Node
from rclpy.parameter import Parameter

from vla_ros.types import VlaError

Value = bool | int | float | str | list[float]


@dataclass(frozen=True)
class Setting:
    """One parameter.

    Attributes:
        minimum, maximum: inclusive range of a number, or of each number of a list; both or none.
        choices: the only values that a text may have; empty means any.
        instead: for texts that are no choices but may well be asked for, why not and what to do instead.
        live: may change while the node runs, and acts at once.
        unit: of a number, or of each number of a list, as '1/s' or 'rad'; '' if it has none.
    """

    name: str
    default: Value
    description: str
    minimum: float | None = None
    maximum: float | None = None
    choices: Sequence[str] = ()
    instead: Mapping[str, str] = field(default_factory=dict)
    live: bool = False
    unit: str = ''

    def descriptor(self) -> ParameterDescriptor:
        """How ``ros2 param describe`` shows it."""
        descriptor = ParameterDescriptor(
            name=self.name,
            description=f'{self.description} [{self.unit}]' if self.unit else self.description,
            read_only=not self.live,
            additional_constraints=f'one of {", ".join(self.choices)}' if self.choices else '',
        )
        if self.minimum is not None and self.maximum is not None and not isinstance(self.default, list):
            if isinstance(self.default, float):
                descriptor.floating_point_range = [
                    FloatingPointRange(from_value=float(self.minimum), to_value=float(self.maximum), step=0.0)
                ]
            else:
                descriptor.integer_range = [
                    IntegerRange(from_value=int(self.minimum), to_value=int(self.maximum), step=1)
                ]
        return descriptor

    def problem(self, value: object) -> str | None:
        """What is wrong with a value beyond its type and range, or None."""
        if isinstance(value, float) and not math.isfinite(value):
            return f"parameter '{self.name}': expected a finite number, found {value}"
        if isinstance(self.default, list) and isinstance(value, Iterable):
            lower, upper = self.minimum, self.maximum
            if not all(lower is None or upper is None or lower <= number <= upper for number in value):
                return f"parameter '{self.name}': expected numbers in {lower} to {upper}, found {list(value)}"
        if self.choices and value not in self.choices:
            advice = self.instead.get(value) if isinstance(value, str) else None
            why = f': {advice}' if advice else ''
            return f"parameter '{self.name}': expected one of {list(self.choices)}, found {value!r}{why}"
        return None


def declare(node: Node, settings: Iterable[Setting]) -> None:
    """Declare the table's parameters on a node and validate every later change.

    Raises:
        VlaError: a value given at the start (file or command line) has the wrong type or is out of range.
    """
    table = {setting.name: setting for setting in settings}

    def validate(parameters: list[Parameter]) -> SetParametersResult:
        for parameter in parameters:
            setting = table.get(parameter.name)
            problem = setting.problem(parameter.value) if setting is not None else None
            if problem is not None:
                return SetParametersResult(successful=False, reason=problem)
        return SetParametersResult(successful=True)

    node.add_on_set_parameters_callback(validate)
    for setting in table.values():
        _declare(node, setting)


def _declare(node: Node, setting: Setting) -> None:
    try:
        node.declare_parameter(setting.name, setting.default, setting.descriptor())
    except ParameterException as error:
        expected = type(setting.default).__name__
        if setting.minimum is not None:
            expected += f' in {setting.minimum} to {setting.maximum}'
        raise VlaError(f"parameter '{setting.name}': expected {expected}; {error}") from error
