"""The continuum reader: a file's values in core units, the default continuum, and files that are none."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from ecotone.core.calibration import Calibration, Rate, Scaling
from ecotone.core.continuum import Device, Link, NodeType, Power, Site, Trust
from ecotone.core.errors import InputError
from ecotone.design import read_continuum
from ecotone.design.calibration import calibration_document, read_calibration, write_calibration

FULL = """
name: street
sites:
  camera:
    layer: device
    region: eu-es
    trust: {attested: true}
    nodes:
      camera: {count: 2, cores: 1, speed: 0.5, memory: 1 GiB, price: 0.01 EUR/h, power: {idle: 2 W, busy: 6 W},
               labels: {camera: "yes"}, devices: {gpu: {count: 1, memory: 4 GiB}}}
  cloud: {layer: cloud, nodes: {cloud: }}
links:
  - {between: [camera, cloud], latency: 2 ms, bandwidth: 200 Mbit/s, price: 0.09 EUR/GB}
"""


def write(folder: Path, text: str | bytes, name: str = "continuum.yaml") -> Path:
    file = folder / name
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


def test_everything_is_in_base_units(tmp_path: Path) -> None:
    continuum = read_continuum(write(tmp_path, FULL)).require()
    assert continuum.name == "street"
    assert continuum.emulated
    camera, cloud = continuum.sites
    assert camera == Site(
        name="camera",
        layer="device",
        region="eu-es",
        trust=Trust(attested=True),
        node_types=(
            NodeType(
                name="camera",
                count=2,
                cores=1,
                speed=0.5,
                memory_bytes=2.0**30,
                devices=(Device(kind="gpu", count=1, memory_bytes=2.0**32),),
                labels={"camera": "yes"},
                price_eur_per_h=0.01,
                power=Power(idle_w=2.0, busy_w=6.0),
            ),
        ),
    )
    assert cloud.node_types == (NodeType(name="cloud"),)
    assert continuum.links == (
        Link(
            between=("camera", "cloud"),
            latency_s=0.002,
            bandwidth_bytes_per_s=25e6,
            price_eur_per_byte=pytest.approx(0.09e-9),
        ),
    )
    assert [node.name for node in continuum.nodes] == ["camera-1", "camera-2", "cloud"]


def test_a_power_curve_says_the_ends_or_lies_between_them(tmp_path: Path) -> None:
    text = "sites: {a: {layer: edge, nodes: {a: {cores: 4, power: %s}}}}"
    whole = read_continuum(write(tmp_path, text % "{curve: [[0 %, 2 W], [0.5, 5 W], [100 %, 6 W]]}")).require()
    power = whole.nodes[0].type.power
    assert power == Power(idle_w=2.0, busy_w=6.0, curve=((0.5, 5.0),))
    between = read_continuum(write(tmp_path, text % "{idle: 2 W, busy: 6 W, curve: [[50 %, 5 W]]}")).require()
    assert between.nodes[0].type.power == power
    assert [power.at_w(share) for share in (-1, 0, 0.25, 0.5, 0.75, 1, 3)] == [2, 2, 3.5, 5, 5.5, 6, 6]
    assert power.per_core_w(4) == 1.0


def test_a_node_type_names_its_calibration(tmp_path: Path) -> None:
    found = Calibration(machine="a board", cores=4, taken_at="now", rates={"python": Rate(value=1e6, spread=0.1)})
    write_calibration(tmp_path / "board.json", found)
    text = """
sites:
  a:
    layer: edge
    nodes:
      named: {calibration: board.json}
      inline: {calibration: {machine: a board, rates: {python: 1.0e+6, memory: {value: 2.0e+9, unit: B/s}}}}
      none: {}
