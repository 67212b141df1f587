"""The report's page, its data, the picture of the plan, and what becomes of outputs."""

from __future__ import annotations

import json
import re
import sys
from html.parser import HTMLParser
from xml.etree import ElementTree

import msgspec
import pytest
from tests.support.reports import broken_run, mobility_plan, mobility_run, three_sites

from ecotone.core.application import Application, Component, Trigger
from ecotone.core.errors import InputError, MissingExtraError, NotFoundError
from ecotone.core.plan import Assignment
from ecotone.frontends.report import full_document, plots, read_record, write_report
from ecotone.frontends.report.markup import Html, join, table, tag
from ecotone.frontends.report.outputs import PICTURES_MAX, outputs_section
from ecotone.frontends.report.picture import plan_picture

PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360000002000001"
    "e221bc330000000049454e44ae426082"
)


class Strict(HTMLParser):
    """Every element is closed; every address is kept."""

    VOID = frozenset({"img", "meta", "br", "source"})

    def __init__(self):
        super().__init__()
        self.open, self.addresses, self.ids = [], [], []

    def handle_starttag(self, name, attributes):
        if name not in self.VOID:
            self.open.append(name)
        self.addresses += [value for key, value in attributes if key in ("src", "href", "xlink:href")]
        self.ids += [value for key, value in attributes if key == "id"]

    def handle_startendtag(self, name, attributes):
        self.ids += [value for key, value in attributes if key == "id"]

    def handle_endtag(self, name):
        assert self.open.pop() == name


def parse(text):
    parser = Strict()
    parser.feed(text)
    assert parser.open == []
    return parser


def test_page_is_whole_and_needs_nothing_from_outside(tmp_path):
    page = write_report(mobility_run(), tmp_path)
    text = page.read_text()
    parser = parse(text)
    outside = [each for each in parser.addresses if "://" in each and not each.startswith("data:")]
    assert outside == []
    assert "@import" not in text
    assert not re.search(r"url\((?!#)", text)
    assert len(parser.ids) == len(set(parser.ids)), "ids of several pictures must not meet"


def test_page_answers_the_questions(tmp_path):
    text = write_report(mobility_run(), tmp_path).read_text()
    for part in (
        "All 3 promises kept",
        "EMULATED",
        "nothing was lost",
        "camera → quality → detect → anonymise → analytics",
        "taken off the cloud",
        "97 % of the bytes",
        "0.164 EUR/h",
        "killed by signal 9",
        "prefers-color-scheme: dark",
        "@media print",
    ):
        assert part in text, part
    broken = write_report(broken_run(), tmp_path).read_text()
    for part in ("2 of 3 promises broken", "2 items were lost", "saturated", 'class="broken"'):
        assert part in broken, part


def test_names_cannot_break_the_page(tmp_path):
    run = msgspec.structs.replace(mobility_run(), notes=("<script>alert(1)</script>",))
    assert "<script" not in write_report(run, tmp_path).read_text()


def test_a_run_without_anything_still_has_a_page(tmp_path):
    bare = msgspec.structs.replace(
        mobility_run(), components=(), paths=(), nodes=(), layers=(), events=(), timeline=(), outputs=(), notes=()
    )
    text = write_report(bare, tmp_path).read_text()
    assert "promises no latency" in text
    assert "Nothing out of the ordinary" in text


def test_data_has_milliseconds_and_a_schema_version(tmp_path):
    write_report(mobility_run(), tmp_path)
    value = json.loads((tmp_path / "report.json").read_text())
    assert value["schema_version"] == 1
    assert value["paths"][0]["measured_ms"] == pytest.approx(76.6)
    assert value["timeline"][0]["paths_ms"][0] == pytest.approx(73, rel=0.2)
    assert value["paths"][0]["quantiles_ms"][0][0] == 0.001
    assert value == json.loads(msgspec.json.encode(full_document(mobility_run())))


