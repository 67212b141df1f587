"""The static reader: where applications are found, what is read of them, and that user code never runs."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from ecotone.core.application import Parameter, Trigger
from ecotone.core.errors import InputError
from ecotone.design import read_application

MINIMAL = 'from ecotone import component\n\n\n@component(every="1 s")\ndef tick():\n    return 1\n'
PARAMETERS = """from ecotone import component, parameter

period = parameter("period", "1 s", help="how often")
copies = parameter("copies", 2)
share = parameter("share", 0.5)
live = parameter("live", False)


@component(every=period, live=live)
def tick():
    return 1


@component(on=tick, replicas=copies, accuracy=share)
def work(item):
    return item
"""


def write(folder: Path, text: str | bytes, name: str = "app.py") -> Path:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


def codes(app: str | Path, **parameters: str) -> list[tuple[int, str]]:
    return [(each.place.line, each.code) for each in read_application(app, parameters).problems]


def test_a_folder_a_file_and_a_module_are_the_same_application(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "street", MINIMAL)
    write(tmp_path / "street", "raise RuntimeError('parents are not imported')", "__init__.py")
    monkeypatch.syspath_prepend(str(tmp_path))
    by_folder, by_file = read_application(tmp_path / "street"), read_application(tmp_path / "street" / "app.py")
    by_module, by_package = read_application("street.app"), read_application("street")
    assert by_folder.require() == by_file.require() == by_module.require() == by_package.require()
    assert by_folder.require().name == "street"
    assert (by_folder.root, by_folder.module) == (tmp_path / "street", "app") == (by_file.root, by_file.module)
    assert (by_module.root, by_module.module) == (tmp_path, "street.app") == (by_package.root, by_package.module)
    assert by_module.folder == tmp_path / "street"
    assert "street" not in sys.modules


def test_names_come_from_file_or_folder_or_the_module_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_application(write(tmp_path, MINIMAL, "wind_farm.py")).require().name == "wind_farm"
    assert read_application(write(tmp_path, MINIMAL, "3 mills!.py")).require().name == "app-3-mills"
    named = 'APPLICATION = "mills"\n' + MINIMAL
    assert read_application(write(tmp_path, named, "other.py")).require().name == "mills"
    write(tmp_path / "here", MINIMAL)
    monkeypatch.chdir(tmp_path / "here")
    assert read_application(".").require().name == "here"


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("missing", "unknown-app"),
        ("missing/app.py", "unknown-app"),
        ("no.such.module", "unknown-app"),
        ("not a module", "unknown-app"),
        ("", "unknown-app"),
        ("nul\0byte", "unknown-app"),
        ("json.decoder.more", "unknown-app"),
        ("math", "not-python"),
        ("sys", "unknown-app"),
        ("notes.txt", "not-python"),
        ("a.b.py", "bad-name"),
        ("folder", "no-app-file"),
    ],
)
def test_what_is_no_application_is_one_clear_problem(
    name: str, code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "", "notes.txt")
    write(tmp_path, MINIMAL, "a.b.py")
    write(tmp_path / "folder", MINIMAL, "main.py")
    result = read_application(name)
    assert [each.code for each in result.problems] == [code]
    assert result.problems[0].hint
    assert result.application is None
    with pytest.raises(InputError) as raised:
        result.require()
    assert raised.value.problems == result.problems


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", (1, "no-component")),
        (b"\xff\xfe\x00", (1, "not-utf-8")),
        (b'"""fine"""\nname = "M\xfcnchen"\n', (2, "not-utf-8")),
        (b"# coding: latin-9000\n", (1, "not-utf-8")),
        (b"x = 1\ny = (\n", (2, "syntax-error")),
        (b"x = 1\0\n", (1, "syntax-error")),
        (b"x = " + b"(" * 500 + b")" * 500, (1, "syntax-error")),
        (b"x = " + b"1+" * 50_000 + b"1\n", (1, "no-component")),
        (b"def f():\n\treturn 1\n        return 2\n", (3, "syntax-error")),
    ],
)
def test_unreadable_files_say_where(content: bytes, expected: tuple[int, str], tmp_path: Path) -> None:
    found = codes(write(tmp_path, content))
    assert found in ([expected], [(1, "syntax-error")])


def test_another_encoding_is_read_when_the_file_says_so(tmp_path: Path) -> None:
    text = "# coding: latin-1\n" + MINIMAL.replace("return 1", 'return "München"')
    assert codes(write(tmp_path, text.encode("latin-1"))) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission(tmp_path: Path) -> None:
    file = write(tmp_path, MINIMAL)
    file.chmod(0)
    assert codes(file) == [(0, "not-readable")]


def test_user_code_does_not_run(tmp_path: Path) -> None:
    trap = "raise SystemExit('ran')\nimport os; os.abort()\n"
    assert codes(write(tmp_path, trap + MINIMAL)) == []
    assert codes(write(tmp_path, MINIMAL + "\nimport no_such_module_anywhere\n")) == []


def test_parameters_have_the_type_of_their_default(tmp_path: Path) -> None:
    file = write(tmp_path, PARAMETERS)
    result = read_application(file, {"period": "250 ms", "copies": "5", "share": "0.25", "live": "yes"})
    application = result.require()
    assert result.parameters == {"period": "250 ms", "copies": 5, "share": 0.25, "live": True}
    assert application.component("tick").trigger == Trigger(kind="every", period_s=0.25)
    assert application.component("tick").live
    assert application.component("work").requirements.replicas_max == 5
    assert application.component("work").requirements.accuracy_min == 0.25
    assert application.parameters[0] == Parameter(name="period", type="str", default="1 s", help="how often")
    assert read_application(file).parameters == {"period": "1 s", "copies": 2, "share": 0.5, "live": False}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"perod": "1 s"}, [("--set perod", "unknown-parameter")]),
        ({"copies": "two"}, [("--set copies", "wrong-type")]),
        ({"copies": "1.5"}, [("--set copies", "wrong-type")]),
        ({"share": "nan"}, [("--set share", "wrong-type")]),
        ({"live": "perhaps"}, [("--set live", "wrong-type")]),
        ({"copies": "", "x": ""}, [("--set copies", "wrong-type"), ("--set x", "unknown-parameter")]),
        ({"period": "1 kg"}, [("app.py", "wrong-unit")]),
        ({"copies": "0"}, [("app.py", "out-of-range")]),
        ({"share": "2"}, [("app.py", "out-of-range")]),
    ],
)
def test_wrong_parameter_values(given: dict[str, str], expected: list[tuple[str, str]], tmp_path: Path) -> None:
    problems = read_application(write(tmp_path, PARAMETERS), given).problems
    assert sorted((Path(each.place.file).name, each.code) for each in problems) == sorted(expected)
    assert {each.hint for each in problems if "perod" in each.message} <= {"did you mean period?"}


def test_a_deep_expression_is_a_problem_not_a_crash(tmp_path: Path) -> None:
    deep = "x" + ".y" * 3000
    text = f"from ecotone import component\n\n\n@component(every={deep})\ndef tick():\n    return 1\n"
    assert [code for _, code in codes(write(tmp_path, text))] in (
        [["syntax-error"]][0],
        ["not-literal"],
        ["undefined-name"],
    )
