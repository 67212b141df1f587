"""`ecotone performance operators` and `network`: measured, learnt, predicted, and what people get wrong."""

from __future__ import annotations

import json

import pytest

from ecotone.frontends.cli.main import run_command

pytest.importorskip("onnx", reason="the extra `onnx` is not installed")
pytest.importorskip("onnxruntime", reason="the extra `onnx` is not installed")
pytest.importorskip("lightgbm", reason="the extra `performance` is not installed")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A folder with a network, and what was learnt from it."""
    from tests.support.networks import stack

    folder = tmp_path_factory.mktemp("networks")
    (folder / "tiny.onnx").write_bytes(stack(["n", 3, "h", "w"]))
    sizes = ["--size", "16x16", "--size", "24x32"]
    command = ["performance", "operators", str(folder / "tiny.onnx"), *sizes, "--batch", "1", "--batch", "2"]
    command += ["--threads", "1", "--output", str(folder / "here.json"), "--json"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ecotone.session.networks.MEASURED_S", 0.05)
        assert run_command(command) == 0
    return folder


@pytest.fixture(autouse=True)
def columns(monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")


def run(capsys, *arguments):
    capsys.readouterr()
    status = run_command(["performance", *map(str, arguments)])
    printed = capsys.readouterr()
    assert "Traceback" not in printed.err
    return status, printed.out, printed.err


def test_predicted_beside_measured(files, capsys):
    asked = ["network", files / "tiny.onnx", "--size", "20x20", "--model", files / "here.json"]
    status, out, _ = run(capsys, *asked, "--measure")
    assert status == 0
    for word in ("tiny", "1x3x20x20", "Gemm", "predicted: a run takes", "measured:", "the prediction is"):
        assert word in out
    status, out, _ = run(capsys, *asked, "--json")
    document = json.loads(out)
    assert document["low_ms"] < document["predicted_ms"] < document["high_ms"]
    assert "measured_ms" not in document
    assert {"predicted_ms", "supported", "flops", "outputs"} <= set(document["operators"][0])
    parts = sum(each["predicted_ms"] for each in document["operators"])
    assert document["predicted_ms"] == pytest.approx(parts + document["overhead_ms"])


def test_without_times_the_operators_are_described(files, capsys):
    status, out, _ = run(capsys, "network", files / "tiny.onnx", "--size", "20x20")
    assert status == 0
    assert "no times: add --measure, or --model" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--size", "20"], "leaves the shape of its input x open"),
        (["--size", "20y20"], "--size 20y20: write height and width, as 240x320, or one length, as 128"),
        (["--size", "20x20", "--size", "30x30"], "ask about one size at a time"),
        (["--size", "20x20", "--batch", "0"], "--batch 0: write a whole number above 0"),
        (["--size", "20x20", "--model", "tiny.onnx"], "not a model of operators"),
        (["--size", "20x20", "--model", "none.json"], "cannot be read"),
    ],
)
def test_what_people_get_wrong(files, capsys, monkeypatch, arguments, said):
    monkeypatch.chdir(files)
    status, out, err = run(capsys, "network", "tiny.onnx", *arguments)
    assert status != 0
    assert not out
    assert said in err


def test_networks_that_are_not_there(files, tmp_path, capsys):
    status, _, err = run(capsys, "operators", tmp_path / "none.onnx", "--output", tmp_path / "here.json")
    assert status != 0
    assert "none.onnx" in err
    status, _, err = run(capsys, "operators", files / "tiny.onnx", "--output", tmp_path / "no" / "here.json")
    assert status != 0
    assert "there is no folder" in err
