"""The road camera's components as the plain functions that they are, on real frames."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ecotone.core import parameters as bound
from ecotone.core.errors import InputError, MissingExtraError, UnavailableError
from ecotone.design.continuum import read_continuum
from ecotone.design.read import read_application

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

ROOT = Path(__file__).parents[3]
MOBILITY = ROOT / "usecases" / "mobility"
STREET = ROOT.parent / "shared" / "data" / "video" / "vtest.avi"
MODULES = ("app", "_album", "_clips", "_faces", "_motion", "_pictures", "_vision")

np = pytest.importorskip("numpy")


@pytest.fixture(scope="module")
def app() -> Iterator[ModuleType]:
    """The application's module, imported as a host would."""
    pytest.importorskip("cv2")
    pytest.importorskip("onnxruntime")
    before = {name: sys.modules.pop(name, None) for name in MODULES}
    sys.path.insert(0, str(MOBILITY))
    try:
        import app

        yield app
    finally:
        sys.path.remove(str(MOBILITY))
        for name, module in before.items():
            sys.modules.pop(name, None)
            if module is not None:
                sys.modules[name] = module


@pytest.fixture(autouse=True)
def parameters() -> Iterator[None]:
    bound.bind({})
    yield
    bound.bind({})


def frames(app: ModuleType, count: int, **values: Any) -> list[Any]:
    bound.bind(values)
    camera = app.Camera()
    return [camera() for _ in range(count)]


@pytest.fixture(scope="module")
def bikes(app: ModuleType) -> list[Any]:
    return frames(app, 120, clip="bikes")


@pytest.fixture(scope="module")
def street(app: ModuleType) -> list[Any]:
    if not STREET.is_file():
        pytest.skip("the street clip ../shared/data/video/vtest.avi is not here")
    return frames(app, 120, clip=str(STREET))


def test_the_static_reader_and_the_decorators_agree(app: ModuleType) -> None:
    application = read_application(MOBILITY).require()
    names = {"camera", "quality", "detect", "anonymise", "analytics", "site_statistics", "album"}
    assert {component.name for component in application.components} == names
    for component in application.components:
        assert getattr(app, component.target).__ecotone__ == component


def test_raw_frames_never_leave_the_edge_by_the_rules_of_the_application() -> None:
    private = read_application(MOBILITY).require().private_layers()
    assert private == {name: frozenset({"device", "edge"}) for name in ("camera", "quality", "detect")}


@pytest.mark.parametrize("file", sorted(path.name for path in MOBILITY.glob("*.yaml")))
def test_each_continuum_has_three_layers(file: str) -> None:
    continuum = read_continuum(MOBILITY / file).require()
    assert {site.layer for site in continuum.sites} == {"device", "edge", "cloud"}


def test_the_camera_plays_the_clip_round_and_round(app: ModuleType) -> None:
    played = frames(app, 251, clip="bikes")
    assert played[0].shape == (272, 640, 3)
    assert np.array_equal(played[0], played[250])
    assert not np.array_equal(played[0], played[100])


def test_wide_frames_are_scaled_down(app: ModuleType) -> None:
    assert frames(app, 1, clip="bunny", width=640)[0].shape == (360, 640, 3)


def test_a_missing_or_unreadable_clip_is_named_with_what_to_do(app: ModuleType) -> None:
    bound.bind({"clip": "no/such.mp4"})
    with pytest.raises(InputError, match=r"no video file .*no/such\.mp4.*--set clip=FILE.*bikes"):
        app.Camera()
    bound.bind({"clip": str(MOBILITY / "app.py")})
    with pytest.raises(InputError, match=r"app\.py: OpenCV finds no video in this file.*--set clip=FILE"):
        app.Camera()


def test_quality_lets_sharp_frames_pass_and_drops_black_and_blurred_ones(app: ModuleType, bikes: list[Any]) -> None:
    import cv2

    assert app.quality(bikes[40]) is bikes[40]
    assert app.quality(np.zeros_like(bikes[0])) is None
    assert app.quality(cv2.GaussianBlur(bikes[40], (0, 0), 12)) is None


def test_both_variants_find_the_faces_of_the_clip(app: ModuleType, bikes: list[Any]) -> None:
    application = read_application(MOBILITY).require()
    variants = {each.name: app.Detect(**each.settings) for each in application.component("detect").variants}
    large = [variants["large"](frame) for frame in bikes[30:120:10]]
    small = [variants["small"](frame) for frame in bikes[30:120:10]]
    assert sum(len(each.faces) for each in large) >= 4
    for left, top, wide, high, score in (face for each in large for face in each.faces):
        assert -10 < left < 640 and -10 < top < 272 and 10 < wide < 150 and 10 < high < 150 and 0.35 <= score <= 1
    scores = [app.agreement(one, other) for one, other in zip(small, large, strict=True)]
    told = [score for score in scores if score is not None]
    assert told and 0.5 < sum(told) / len(told) <= 1.0


def test_agreement_is_f1_at_half_overlap(app: ModuleType) -> None:
    def sighting(*boxes: tuple[float, float]) -> Any:
        return app.Sighting(np.zeros((1, 1, 3), np.uint8), [[x, y, 10.0, 10.0, 0.9] for x, y in boxes])

    assert app.agreement(sighting(), sighting()) is None
    assert app.agreement(sighting((0, 0)), sighting()) == 0.0
    assert app.agreement(sighting((0, 0)), sighting((1, 1))) == 1.0
    assert app.agreement(sighting((0, 0)), sighting((6, 0))) == 0.0
    assert app.agreement(sighting((0, 0), (50, 50)), sighting((0, 0))) == pytest.approx(2 / 3)


