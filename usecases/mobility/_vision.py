"""OpenCV for the other modules of this application: imported once, on one thread, with a clear message when it cannot.

Called by every module here, as `from _vision import cv2`.
"""

from __future__ import annotations

from ecotone.core.errors import MissingExtraError, UnavailableError

__all__ = ["cv2", "why_no_opencv"]


def why_no_opencv(error: ImportError) -> UnavailableError:
    """One line that says what is missing and the command that installs it.

    `opencv-python` needs system libraries that a server without a screen does not have; then the package is there and
    its import fails all the same.
    """
    if isinstance(error, ModuleNotFoundError):
        return MissingExtraError("OpenCV (cv2)", "mobility")
    return UnavailableError(
        f"OpenCV cannot be loaded ({error}); install the system libraries it needs with: "
        "apt-get install -y libgl1 libglib2.0-0"
    )


try:
    import cv2
except ImportError as error:
    raise why_no_opencv(error) from error

cv2.setNumThreads(1)  # a component is one core's work; more threads would take other components' cores
