"""`check`: application and continuum in one pass, and what the second offers to the first."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecotone.core.errors import InputError
from ecotone.design import check

CONTINUUM = """
sites:
  camera: {layer: device, region: eu-es, nodes: {camera: {memory: 1 GiB, labels: {camera: "yes"}}}}
  cloud:
    layer: cloud
    region: us-east
    trust: {attested: true}
    nodes: {cloud: {memory: 8 GiB, devices: {gpu: {count: 2, memory: 4 GiB}}}}
links:
  - {between: [camera, cloud], latency: 1 ms, bandwidth: 1 MB/s}
"""


def found(folder: Path, keywords: str, continuum: str = CONTINUUM) -> list[tuple[str, str]]:
    app, file = folder / "app.py", folder / "lab.yaml"
    decorator = f"@component(every='1 s', {keywords})"
    app.write_text(f"from ecotone import component\n\n\n{decorator}\ndef tick():\n    return 1\n")
    file.write_text(continuum)
    return [(each.code, each.hint) for each in check(app, file).problems]


@pytest.mark.parametrize(
    "keywords",
    [
        "accelerators=['gpu:2 4 GiB']",
        "memory='8 GiB', confidential=True",
        "regions=['us-*']",
        "regions=['eu-es', 'nowhere']",
        "labels={'camera': 'yes'}, layers='device'",
        "private=['cloud', 'edge']",
    ],
)
def test_what_some_node_has(keywords: str, tmp_path: Path) -> None:
    assert found(tmp_path, keywords) == []


@pytest.mark.parametrize(
    ("keywords", "code", "hint"),
    [
        ("accelerators=['gpu:3']", "no-such-accelerator", "cloud has 2 gpu of 4 GiB"),
        ("accelerators=['gpu 5 GiB']", "no-such-accelerator", "cloud has 2 gpu of 4 GiB"),
        ("accelerators=['npu']", "no-such-accelerator", "there are gpu"),
        ("memory='9 GiB'", "no-such-memory", "the most is 8 GiB, on cloud"),
        ("regions='asia'", "no-such-region", "its regions: eu-es, us-east"),
        ("labels={'camera': 'no'}", "no-such-label", "there is camera: yes"),
        ("labels={'disk': 'ssd'}", "no-such-label", "no node has a label disk"),
        ("layers='edge'", "no-such-layer", "its layers: cloud, device"),
        ("private='edge'", "no-such-layer", "its layers: cloud, device"),
        ("layers='device', accelerators='gpu'", "no-such-node", "camera comes nearest, without 1 gpu"),
        ("private='device', confidential=True", "no-such-node", "camera comes nearest, without an attested site"),
    ],
)
def test_what_no_node_has_names_the_nearest_miss(keywords: str, code: str, hint: str, tmp_path: Path) -> None:
    assert found(tmp_path, keywords) == [(code, hint)]


def test_no_attested_site(tmp_path: Path) -> None:
    continuum = CONTINUUM.replace("attested: true", "attested: false")
    assert [code for code, _ in found(tmp_path, "confidential=True", continuum)] == ["no-attested-site"]


def test_both_files_are_judged_in_one_pass(tmp_path: Path) -> None:
    codes = [code for code, _ in found(tmp_path, "latency='1 kg'", CONTINUUM.replace("1 ms", "1 kg"))]
    assert codes == ["wrong-unit", "wrong-unit"]
    result = check(tmp_path / "app.py", tmp_path / "lab.yaml")
    assert [Path(each.place.file).name for each in result.problems] == ["app.py", "lab.yaml"]
    assert result.application is None
    assert result.continuum is None
    with pytest.raises(InputError, match="2 mistakes") as raised:
        result.require()
    assert raised.value.problems == result.problems


def test_offers_are_judged_even_if_something_else_is_wrong(tmp_path: Path) -> None:
    assert [code for code, _ in found(tmp_path, "latency='1 kg', memory='9 GiB'")] == ["wrong-unit", "no-such-memory"]


def test_parameters_reach_both_checks(tmp_path: Path) -> None:
    app = tmp_path / "app.py"
    app.write_text(
        "from ecotone import component, parameter\n\nmemory = parameter('memory', '1 GiB')\n\n\n"
        "@component(every='1 s', memory=memory)\ndef tick():\n    return 1\n"
    )
    assert check(app).problems == ()
    assert [each.code for each in check(app, parameters={"memory": "1 TiB"}).problems] == ["no-such-memory"]
    assert check(app, parameters={"memory": "2 GiB"}).read.parameters == {"memory": "2 GiB"}


def test_a_missing_application_still_has_its_continuum_judged(tmp_path: Path) -> None:
    (tmp_path / "lab.yaml").write_text("sites: 3\n")
    result = check(tmp_path / "none.py", tmp_path / "lab.yaml")
    assert sorted(each.code for each in result.problems) == ["unknown-app", "wrong-type"]
