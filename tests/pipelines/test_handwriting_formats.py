"""Each format through the whole pipeline, and broken files of each."""

import gzip
import io
import json
import os
import random
import re
import sys

import numpy as np
import pytest
from ink_corpora import contents, dead_letters, lines, prepare, stats, write_corpus

from keras_seqgen.data.hands import embedded_line
from pipelines import handwriting, ink_recognition
from pipelines.ink_sources import lines_between, list_files, read_ndjson


def inkml(text, writer="w"):
    return (
        f'<ink><annotation type="writer">{writer}</annotation><annotation type="truth">{text}</annotation>'
        "<trace>0 0, 3 4, 6 8</trace><trace>9 9, 10 9</trace></ink>"
    )


def drawing(key, word="cat"):
    return json.dumps({"word": word, "key_id": str(key), "drawing": [[[0, 3, 9], [1, 5, key % 7]], [[20, 21], [0, 9]]]})


def write_inkml(folder):
    folder.mkdir()
    for i in range(20):
        (folder / f"f{i}.inkml").write_text(inkml(f"text {i}", f"w{i % 4}"))
    return 20


def write_unipen(folder):
    folder.mkdir()
    for i in range(3):
        (folder / f"f{i}.dat").write_text(f'.COORD X Y\n.SEGMENT LINE 0 OK "text {i}"\n.PEN_DOWN\n0 0\n3 {i}\n5 5\n')
    return 3


def write_quickdraw(folder):
    folder.mkdir()
    (folder / "cat.ndjson").write_text("\n".join(map(drawing, range(30))))
    (folder / "dog.ndjson.gz").write_bytes(gzip.compress("\n".join(map(drawing, range(30, 40))).encode()))
    return 40


def write_stroke3(folder):
    folder.mkdir()
    rows = np.tile(np.array([(3, 1, 0), (2, 2, 1)], np.int16), (10, 1))
    flat = {
        f"{s}_{k}": v for s in ("train", "valid") for k, v in {"strokes": rows, "offset": np.arange(0, 21, 4)}.items()
    }
    np.savez(folder / "sheep.npz", **flat)
    return 10


def write_svg(folder):
    folder.mkdir()
    for i in range(5):
        (folder / f"f{i}.svg").write_text(f'<svg><path d="M0 0 C 9 0 9 9 {i} 9 L 3 3"/></svg>')
    return 5


WRITERS = {
    "inkml": write_inkml,
    "unipen": write_unipen,
    "quickdraw": write_quickdraw,
    "stroke3": write_stroke3,
    "svg": write_svg,
}


@pytest.mark.parametrize("kind", sorted(WRITERS))
def test_a_folder_of_files(tmp_path, kind):
    count = WRITERS[kind](tmp_path / "in")
    flags = [] if kind == "stroke3" else ["--hash-split", 100, 0, 0]
    assert (
        prepare("--format", kind, "--input", tmp_path / "in", "--output", tmp_path / "out", "--shards", 2, *flags) == 0
    )
    numbers = stats(tmp_path / "out")
    assert numbers["records"] == {"in": count, "out": count, "dead": 0}
    train = lines(tmp_path / "out", "train")
    assert len({line.name for line in train}) == len(train)
    if kind == "stroke3":
        assert {split: part["lines"] for split, part in numbers["splits"].items()} == {"train": 5, "valid": 5}


@pytest.mark.parametrize("kind", sorted(WRITERS))
def test_hostile_and_broken_files_cost_one_dead_letter_each(tmp_path, kind):
    good = WRITERS[kind](tmp_path / "in")
    ending = {"inkml": "inkml", "unipen": "dat", "quickdraw": "ndjson", "stroke3": "npz", "svg": "svg"}[kind]
    rng = random.Random(kind)
    bad = {
        "binary": rng.randbytes(3000).replace(b"\n", b""),
        "laughs": b'<!DOCTYPE a [<!ENTITY b "ha"><!ENTITY c "&b;&b;">]><a>&c;</a>',
        "cut": b'{"drawing": [[[1, 2',
    }
    if kind != "quickdraw":  # where no line is no record
        bad["nothing"] = b""
    for name, data in bad.items():
        (tmp_path / "in" / f"{name}.{ending}").write_bytes(data)
    flags = ["--hash-split", 100, 0, 0, "--shards", 2]
    assert prepare("--format", kind, "--input", tmp_path / "in", "--output", tmp_path / "out", *flags) == 0
    assert stats(tmp_path / "out")["records"] == {"in": good + len(bad), "out": good, "dead": len(bad)}
    assert {letter["path"].rpartition("/")[2].split(".")[0] for letter in dead_letters(tmp_path / "out")} == set(bad)