def test_record_can_be_read_again(tmp_path):
    write_report(mobility_run(), tmp_path)
    assert read_record(tmp_path) == mobility_run()
    with pytest.raises(NotFoundError, match="no record"):
        read_record(tmp_path / "elsewhere")
    (tmp_path / "record.json").write_text("{}")
    with pytest.raises(InputError, match="not a record of this version"):
        read_record(tmp_path)


def test_without_matplotlib_the_page_says_how_to_get_plots(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtraError):
        plots.latency_plot(mobility_run())
    text = write_report(mobility_run(), tmp_path).read_text()
    assert "pip install &#x27;ecotone[report]&#x27;; then: ecotone report APP --render" in text
    assert "Where everything ran" in text


def test_plots_follow_the_colours_of_the_page():
    pytest.importorskip("matplotlib")
    for svg in (plots.latency_plot(mobility_run()), plots.timeline_plot(mobility_run())):
        assert svg is not None
        ElementTree.fromstring(svg)
        assert "#0102" not in svg
        assert "var(--s1)" in svg
    alone = plots.latency_plot(mobility_run(), alone=True)
    assert alone is not None
    assert "--ink:" in alone


def test_too_little_for_a_plot():
    short = msgspec.structs.replace(mobility_run(), paths=(), timeline=())
    assert plots.latency_plot(short) is None
    assert plots.timeline_plot(short) is None


def test_picture_holds_every_component_and_channel():
    run = mobility_run()
    for report in (None, run):
        svg = plan_picture(run.plan, run.application, run.continuum, report)
        tree = ElementTree.fromstring(svg)
        texts = {each.text for each in tree.iter("{http://www.w3.org/2000/svg}text")}
        assert {each.name for each in run.application.components} <= texts
        assert {"street", "junction", "region", "roadside"} <= texts
        channels = [each for each in tree.iter("{http://www.w3.org/2000/svg}path") if each.get("class") == "p-c"]
        assert len(channels) == len(run.application.channels)


def test_picture_draws_ways_back_and_over_a_column():
    names = ("a", "b", "c", "d", "e")
    inputs = {"b": ("a",), "c": ("b",), "d": ("c", "a"), "e": ("a", "d")}
    application = Application(
        name="x",
        components=tuple(
            Component(
                name=name,
                target=name,
                trigger=Trigger(kind="data" if name != "a" else "source", inputs=inputs.get(name, ())),
            )
            for name in names
        ),
    )
    places = {"a": "camera", "b": "cloud", "c": "roadside", "d": "cloud", "e": "cloud"}
    plan = msgspec.structs.replace(
        mobility_plan(),
        components=(),
        assignments=tuple(Assignment(component=name, variant="default", node=node) for name, node in places.items()),
    )
    ElementTree.fromstring(plan_picture(plan, application, three_sites(), alone=True))


def test_outputs_are_inside_the_page_or_linked(tmp_path):
    for at in range(PICTURES_MAX + 5):
        (tmp_path / f"{at:02}.png").write_bytes(PIXEL)
    (tmp_path / "a&b.csv").write_text("x,y\n" * 100)
    (tmp_path / "clip.avi").write_bytes(b"avi")
    (tmp_path / "clip.mp4").write_bytes(b"mp4")
    names = sorted(each.name for each in tmp_path.iterdir())
    text = outputs_section([*names, "missing.png", "../outside.png"], tmp_path)
    parser = parse(text)
    inside = [each for each in parser.addresses if each.startswith("data:image/png")]
    assert len(inside) == PICTURES_MAX
    assert "a&amp;b.csv" in text
    assert "…" in text
    assert any(each.startswith("data:video/mp4") for each in parser.addresses)
    assert "clip.avi" in parser.addresses
    assert "outside" not in text
    assert "missing" not in text


def test_markup_escapes_what_is_not_markup():
    assert tag("p", "<b>", class_='a"b') == '<p class="a&quot;b">&lt;b&gt;</p>'
    assert join("&", Html("<i>")) == "&amp;<i>"
    assert '<td class="n">1</td>' in table(("a", "b"), [("x", 1)], numbers=(1,))