"""
    named, inline, none = read_continuum(write(tmp_path, text)).require().nodes
    assert named.type.calibration == found
    assert inline.type.calibration is not None
    assert inline.type.calibration.machine == "a board"
    assert {kind: rate.value for kind, rate in inline.type.calibration.rates.items()} == {"python": 1e6, "memory": 2e9}
    assert none.type.calibration is None


def test_what_calibrate_prints_can_be_pasted(tmp_path: Path) -> None:
    found = Calibration(
        machine="a board", cores=4, taken_at="now", rates={"python": Rate(value=1e6, unit="steps/s", repeats=9)},
        scaling=(Scaling(threads=4, speedups={"memory": 1.5}),), notes=("busy",), took_s=12.0,
    )  # fmt: skip
    printed = {"schema_version": 1, **calibration_document(found), "reliable": False, "file": None}
    document = {"sites": {"a": {"layer": "edge", "nodes": {"a": {"calibration": printed}}}}}
    read = read_continuum(write(tmp_path, json.dumps(document))).require().nodes[0].type.calibration
    assert read is not None
    assert (read.machine, read.rates) == (found.machine, found.rates)
    (tmp_path / "printed.json").write_text(json.dumps(printed))
    assert read_calibration(tmp_path / "printed.json") == found


def test_the_default_continuum_has_three_layers_and_no_node_faster_than_this_machine() -> None:
    continuum = read_continuum(None).require()
    assert {site.layer for site in continuum.sites} == {"device", "edge", "cloud"}
    assert max(node.type.speed for node in continuum.nodes) == 1.0
    names = [site.name for site in continuum.sites]
    assert all(continuum.route(first, last) is not None for first in names for last in names)
    assert all(node.type.price_eur_per_h > 0 and node.type.power.busy_w > 0 for node in continuum.nodes)


def test_the_name_is_the_file_s_without_another(tmp_path: Path) -> None:
    text = "sites: {a: {layer: edge, nodes: {a: {}}}}"
    assert read_continuum(write(tmp_path, text, "lab.yaml")).require().name == "lab"
    assert read_continuum(write(tmp_path, text, "my lab.yaml")).require().name == "continuum"


@pytest.mark.parametrize(
    ("content", "place", "code"),
    [
        ("", (1, 1), "empty-file"),
        ("# nothing\n", (1, 1), "empty-file"),
        ("--- 3\n", (1, 5), "wrong-type"),
        (b"name: M\xfcnchen\n", (1, 1), "not-utf-8"),
        ("a: 1\n\tb: 2\n", (2, 1), "syntax-error"),
        ("a: \x07\n", (1, 1), "syntax-error"),
        ("a: 1\n---\nb: 1\n", (2, 1), "syntax-error"),
        ("[" * 30 + "]" * 30, (1, 22), "endless"),
        ("&a [*a]", (1, 1), "endless"),
        ("sites: 2024-01-01", (1, 8), "wrong-type"),
    ],
)
def test_files_that_are_no_continuum(content: str | bytes, place: tuple[int, int], code: str, tmp_path: Path) -> None:
    (problem,) = read_continuum(write(tmp_path, content)).problems
    assert problem.code == code
    assert problem.place.line == place[0]
    assert problem.place.column == place[1] or code == "syntax-error"


def test_a_bomb_of_aliases_is_refused(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    (problem,) = read_continuum(write(tmp_path, "\n".join(lines))).problems
    assert problem.code == "endless"


def test_nothing_is_constructed(tmp_path: Path) -> None:
    found = read_continuum(write(tmp_path, "name: !!python/object/apply:os.abort []\nsites: {}\n")).problems
    assert sorted(each.code for each in found) == ["no-site", "wrong-type"]


def test_toml_and_folders_and_missing_files(tmp_path: Path) -> None:
    assert [each.code for each in read_continuum(write(tmp_path, "", "a.toml")).problems] == ["not-yaml"]
    assert [each.code for each in read_continuum(tmp_path).problems] == ["not-readable"]
    missing = read_continuum(tmp_path / "none.yaml")
    assert [each.code for each in missing.problems] == ["not-readable"]
    with pytest.raises(InputError, match=r"none\.yaml"):
        missing.require()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission(tmp_path: Path) -> None:
    file = write(tmp_path, FULL)
    file.chmod(0)
    assert [each.code for each in read_continuum(file).problems] == ["not-readable"]


def test_numbers_and_truth_as_in_yaml_1_2(tmp_path: Path) -> None:
    text = FULL.replace('camera: "yes"', "camera: yes, rack: 4, spare: true, level: 1.5, time: 12:30")
    labels = read_continuum(write(tmp_path, text)).require().nodes[0].type.labels
    assert labels == {"camera": "yes", "rack": "4", "spare": "true", "level": "1.5", "time": "12:30"}


def test_real_nodes_may_be_fast(tmp_path: Path) -> None:
    fast = FULL.replace("speed: 0.5", "speed: 3.5")
    assert [each.code for each in read_continuum(write(tmp_path, fast)).problems] == ["faster-than-real"]
    assert not read_continuum(write(tmp_path, "emulated: false" + fast)).require().emulated
