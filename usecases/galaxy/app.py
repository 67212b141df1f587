"""Two galaxies collide: an MPI program in C runs sandboxed in cells, Python develops its plates.

    collide (a cell, 2 ranks) -> develop -> film

Each call of `collide` goes on from where the last one ended; its state is kept, so that a host that dies loses nothing.
Build the cell once, then run it:

    ecotone cell build -o usecases/galaxy/nbody.cell usecases/galaxy/nbody.c
    ecotone run usecases/galaxy --for 30s
"""

from __future__ import annotations

import msgspec
import numpy as np
from PIL import Image

from ecotone import CellRun, component, output_dir, parameter, path

bodies = parameter("bodies", 2000, help="stars in both galaxies together, an even number")
steps = parameter("steps", 8, help="steps of the simulation from one picture to the next")
miss = parameter("miss", 3.0, help="by how much the galaxies would pass each other; 0 is head on")
period = parameter("period", "500 ms", help="time from picture to picture")
ranks = parameter("ranks", 2, help="processes that share the work")

WIDTH, HEIGHT = 512, 384
_SPREAD = (1, 4, 6, 4, 1)
_FRAMES_MOST = 120


class Plate(msgspec.Struct):
    """How many stars lie behind each point, and how far the simulation was."""

    density: np.ndarray
    step: int


class Picture(msgspec.Struct):
    """A plate, developed: `[HEIGHT, WIDTH, 3]`, 8 bits each."""

    colours: np.ndarray
    step: int


@component(every=period, cell="nbody.cell", ranks=ranks, snapshot_every="2 s", memory="512 MiB")
class Collide:
    """The simulation; what the stars are doing is its state."""

    def __init__(self) -> None:
        self.stars = b""
        self.step = 0

    def __call__(self, run: CellRun) -> Plate:
        files = {"bodies": self.stars} if self.stars else {}
        done = run(str(steps.value), str(bodies.value), str(miss.value), files=files)
        self.stars = done.files["bodies"]
        self.step += steps.value
        return Plate(np.frombuffer(done.files["density"], np.float32).reshape(HEIGHT, WIDTH).copy(), self.step)

    def snapshot(self) -> dict[str, object]:
        return {"stars": self.stars, "step": self.step}

    def restore(self, state: dict[str, object]) -> None:
        self.stars, self.step = state["stars"], state["step"]


@component(on=Collide, latency="400 ms")
def develop(plate: Plate) -> Picture:
    """Stars shine into their neighbourhood; few are blue, many are yellow, a core is white."""
    light = plate.density
    halo = _spread(_spread(light))
    haze = _spread(_spread(halo, 3), 3)
    bright = np.clip(np.log1p(2 * light + 14 * halo + 30 * haze) / np.log1p(30), 0, 1)
    red, green, blue = bright**1.4, bright**1.5, bright**0.9
    colours = np.clip(np.stack([red, green, blue], axis=-1), 0, 1)
    return Picture((255 * colours).astype(np.uint8), plate.step)


def _spread(plate: np.ndarray, step: int = 1) -> np.ndarray:
    for axis in (0, 1):
        rolled = (weight * np.roll(plate, step * (place - 2), axis) for place, weight in enumerate(_SPREAD))
        plate = sum(rolled) / sum(_SPREAD)
    return plate


@component(on=develop, stateful=True)
class Film:
    """Keeps the newest picture as `galaxy.png`, and the last of them as `galaxy.gif`."""

    def __init__(self) -> None:
        self.frames: list[Image.Image] = []

    def __call__(self, picture: Picture) -> None:
        frame = Image.fromarray(picture.colours)
        frame.save(output_dir() / "galaxy.png")
        self.frames = [*self.frames[1 - _FRAMES_MOST :], frame.quantize(64)]
        if len(self.frames) % 10 == 0:
            first, *others = self.frames
            first.save(output_dir() / "galaxy.gif", save_all=True, append_images=others, duration=80, loop=0)


path(Collide, develop, Film, latency="1 s")