def test_limits(tmp_path):
    (tmp_path / "long.svg").write_text(f'<svg><path d="M0 0 {"L 3 4 " * 200}"/></svg>')
    (tmp_path / "large.svg").write_text(f'<svg><path d="M0 0 L 3 4"/><!--{"x" * (1 << 20)}--></svg>')
    (tmp_path / "good.svg").write_text('<svg><path d="M0 0 L 3 4"/></svg>')
    limits = ["--max-points", 100, "--max-megabytes", 1, "--hash-split", 100, 0, 0]
    assert prepare("--format", "svg", "--input", tmp_path, "--output", tmp_path / "out", *limits) == 0
    details = sorted(letter["detail"] for letter in dead_letters(tmp_path / "out"))
    assert "the limit is 100" in details[1] or "the limit is 100" in details[0]
    assert any("larger than 1048576 bytes" in detail for detail in details)
    assert stats(tmp_path / "out")["records"]["out"] == 1


def test_text_required_or_optional(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.inkml").write_text("<ink><trace>0 0, 3 4</trace></ink>")
    flags = ["--format", "inkml", "--input", tmp_path / "in", "--hash-split", 100, 0, 0, "--output"]
    assert prepare(*flags, tmp_path / "out") == 1
    assert stats(tmp_path / "out")["dead_letters"] == {"no text": 1}
    assert prepare(*flags, tmp_path / "out", "--text", "optional") == 0


def test_writers_do_not_come_apart(tmp_path):
    write_inkml(tmp_path / "in")
    assert (
        prepare(
            "--format", "inkml", "--input", tmp_path / "in", "--output", tmp_path / "out", "--hash-split", 50, 25, 25
        )
        == 0
    )
    writers = [{line.writer for line in lines(tmp_path / "out", split)} for split in ("train", "valid", "test")]
    assert sum(map(len, writers)) == 4


def test_files_and_patterns_may_be_named(tmp_path):
    write_svg(tmp_path / "in")
    flags = ["--format", "svg", "--output", tmp_path / "out", "--hash-split", 100, 0, 0, "--input"]
    assert prepare(*flags, tmp_path / "in" / "f[01].svg") == 0
    assert stats(tmp_path / "out")["records"]["in"] == 2
    assert prepare(*flags, tmp_path / "in" / "f0.svg", tmp_path / "in" / "f2.svg") == 0
    assert {line.name for line in lines(tmp_path / "out", "train")} == {"f0", "f2"}


def test_embedded_corpus_is_the_same_lines_whatever_the_shards(tmp_path):
    for shards in (1, 3):
        out = tmp_path / str(shards)
        assert (
            prepare("--format", "hershey", "--count", 120, "--style", "demo", "--output", out, "--shards", shards) == 0
        )
    one, three = ({line.name: line for line in lines(tmp_path / folder, "train")} for folder in ("1", "3"))
    assert one.keys() == three.keys()
    name = sorted(one)[0]
    expected = embedded_line(int(name.rpartition("-")[2]), style="demo")
    assert (one[name].text, one[name].writer) == (expected.text, expected.writer)
    np.testing.assert_allclose(one[name].strokes, expected.strokes, atol=1e-3)
    assert stats(tmp_path / "1")["offsets"] == stats(tmp_path / "3")["offsets"]


def test_the_writer_of_the_embedded_corpus_decides_the_split(tmp_path):
    assert prepare("--format", "hershey", "--count", 100, "--hands", 20, "--style", "demo", "--output", tmp_path) == 0
    train = {line.writer for line in lines(tmp_path, "train")}
    assert train.isdisjoint({line.writer for split in ("valid", "test") for line in lines(tmp_path, split)})


@pytest.mark.parametrize("stretch", [1, 7, 50, 1000])
def test_stretches_of_a_file_share_no_line_and_lose_none(monkeypatch, tmp_path, stretch):
    text = "\n".join(drawing(i, "x" * (i % 5)) if i % 3 else "" for i in range(40))
    (tmp_path / "a.ndjson").write_text(text)
    monkeypatch.setattr("pipelines.ink_sources.STRETCH", stretch)
    monkeypatch.setattr("pipelines.ink_sources.BLOCK", 16)
    names = [
        record.name for source in list_files(str(tmp_path), "quickdraw") for record in read_ndjson(source, 1 << 20)
    ]
    assert names == [str(i) for i in range(40) if i % 3]


def test_a_line_without_end_is_passed_over():
    data = b"short\n" + b"x" * 3_000_000 + b"\nlast"
    found = list(lines_between(io.BytesIO(data), 0, 0, 1_500_000, "f"))
    assert [line for _, line in found] == [b"short", None, b"last"]


def test_names_with_any_character_survive(tmp_path):
    folder = tmp_path / "\u00fcml\u00e4ut dir"
    folder.mkdir()
    (folder / "a b\u20ac.inkml").write_text(inkml("\u4f60\u597d \u0645\u0631\u062d\u0628\u0627"), encoding="utf-8")
    assert prepare("--format", "inkml", "--input", folder, "--output", tmp_path / "out", "--hash-split", 100, 0, 0) == 0
    (line,) = lines(tmp_path / "out", "train")
    assert (line.name, line.text) == ("a b\u20ac", "\u4f60\u597d \u0645\u0631\u062d\u0628\u0627")
    assert "\u4f60" in contents(tmp_path / "out")["vocabulary.json"].decode("utf-8")


@pytest.mark.skipif(sys.platform == "darwin", reason="its file systems have no such names")
@pytest.mark.parametrize("main", [handwriting.main, ink_recognition.main])
@pytest.mark.parametrize("kind", ["inkml", "iam-ondb"])
def test_a_name_that_is_not_utf8_is_told_before_anything_is_deleted(tmp_path, capsys, main, kind):
    folder = write_corpus(tmp_path / "in", forms=2, lists=False) if kind == "iam-ondb" else tmp_path / "in"
    inside = folder / "lineStrokes" if kind == "iam-ondb" else folder
    inside.mkdir(exist_ok=True)
    ending = b"-01.xml" if kind == "iam-ondb" else b".inkml"
    with open(os.fsencode(inside) + b"/caf\xe9" + ending, "w") as file:
        file.write(inkml("text"))
    out = tmp_path / "out"
    out.mkdir()
    (out / "stats.json").write_text("earlier")
    assert main(["--format", kind, "--input", str(folder), "--output", str(out)]) == 2
    assert re.fullmatch(r"error: .*caf\\udce9.* is not UTF-8: rename it\n", capsys.readouterr().err)
    assert contents(out) == {"stats.json": b"earlier"}


def test_a_lone_surrogate_is_a_dead_letter(tmp_path):
    (tmp_path / "a.ndjson").write_text(drawing(1, "\ud800") + "\n" + drawing(2))
    assert (
        prepare("--format", "quickdraw", "--input", tmp_path, "--output", tmp_path / "out", "--hash-split", 100, 0, 0)
        == 0
    )
    assert stats(tmp_path / "out")["records"] == {"in": 2, "out": 1, "dead": 1}


def test_the_real_sketches(data, tmp_path):
    assert prepare("--format", "stroke3", "--input", data / "sketch", "--output", tmp_path) == 0
    numbers = stats(tmp_path)
    assert numbers["records"] == {"in": 19100, "out": 19100, "dead": 0}
    assert numbers["splits"]["train"]["lines"] == 17400
