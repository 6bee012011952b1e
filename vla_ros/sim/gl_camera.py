"""Camera images by OpenGL (``mujoco.Renderer``): for beautiful videos, and a look that nothing was trained on.

Needs EGL or OSMesa from the system (``MUJOCO_GL=egl`` or ``osmesa``, set before mujoco is imported). The table is
plain here; patterns belong to the ray caster.
"""

from __future__ import annotations

import threading

import mujoco

from vla_ros.sim.cameras import pinhole
from vla_ros.types import ImageArray, VlaError


class GlCamera:
    """One camera of a scene drawn by OpenGL.

    A GL context belongs to the thread that made it: the first ``render`` makes it, and every later ``render`` and
    ``close`` must come from that same thread.
    """

    def __init__(
        self, model: mujoco.MjModel, name: str, width: int, height: int, *, shadows: bool = False
    ) -> None:
        """As ``Camera``; ``shadows`` also turns on smooth edges, at several times the cost."""
        self._camera = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_CAMERA, name)
        if self._camera < 0:
            names = [model.camera(i).name for i in range(model.ncam)]
            raise VlaError(f'camera: expected one of {names}, found {name!r}')
        self.name = name
        self.model = pinhole(width, height, float(model.cam_fovy[self._camera]))
        self._model, self._shadows = model, shadows
        model.vis.quality.shadowsize = 2048 if shadows else 0
        model.vis.quality.offsamples = 4 if shadows else 0
        model.vis.global_.offwidth = max(model.vis.global_.offwidth, width)
        model.vis.global_.offheight = max(model.vis.global_.offheight, height)
        self._renderer: mujoco.Renderer | None = None
        self._thread = 0

    def render(self, data: mujoco.MjData) -> ImageArray:
        """The image (height, width, 3) uint8 rgb of the present state.

        Raises:
            VlaError: OpenGL is not available, or this is not the thread of the first image.
        """
        if self._renderer is None:
            self._renderer = self._open()
            self._thread = threading.get_ident()
        elif self._thread != threading.get_ident():
            raise VlaError(
                f'camera {self.name!r}: OpenGL images must all come from one thread; render where you began'
            )
        self._renderer.update_scene(data, camera=self._camera)
        self._renderer.scene.flags[mujoco.mjtRndFlag.mjRND_SHADOW] = int(self._shadows)
        image: ImageArray = self._renderer.render()
        return image

    def close(self) -> None:
        """Free the GL context; without it drivers complain at exit."""
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None

    def _open(self) -> mujoco.Renderer:
        try:
            return mujoco.Renderer(self._model, self.model.height, self.model.width)
        except Exception as error:  # each GL binding has its own exception types, derived from Exception only
            raise VlaError(
                f'OpenGL is not available ({type(error).__name__}); install libegl1 and libgl1 or libosmesa6 and set '
                "MUJOCO_GL to 'egl' or 'osmesa', or use the ray-cast cameras"
            ) from error
