"""Camera images by ray casting (``mj_multiRay``): no GL, the same pixels on every machine.

A pinhole camera. Image axes: u right, v down, pixel centres at integers; camera axes as MuJoCo has them: x right,
y up, looking along -z.
"""

from __future__ import annotations

import math

import mujoco
import numpy as np
import numpy.typing as npt

from vla_ros.sim.model import OBJECT_GROUP, ROBOT_GROUP, STATIC_GROUP
from vla_ros.sim.scene import Scene
from vla_ros.sim.shading import shade, tabletop_colour, to_pixels
from vla_ros.types import CameraModel, DoubleArray, ImageArray, VlaError

FRONT_SIZE = (256, 256)
WRIST_SIZE = (128, 128)
"""Width and height in pixels of the cameras as the simulator publishes them."""

BACKDROP = np.array([0.74, 0.77, 0.80], np.float32)
FAR = 100.0
LIGHT_DISTANCE = 6.0
NEAR = 0.005


class Camera:
    """One camera of a scene. Not thread safe; make one per World."""

    def __init__(
        self,
        model: mujoco.MjModel,
        name: str,
        width: int,
        height: int,
        *,
        scene: Scene,
        shadows: bool = False,
        samples: int = 1,
    ) -> None:
        """Mount a camera of the scene.

        Args:
            model: the scene's compiled model.
            name: 'front', 'wrist' or 'beauty'.
            width, height: image size in pixels.
            scene: whose lights and table pattern to use.
            shadows: cast the hard shadows of the first light (for pictures; about three times the time).
            samples: rays along each pixel's edge; 2 or 3 smooth the edges for pictures.

        Raises:
            VlaError: no camera of this name.
        """
        self._camera = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_CAMERA, name)
        if self._camera < 0:
            names = [model.camera(i).name for i in range(model.ncam)]
            raise VlaError(f'camera: expected one of {names}, found {name!r}')
        self.name = name
        self._model, self._scene = model, scene
        self._shadows, self._samples = shadows, samples
        self._width, self._height = width * samples, height * samples
        self.model = pinhole(width, height, float(model.cam_fovy[self._camera]))
        self._fine = pinhole(self._width, self._height, float(model.cam_fovy[self._camera]))
        self._rays = _pixel_rays(self._fine)
        self._fixed = int(model.cam_bodyid[self._camera]) == 0
        self._background: tuple[ImageArray, DoubleArray, DoubleArray] | None = None
        moving = np.isin(model.geom_group, (ROBOT_GROUP, OBJECT_GROUP))
        self._moving = np.flatnonzero(moving)
        self._corners = _box_corners(model.geom_aabb[self._moving])
        self._table = model.geom('table').id
        self._colours = np.where(
            (model.geom_matid >= 0)[:, None], model.mat_rgba[model.geom_matid], model.geom_rgba
        )[:, :3].astype(np.float32)

    def render(self, data: mujoco.MjData) -> ImageArray:
        """The image (height, width, 3) uint8 rgb of the present state.

        A fixed camera without shadows draws what never moves once and afterwards casts only the rays that can meet
        something that moves; the pixels are those of ``render_fully``.
        """
        if not self._fixed or self._shadows:
            return self.render_fully(data)
        if self._background is None:
            rays = self._world_rays(data)
            pixels, distance = self._cast(data, rays, (STATIC_GROUP,))
            self._background = pixels, distance, rays
        pixels, distance, rays = self._background
        chosen = np.flatnonzero(self._may_move(data))
        seen, nearer = self._cast(data, rays[chosen], (ROBOT_GROUP, OBJECT_GROUP))
        front = nearer < distance[chosen]
        image = pixels.copy()
        image[chosen[front]] = seen[front]
        return self._as_image(image)

    def render_fully(self, data: mujoco.MjData) -> ImageArray:
        """The same image with every ray cast anew."""
        pixels, _ = self._cast(data, self._world_rays(data), (STATIC_GROUP, ROBOT_GROUP, OBJECT_GROUP))
        return self._as_image(pixels)

    def project(self, data: mujoco.MjData, points: npt.ArrayLike) -> tuple[DoubleArray, DoubleArray]:
        """Pixels (N, 2) as (u, v) and depths (N,) in metres along the optical axis of world ``points`` (N, 3).

        Points behind the camera have a depth <= 0 and meaningless pixels.
        """
        return self._project(self.model, data, np.asarray(points, np.float64))

    def pose(self, data: mujoco.MjData) -> tuple[DoubleArray, DoubleArray]:
        """Position (3,) in the world and rotation (3, 3) from the optical frame (x right, y down, z forward)."""
        rotation = data.cam_xmat[self._camera].reshape(3, 3) * np.array([1.0, -1.0, -1.0])
        return data.cam_xpos[self._camera].copy(), rotation

    def _project(
        self, model: CameraModel, data: mujoco.MjData, points: DoubleArray
    ) -> tuple[DoubleArray, DoubleArray]:
        position, rotation = self.pose(data)
        local = (points - position) @ rotation
        depth = local[..., 2]
        safe = np.where(np.abs(depth) < 1e-9, 1e-9, depth)
        u = model.matrix[0, 0] * local[..., 0] / safe + model.matrix[0, 2]
        v = model.matrix[1, 1] * local[..., 1] / safe + model.matrix[1, 2]
        return np.stack([u, v], axis=-1), depth

    def _world_rays(self, data: mujoco.MjData) -> DoubleArray:
        return self._rays @ data.cam_xmat[self._camera].reshape(3, 3).T

    def _may_move(self, data: mujoco.MjData) -> npt.NDArray[np.bool_]:
        """(height * width,) true where the bounding box of a moving geom is seen."""
        rotation = data.geom_xmat[self._moving].reshape(-1, 3, 3)
        corners = self._corners @ rotation.transpose(0, 2, 1) + data.geom_xpos[self._moving][:, None]
        pixels, depth = self._project(self._fine, data, corners)
        mask = np.zeros((self._height, self._width), bool)
        if (depth < NEAR).any():
            mask[:] = True
            return mask.ravel()
        size = (self._width, self._height)
        first = np.clip(np.floor(pixels.min(axis=1)), 0, size).astype(int)
        last = np.clip(np.ceil(pixels.max(axis=1)) + 1, 0, size).astype(int)
        for (left, top), (right, bottom) in zip(first.tolist(), last.tolist()):
            mask[top:bottom, left:right] = True
        return mask.ravel()

    def _cast(
        self, data: mujoco.MjData, rays: DoubleArray, groups: tuple[int, ...]
    ) -> tuple[ImageArray, DoubleArray]:
        """Pixels (N, 3) and distances (N,), FAR where nothing is met, of unit ``rays`` (N, 3) from the camera."""
        origin = data.cam_xpos[self._camera]
        geom, distance, normal = _multi_ray(self._model, data, origin, rays, groups)
        colours = np.empty((len(rays), 3), np.float32)
        colours[:] = BACKDROP
        hit = np.flatnonzero(geom >= 0)
        surface = self._colours[geom[hit]]
        on_top = np.flatnonzero((geom[hit] == self._table) & (normal[hit, 2] > 0.5))
        if len(on_top):
            seen = hit[on_top]
            places = origin[:2] + rays[seen, :2] * distance[seen, None]
            surface[on_top] = tabletop_colour(self._scene.table, places.astype(np.float32))
        lit = None
        if self._shadows:
            lit = self._reached_by_light(data, origin + rays[hit] * distance[hit, None])
        colours[hit] = shade(self._scene, surface, normal[hit], lit)
        distance[geom < 0] = FAR
        return to_pixels(colours), distance

    def _reached_by_light(self, data: mujoco.MjData, points: DoubleArray) -> npt.NDArray[np.float32]:
        """(N,) 1 where the first light reaches a point, 0 in its shadow."""
        origin = LIGHT_DISTANCE * np.array(self._scene.lights[0].direction)
        towards = points - origin
        length = np.linalg.norm(towards, axis=1)
        everything = (STATIC_GROUP, ROBOT_GROUP, OBJECT_GROUP)
        geom, distance, _ = _multi_ray(self._model, data, origin, towards / length[:, None], everything)
        return ((geom < 0) | (distance > length - 0.0015)).astype(np.float32)

    def _as_image(self, pixels: ImageArray) -> ImageArray:
        image = pixels.reshape(self._height, self._width, 3)
        if self._samples == 1:
            return image
        n = self._samples
        blocks = image.reshape(self._height // n, n, self._width // n, n, 3)
        return (blocks.mean(axis=(1, 3)) + 0.5).astype(np.uint8)


def pinhole(width: int, height: int, field_of_view: float) -> CameraModel:
    """An ideal camera with square pixels; ``field_of_view`` is the vertical one in degrees, edge to edge."""
    focal = height / 2 / math.tan(math.radians(field_of_view) / 2)
    matrix = np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1]])
    return CameraModel(width=width, height=height, matrix=matrix, distortion=(0.0,) * 5)