def test_anonymise_hides_the_faces_and_nothing_else(app: ModuleType, bikes: list[Any]) -> None:
    import cv2

    bound.bind({"heads": False})
    detect = app.Detect(pixels=184_320)
    sighting = next(each for each in map(detect, bikes[30:]) if each.faces)
    kept = sighting.frame.copy()
    picture = app.Anonymise()(sighting)
    assert np.array_equal(kept, sighting.frame), "frames may be shared: they are not painted on"
    assert picture.faces == len(sighting.faces)
    shown = cv2.imdecode(np.frombuffer(picture.jpeg, np.uint8), cv2.IMREAD_COLOR)
    left, top, wide, high = (int(value) for value in sighting.faces[0][:4])
    face = (slice(max(0, top), top + high), slice(max(0, left), left + wide))

    change = np.abs(shown.astype(int) - kept)
    assert change[face].mean() > 6
    assert app.Detect(pixels=184_320)(shown).faces == []
    assert change[:, -80:].mean() < 3


def test_anonymise_hides_the_heads_of_what_moves(app: ModuleType, street: list[Any]) -> None:
    import cv2

    anonymise = app.Anonymise()
    pictures = [anonymise(app.Sighting(frame, [])) for frame in street]
    shown = cv2.imdecode(np.frombuffer(pictures[-1].jpeg, np.uint8), cv2.IMREAD_COLOR)
    changed = (np.abs(shown.astype(int) - street[-1]).max(axis=2) > 60).mean()
    assert 0.0005 < changed < 0.05


def test_anonymise_goes_on_from_a_snapshot(app: ModuleType, street: list[Any]) -> None:
    first, second = app.Anonymise(), app.Anonymise()
    for frame in street[:60]:
        first(app.Sighting(frame, []))
    second.restore(first.snapshot())
    fresh = app.Anonymise()(app.Sighting(street[60], []))
    one, other = (each(app.Sighting(street[60], [])) for each in (first, second))
    assert abs(len(one.jpeg) - len(other.jpeg)) < 300
    assert abs(len(fresh.jpeg) - len(one.jpeg)) > 300


def scenes_of(app: ModuleType, street: list[Any], analytics: Any) -> list[Any]:
    from _pictures import pack

    return [analytics(app.Picture(pack(frame), 100.0 + number / 25, 1)) for number, frame in enumerate(street)]


def test_analytics_counts_the_pedestrians_and_goes_on_from_a_snapshot(app: ModuleType, street: list[Any]) -> None:
    first, second = app.Analytics(), app.Analytics()
    scenes = scenes_of(app, street, first)
    assert 2 <= max(len(scene.things) for scene in scenes) <= 12
    assert scenes[-1].total >= 3
    assert [bool(scene.jpeg) for scene in scenes[:6]] == [True, False, False, False, False, True]
    second.restore(first.snapshot())
    one, other = (scenes_of(app, street[:5], each) for each in (first, second))
    assert [scene.total for scene in one] == [scene.total for scene in other]
    assert [len(scene.things) for scene in one] == [len(scene.things) for scene in other]


def test_site_statistics_sums_up_a_second(app: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    box = (0.1, 0.1, 0.1, 0.1)
    scenes = [app.Scene(50.0 + n / 25, 1, [(1, box)] * (n % 3), 7 + n // 20) for n in range(25)]
    statistics = app.site_statistics(scenes)
    assert statistics.frames_per_s == 25.0
    assert statistics.moving_max == 2
    assert statistics.passed == 1
    assert statistics.faces_hidden == 25
    assert "25.0 frames/s" in capsys.readouterr().out
    assert app.site_statistics([]) is None


def test_album_leaves_a_picture_and_a_clip(
    app: ModuleType, bikes: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import cv2
    from _pictures import pack

    monkeypatch.setenv("ECOTONE_OUTPUT_DIR", str(tmp_path))
    album = app.Album()
    for number in range(31):
        album(app.Scene(time.time(), 0, [(1, (0.2, 0.2, 0.2, 0.3))], 1, pack(bikes[number])))
        album(app.Scene(time.time(), 0, [], 1))
    picture = cv2.imread(str(tmp_path / "street.jpg"))
    assert picture.shape == (272, 640, 3)
    capture = cv2.VideoCapture(str(tmp_path / "street.mp4"))
    assert capture.get(cv2.CAP_PROP_FRAME_COUNT) == 30
    capture.release()


def test_opencv_that_cannot_be_imported_is_explained(app: ModuleType) -> None:
    import _vision

    missing = _vision.why_no_opencv(ModuleNotFoundError("No module named 'cv2'", name="cv2"))
    assert isinstance(missing, MissingExtraError) and "pip install 'ecotone[mobility]'" in str(missing)
    broken = _vision.why_no_opencv(ImportError("libGL.so.1: cannot open shared object file"))
    assert type(broken) is UnavailableError
    assert "libGL.so.1" in str(broken) and "apt-get install -y libgl1 libglib2.0-0" in str(broken)


def test_missing_packages_are_named_with_the_line_that_installs_them(
    app: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    import importlib.util

    import _clips
    import _faces

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    for find in (_faces.network_file, lambda: _clips.find_clip("bikes")):
        with pytest.raises(MissingExtraError, match=r"pip install 'ecotone\[mobility\]'"):
            find()
