"""`ecotone performance fit`, `predict` and `report`: documents, tables, files, and what people get wrong."""

from __future__ import annotations

import csv
import json

import pytest
from tests.support.runs import law_runs, write_runs

from ecotone.frontends.cli.main import run_command


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A folder with runs.csv, and model.json that was learnt from it."""
    folder = tmp_path_factory.mktemp("models")
    write_runs(folder / "runs.csv", law_runs(17, noise=0.01))
    command = ["performance", "fit", str(folder / "runs.csv"), "--target", "figure"]
    assert run_command([*command, "--output", str(folder / "model.json"), "--json"]) == 0
    return folder


@pytest.fixture(autouse=True)
def columns(monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")


def run(capsys, *arguments):
    """Status, what was printed, and what was said."""
    capsys.readouterr()
    status = run_command(["performance", *map(str, arguments)])
    printed = capsys.readouterr()
    assert "Traceback" not in printed.err
    return status, printed.out, printed.err


def test_fit_tells_what_competed_and_why(files, tmp_path, capsys):
    output = tmp_path / "m.json"
    output.write_text("an older one")
    command = ["fit", files / "runs.csv", "--target", "figure", "--output", output, "--extrapolate", "x"]
    status, out, err = run(capsys, *command)
    assert status == 0
    for word in ("performance model of figure", "17 runs", "error in validation", "weight", "asked for", "x", "y"):
        assert word in out
    assert "learning" in err
    assert json.loads(output.read_text())["target"] == "figure"
    status, out, _ = run(capsys, *command, "--json")
    document = json.loads(out)
    assert document["schema_version"] == 1
    assert document["file"] == str(output)
    assert document["question"] == "extrapolation"
    assert {each["name"] for each in document["features"]} == {"x", "y"}
    assert document["candidates"][0]["error"] >= 0


def test_predict_answers_in_the_order_of_the_table(files, tmp_path, capsys):
    questions = tmp_path / "q.csv"
    questions.write_text("note;y;x\nhello;5;5\n;2;9\nfar;5;1e9\n")
    status, out, err = run(capsys, "predict", files / "model.json", questions, "--json")
    assert status == 0
    document = json.loads(out)
    assert document["schema_version"] == 1
    first, second, far = document["rows"]
    assert first["low"] <= first["prediction"] <= first["high"]
    assert first["prediction"] == pytest.approx(5**1.2 + 15, rel=0.1)
    assert second["prediction"] == pytest.approx(9**1.2 + 6, rel=0.1)
    assert not far["supported"]
    assert "too far" in far["reason"]
    assert "reason" not in first
    assert document["assessment"] is None
    assert "note" in document["notes"][0]
    assert "note" in err


def test_predict_tells_the_error_where_it_can(files, tmp_path, capsys):
    other = write_runs(tmp_path / "other.csv", law_runs(25, seed=9))
    status, out, _ = run(capsys, "predict", files / "model.json", other, "--json")
    document = json.loads(out)
    found = document["assessment"]
    assert found["all"]["rows"] == 25
    assert found["all"]["error"] < 0.15
    assert document["notes"] == []
    status, out, _ = run(capsys, "predict", files / "model.json", other)
    assert status == 0
    assert "against what was measured" in out
    assert "and 5 more rows" in out
    _, _, err = run(capsys, "predict", files / "model.json", files / "runs.csv")
    assert "seems to be the table that the model has learnt from" in err


def test_predicted_rows_go_beside_the_table(files, tmp_path, capsys):
    questions = tmp_path / "q.csv"
    questions.write_text("y,name,x,figure\n5,a,5,\n2,b,9,1.5\n")
    output = tmp_path / "answers.csv"
    status, _, err = run(capsys, "predict", files / "model.json", questions, "--output", output)
    assert status == 0
    rows = list(csv.DictReader(output.read_text().splitlines()))
    assert [row["name"] for row in rows] == ["a", "b"]
    assert float(rows[0]["low"]) <= float(rows[0]["prediction"]) <= float(rows[0]["high"])
    assert rows[0]["supported"] == "true"
    assert "1 of 2 rows hold no figure above zero" in err
    status, _, err = run(capsys, "predict", files / "model.json", output, "--output", tmp_path / "again.csv")
    assert status == 2
    assert "has the columns prediction, low, high, supported, reason already" in err.replace("\n", " ")


def test_a_report_is_one_page(files, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    other = write_runs(tmp_path / "other.csv", law_runs(17, seed=9))
    output = tmp_path / "r.html"
    status, out, _ = run(capsys, "report", files / "model.json", other, "--output", output)
    assert status == 0
    assert out == f"{output}\n"
    page = output.read_text()
    assert page.count("<svg") == 4
    for word in (
        "Residuals by feature",
        "What the intervals cover",
        "How many runs are enough",
        "judged by the 17 runs",
    ):
        assert word in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "<script" not in page
    runs = files / "runs.csv"
    status, out, _ = run(capsys, "report", files / "model.json", runs, "--output", output, "--json")
    assert "to be fair" in output.read_text()
    assert len(json.loads(out)["learning_curve"]) >= 2


def test_a_report_needs_what_was_measured(files, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    (tmp_path / "q.csv").write_text("x,y\n1,2\n")
    status, _, err = run(capsys, "report", files / "model.json", tmp_path / "q.csv", "--output", tmp_path / "r.html")
    assert status == 2
    assert "'figure'" in err


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        ("x,figure\n1,2\n", [], ["too few rows", "nothing to predict it from"]),
        ("x,figure\n" + "1,2\n" * 9, [], ["nothing to predict it from"]),
        ("x,figure\n" + "1,2\n2,-3\n" * 9, [], ["must be above zero", "here it is -3", "and 6 more"]),
        ("x,figure\n1,nan\n2,abc\n,1e400\n", [], ["'nan' stands", "'abc' in column", "nothing stands", "'1e400'"]),
        ("x,figure,figure\n1,2,3\n", [], ["'figure' is the name of column 2 already"]),
        ("x,z\n" + "1,2\n" * 9, [], ["there is no column 'figure'"]),
        ("x,figure\n1,2\n2,3\n", ["--extrapolate", "w", "--ignore", "u"], ["there is no column 'u'"]),
        ("x,figure\n1,2\n2,3\n", ["--extrapolate", "w"], ["there is no column 'w'", "too few rows"]),
        ("x,figure\n1,2\n2,3\n", ["--ignore", "figure"], ["is to be ignored and to be the target"]),
        ("x,figure\n1,2\n2,3\n", ["--ignore", "x", "--extrapolate", "x"], ["ignored and to be extrapolated"]),
        ("", [], ["the file is empty"]),
    ],
)
def test_what_cannot_be_learnt_from_is_told(text, options, words, tmp_path, capsys):
    (tmp_path / "t.csv").write_text(text)
    command = ["fit", tmp_path / "t.csv", "--target", "figure", "--output", tmp_path / "m.json", *options]
    status, out, err = run(capsys, *command)
    assert status == 2
    assert out == ""
    for word in words:
        assert word in " ".join(err.split())
    assert not (tmp_path / "m.json").exists()
    status, out, _ = run(capsys, *command, "--json")
    assert status == 2
    assert json.loads(out)["error"]["problems"]


def test_a_model_asked_for_columns_it_has_not_seen(files, tmp_path, capsys):
    (tmp_path / "q.csv").write_text("w\n1\n")
    status, _, err = run(capsys, "predict", files / "model.json", tmp_path / "q.csv")
    assert status == 2
    assert "there is no column 'x'" in err
    assert "there is no column 'y'" in err
    (tmp_path / "q.csv").write_text("x,y\n1,0\n2,-1\n")
    status, _, err = run(capsys, "predict", files / "model.json", tmp_path / "q.csv")
    assert status == 2
    assert "q.csv:2:3" in err
    assert "q.csv:3:3" in err


def test_what_is_no_model(files, tmp_path, capsys):
    status, _, err = run(capsys, "predict", files / "runs.csv", files / "runs.csv")
    assert status == 2
    assert "not a performance model" in err
    broken = json.loads((files / "model.json").read_text())
    broken["features"] = broken["features"][:1]
    (tmp_path / "m.json").write_text(json.dumps(broken))
    status, _, err = run(capsys, "predict", tmp_path / "m.json", files / "runs.csv")
    assert status == 2
    assert "does not fit the features" in err


@pytest.mark.parametrize("where", ["no/such/m.json", ".", "runs.csv"])
def test_what_cannot_be_written_is_told_before_the_work(where, files, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_runs(tmp_path / "runs.csv", law_runs(10))
    before = (tmp_path / "runs.csv").read_text()
    status, _, err = run(capsys, "fit", "runs.csv", "--target", "figure", "--output", where)
    assert status == 2
    assert "--output" in err
    assert "learning" not in err
    assert (tmp_path / "runs.csv").read_text() == before


def test_without_the_extra_it_says_what_to_install(files, tmp_path, capsys, monkeypatch):
    import sys

    here = "ecotone.orchestration.performance.learner"
    for name in ("learn", "fitting", "families", "process", "_scipy", "screening"):
        monkeypatch.delitem(sys.modules, f"{here}.{name}", raising=False)
    monkeypatch.setitem(sys.modules, "scipy.linalg", None)
    command = ["fit", files / "runs.csv", "--target", "figure", "--output", tmp_path / "m.json"]
    status, _, err = run(capsys, *command)
    assert status == 1
    assert "pip install 'ecotone[performance]'" in err
    assert run(capsys, "predict", files / "model.json", files / "runs.csv")[0] == 0