def _pixel_rays(camera: CameraModel) -> DoubleArray:
    """Unit rays (height * width, 3) through the pixel centres, row by row, in MuJoCo's camera axes."""
    focal, centre = camera.matrix[0, 0], camera.matrix[:2, 2]
    u, v = np.meshgrid(np.arange(camera.width) - centre[0], np.arange(camera.height) - centre[1])
    rays = np.stack([u / focal, -v / focal, -np.ones_like(u)], axis=-1).reshape(-1, 3)
    return rays / np.linalg.norm(rays, axis=1, keepdims=True)


def _box_corners(boxes: DoubleArray) -> DoubleArray:
    """Corners (G, 8, 3) of axis-aligned ``boxes`` (G, 6): centre and half size."""
    signs = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], np.float64)
    return boxes[:, None, :3] + signs * boxes[:, None, 3:]


def _multi_ray(
    model: mujoco.MjModel,
    data: mujoco.MjData,
    origin: DoubleArray,
    rays: DoubleArray,
    groups: tuple[int, ...],
) -> tuple[npt.NDArray[np.int32], DoubleArray, npt.NDArray[np.float32]]:
    """Geom ids (N,), -1 for none, distances (N,) and unit normals (N, 3) of ``rays`` (N, 3)."""
    count = len(rays)
    wanted = np.zeros(mujoco.mjNGROUP, np.uint8)
    wanted[list(groups)] = 1
    geom = np.full(count, -1, np.int32)
    distance = np.full(count, FAR)
    normal = np.zeros(3 * count)
    if count:
        flat = np.ascontiguousarray(rays).ravel()
        mujoco.mj_multiRay(model, data, origin, flat, wanted, 1, -1, geom, distance, normal, count, FAR)
    return geom, distance, normal.reshape(-1, 3).astype(np.float32)
