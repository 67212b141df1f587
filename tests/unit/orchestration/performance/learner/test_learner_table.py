"""Tables from CSV: what is read, and what is told about what cannot be."""

from __future__ import annotations

import numpy
import pytest

from ecotone.core.errors import InputError
from ecotone.orchestration.performance.learner.checked import of_runs
from ecotone.orchestration.performance.learner.table import Table, read_table, widened


def read(tmp_path, data, **options):
    path = tmp_path / "t.csv"
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return read_table(path, **options)


def problems_of(tmp_path, data, **options):
    with pytest.raises(InputError) as caught:
        read(tmp_path, data, **options)
    assert str(caught.value)
    return {(each.code, each.place.line, each.place.column) for each in caught.value.problems}


@pytest.mark.parametrize(
    "data",
    [
        "a,b\n1,2\n3,4\n",
        "a;b\r\n1;2\r\n3;4\r\n",
        "a\tb\r1\t2\r3\t4",
        "\ufeffa , b\n1, 2\n\n3,4\n\n",
        '\n"a","b"\n"1",2\n3,"4"\n',
        "a,b,\n1,2,\n3,4,\n",
    ],
)
def test_whatever_separates_cells_and_lines(tmp_path, data):
    table = read(tmp_path, data)
    assert table.names == ("a", "b")
    assert table.values.tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    ("data", "found"),
    [
        ("", {("empty-file", 0, 0)}),
        ("\n \n", {("empty-file", 0, 0)}),
        ("a,b\n", {("no-rows", 0, 0)}),
        ("1,2\n3,4\n", {("no-names", 1, 1)}),
        ("a,a\n1,2\n", {("repeated-name", 1, 3)}),
        ("a,,c\n1,2,3\n", {("missing-name", 1, 3)}),
        ("a,b\n1,2\n3\n4,5,6\n", {("row-length", 3, 1), ("row-length", 4, 1)}),
        ("a,b\n1,\n2,nan\n3,4\n", {("missing-value", 2, 3), ("missing-value", 3, 3)}),
        ("a,b\n1,1e400\n2,-inf\n3,4\n", {("not-finite", 2, 3), ("not-finite", 3, 3)}),
        ('a,"b,c",d\n"1",x,3\n4,1_000,"1,5"\n4,5,6\n', {("not-a-number", 2, 5), ("not-a-number", 3, 3),
                                                       ("not-a-number", 3, 9)}),
        ("a,b\nx,1\ny,2\n", {("no-numbers", 1, 1)}),
        ("a,b\n,1\n,2\n", {("no-numbers", 1, 1)}),
        ("a;b\n1,5;2\n2,5;3\n", {("no-numbers", 1, 1)}),
        ('a,b\n"1,2\n', {("not-a-table", 0, 0)}),
        (b"a,b\n\0,1\n", {("not-utf-8", 0, 0)}),
        (b"a,b\n1,2\n\xff\xfe,1\n", {("not-utf-8", 3, 1)}),
        ("a,b\n1,x\n2,1e999\n,5\n", {("not-a-number", 2, 3), ("not-finite", 3, 3), ("missing-value", 4, 1)}),
    ],
)  # fmt: skip
def test_every_mistake_has_its_place(tmp_path, data, found):
    assert problems_of(tmp_path, data) == found


def test_many_mistakes_of_one_kind_are_counted(tmp_path):
    with pytest.raises(InputError) as caught:
        read(tmp_path, "a,b\n" + "1,x\n" * 50 + "1,2\n")
    assert len(caught.value.problems) == 3
    assert "and 47 more like these" in str(caught.value)


def test_no_file_and_a_folder(tmp_path):
    for path, word in ((tmp_path / "no.csv", "No such file"), (tmp_path, "folder")):
        with pytest.raises(InputError, match=word):
            read_table(path)


def test_what_is_not_read_may_hold_anything(tmp_path):
    data = "a,name,name,b\n1,x,,2\n3,nan,inf,4\n"
    assert read(tmp_path, data, ignore=["name"]).names == ("a", "b")
    table = read(tmp_path, data, columns=["b"])
    assert table.names == ("b",)
    assert table.left_out == ("a", "name", "name")
    found = problems_of(tmp_path, "a,b\n1,2\n", columns=["a", "c", "d"], ignore=["e"])
    assert found == {("unknown-column", 1, 1)}


def test_optional_columns_may_have_gaps(tmp_path):
    table = read(tmp_path, "a,t\n1,\n2,3\n", columns=["a"], optional=["t", "u"])
    assert numpy.isnan(table.column("t")).tolist() == [True, False]


def test_places_follow_rows_and_columns(tmp_path):
    table = read(tmp_path, 'a,"b;c",d\n1,2,3\n\n"4",5,6\n')
    assert str(table.place("d", 1)).endswith(":4:7")
    assert str(table.rows(numpy.array([1])).only(["d"]).place("d", 0)).endswith(":4:7")
    assert str(table.place("d")).endswith(":1:9")


def test_a_table_gets_columns_at_its_right(tmp_path):
    table = read(tmp_path, 'a;n\n1;"x;y"\n\n3;z\n', columns=["a"])
    assert widened(table, {"p": ["7", "8"]}) == 'a;n;p\n1;"x;y";7\n3;z;8\n'


def runs(**columns):
    return Table(tuple(columns), numpy.array(list(columns.values()), dtype=float).T)


@pytest.mark.parametrize(
    ("table", "options", "codes"),
    [
        (runs(a=range(9), t=range(9)), {}, ["not-positive"]),
        (runs(a=range(9), t=[-1] * 9), {}, ["not-positive"] * 3),
        (runs(a=range(5), t=range(1, 6)), {}, ["too-few-rows"]),
        (runs(a=[1] * 9, t=range(1, 10)), {}, ["nothing-varies"]),
        (runs(a=range(9), b=[1] * 9, t=range(1, 10)), {"extrapolate": ["b"]}, ["constant-column"]),
        (runs(a=range(9), b=range(9), t=range(1, 10)), {"extrapolate": ["b"]}, ["repeated-column"]),
        (runs(a=range(9), t=range(1, 10)), {"extrapolate": ["t", "c"]}, ["contradiction", "unknown-column"]),
        (runs(a=range(9), b=range(9)), {}, ["unknown-column"]),
        (runs(a=[2] * 5, t=[0] * 5), {"extrapolate": ["a", "z"]}, ["constant-column", "not-positive", "not-positive",
         "not-positive", "nothing-varies", "too-few-rows", "unknown-column"]),
    ],
)  # fmt: skip
def test_what_cannot_be_learnt_from(table, options, codes):
    assert sorted(each.code for each in of_runs(table, "t", **options)) == sorted(codes)


def test_a_large_table_is_read(tmp_path):
    rows = 20_000
    table = read(tmp_path, "a,b,c\n" + "".join(f"{row},{row * 0.5},3e-5\n" for row in range(rows)))
    assert len(table) == rows
    assert table.column("b")[-1] == (rows - 1) * 0.5
