"""The decision drawn into what the camera saw: the target, the verdict and the chain of thought."""

from __future__ import annotations

import textwrap

import cv2
import numpy as np

from vla_ros.types import Decision, ImageArray, Verdict

HEIGHT = 480
COLOURS = {Verdict.GO: (60, 200, 90), Verdict.UNSURE: (240, 180, 40), Verdict.REFUSED: (230, 70, 60)}
LETTERS, LINE, MARGIN = 62, 18, 8
"""Characters a line, and pixels from line to line and from the edge, at the size of the drawing."""


def overlay(image: ImageArray, decision: Decision) -> ImageArray:
    """A larger copy of the image (h, w, 3) rgb8 with the decision drawn in."""
    width = round(image.shape[1] * HEIGHT / image.shape[0])
    picture = cv2.resize(image, (width, HEIGHT), interpolation=cv2.INTER_CUBIC).astype(np.uint8)
    colour = COLOURS[decision.verdict]
    if decision.target is not None:
        at = (round(decision.target[0] * width), round(decision.target[1] * HEIGHT))
        cv2.drawMarker(picture, at, colour, cv2.MARKER_CROSS, 34, 2, cv2.LINE_AA)
        cv2.circle(picture, at, 24, colour, 2, cv2.LINE_AA)
    if decision.target is not None and decision.second_target is not None:
        goal = (round(decision.second_target[0] * width), round(decision.second_target[1] * HEIGHT))
        cv2.arrowedLine(picture, at, goal, colour, 2, cv2.LINE_AA, tipLength=0.15)
    lines = [f'{decision.verdict.value}: {decision.subtask}', *textwrap.wrap(decision.trace, LETTERS)]
    top = HEIGHT - MARGIN - LINE * len(lines)
    picture[top - MARGIN :] = picture[top - MARGIN :] // 4
    for number, line in enumerate(lines):
        place = (MARGIN, top + LINE * (number + 1) - 5)
        shade = colour if number == 0 else (235, 235, 235)
        cv2.putText(picture, line, place, cv2.FONT_HERSHEY_SIMPLEX, 0.43, shade, 1, cv2.LINE_AA)
    return picture
