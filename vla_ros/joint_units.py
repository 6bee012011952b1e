"""What a number of somebody else's says of a joint of ours: units, senses and zeros, as people declare them in YAML."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Number = Annotated[float, Field(ge=-1e4, le=1e4)]
Angle = Annotated[float, Field(ge=-100.0, le=100.0)]


class Strict(BaseModel):
    """A part of a file: no unknown keys, no odd numbers, never changed."""

    model_config = ConfigDict(extra='forbid', frozen=True, allow_inf_nan=False)


class Point(Strict):
    """One number of theirs, and where the joint is then, in rad."""

    theirs: Number
    rad: Angle


class JointColumn(Strict):
    """One number of a vector. Either a joint, or ``ignored``: filled up, or of something that is not in the robot.

    Attributes:
        joint: name of ours.
        unit: 'rad' and 'deg' with ``sign`` and ``zero`` (rad of ours where theirs is 0); 'line' goes through ``first``
            and ``second``, as for a gripper from 0 open to 1 closed.
    """

    joint: str = Field('', max_length=100)
    ignored: bool = False
    unit: Literal['rad', 'deg', 'line'] = 'rad'
    sign: Literal[1, -1] = 1
    zero: Angle = 0.0
    first: Point | None = None
    second: Point | None = None

    @model_validator(mode='after')
    def _is_one_thing(self) -> JointColumn:
        if bool(self.joint) == self.ignored:
            raise ValueError('expected either joint or ignored: true')
        if (self.unit == 'line') != (self.first is not None and self.second is not None):
            raise ValueError('expected first and second with unit: line, and only with it')
        if self.first is not None and self.second is not None:
            if self.sign != 1 or self.zero != 0.0:
                raise ValueError('expected neither sign nor zero with unit: line')
            if self.first.theirs == self.second.theirs or self.first.rad == self.second.rad:
                raise ValueError('first and second: expected two points that differ in both numbers')
        return self

    @property
    def line(self) -> tuple[float, float]:
        """(slope, offset): rad = offset + slope * theirs."""
        if self.first is not None and self.second is not None:
            slope = (self.second.rad - self.first.rad) / (self.second.theirs - self.first.theirs)
            return slope, self.first.rad - slope * self.first.theirs
        return self.sign * (math.radians(1.0) if self.unit == 'deg' else 1.0), self.zero
