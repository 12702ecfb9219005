"""The text pipeline from files to files; what is read back is compared with a plain retelling in Python."""

import gzip
import hashlib
import json
import lzma
import re
import subprocess
import sys
import unicodedata
import zipfile
from pathlib import Path

import numpy as np
import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from keras_seqgen.data.text_stream import TokenStream
from keras_seqgen.data.vocabulary import Vocabulary
from pipelines import text_blocks, text_shards, text_sources, text_splits
from pipelines.text import main

SENTENCES = "the cat sat on the mat\nthe dog, too\n\n  a naïve café 中文 😀 \nno end"


def prepare(*flags) -> int:
    return main([str(flag) for flag in flags])


def stats(folder: Path) -> dict:
    return json.loads((folder / "stats.json").read_text())


def letters(folder: Path) -> list[dict]:
    return [json.loads(line) for path in sorted(folder.glob("dead_letters-*")) for line in path.open()]


def tokens(folder: Path, split: str) -> list[str]:
    stream = TokenStream(folder, split)
    return [stream.vocabulary.tokens[number - 1] for number in stream[:]]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks of 64 bytes and shards of 200 tokens, so that a short text has many of both."""
    for module in (text_sources, text_splits):
        monkeypatch.setattr(module, "BLOCK", 64)
    monkeypatch.setattr(text_sources, "LIMIT", 40)
    monkeypatch.setattr(text_shards, "SHARD", 200)
    monkeypatch.setattr(text_shards, "RECORD", 50)


@pytest.fixture
def corpus(tmp_path):
    """Thirty files of lines in two folders and a hidden one; returns the folder and the documents in order."""
    rng = np.random.default_rng(0)
    words = ["alpha", "beta", "γάμμα", "delta", "δ", "x", "naïve"]
    documents = {}
    for number in range(30):
        name = f"{'ab'[number % 2]}/{number:02d}.txt"
        lines = [" ".join(rng.choice(words, rng.integers(0, 9))) for _ in range(12)]
        documents[name] = "\n".join(lines) + "\n" * (number % 3 > 0)
        path = tmp_path / "corpus" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(documents[name], encoding="utf-8")
    (tmp_path / "corpus/.git").mkdir()
    (tmp_path / "corpus/.git/config").write_text("hidden")
    return tmp_path / "corpus", dict(sorted(documents.items()))


@pytest.mark.parametrize("kind", ["character", "byte", "word"])
def test_the_streams_are_the_text(corpus, tmp_path, small_blocks, kind):
    root, documents = corpus
    assert prepare("--input", root, "--output", tmp_path / "out", "--tokens", kind, "--shards", 4) == 0
    text = "".join(documents.values())
    wanted = {
        "character": list(text),
        "byte": [chr(byte) for byte in text.encode()],
        "word": [w for d in documents.values() for line in _lines(d) for w in (*line.split(), "<eos>")],
    }[kind]
    got = [token for split in ("train", "valid", "test") for token in tokens(tmp_path / "out", split)]
    assert got == wanted
    numbers = stats(tmp_path / "out")
    assert numbers["bytes"] == {"in": len(text.encode()), "out": len(text.encode()), "dead": 0}
    assert numbers["documents"] == {"in": 30, "out": 30, "dead": 0}
    splits = numbers["splits"].values()
    assert sum(split["tokens"] for split in splits) == len(wanted)
    assert sum(split["lines"] for split in splits) == sum(len(_lines(d)) for d in documents.values())
    assert sum(split["documents"] for split in splits) == 30
    if kind != "word":
        assert sum(split["bytes"] for split in splits) == len(text.encode())
        assert sum(split["characters"] for split in splits) == len(text)
    assert len(list((tmp_path / "out").glob("train-*-of-00004.tfrecord"))) == 4
    share = stats(tmp_path / "out")["splits"]["train"]["bytes"] / len(text.encode())
    assert 0.899 < share < 0.93  # each cut moves on to the end of a line


def _lines(document: str) -> list[str]:
    return document.removesuffix("\n").split("\n")


def test_same_bytes_whatever_the_number_of_workers(corpus, tmp_path, small_blocks):
    flags = ["--input", corpus[0], "--shards", 3, "--output"]
    assert prepare(*flags, tmp_path / "one") == 0
    more = ["--direct_num_workers", 3, "--direct_running_mode", "multi_threading"]
    assert prepare(*flags, tmp_path / "other", *more) == 0
    assert contents(tmp_path / "one") == contents(tmp_path / "other")


@pytest.mark.slow
def test_same_bytes_from_several_processes(corpus, tmp_path):
    flags = [sys.executable, "-m", "pipelines", "text", "--tokens", "word", "--input", corpus[0], "--output"]
    subprocess.run([*map(str, [*flags, tmp_path / "one"])], check=True, timeout=200)
    more = ["--direct_num_workers", "2", "--direct_running_mode", "multi_processing"]
    subprocess.run([*map(str, [*flags, tmp_path / "other"]), *more], check=True, timeout=200)
    assert contents(tmp_path / "one") == contents(tmp_path / "other")


@pytest.mark.parametrize(("ending", "kind"), [(".gz", "character"), (".xz", "word"), (".zip", "byte")])
def test_packed_and_plain_are_the_same(tmp_path, small_blocks, ending, kind):
    text = (SENTENCES * 40).encode()
    (tmp_path / "plain.txt").write_bytes(text)
    packed = tmp_path / f"packed{ending}"
    if ending == ".zip":
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("plain.txt", text)
    else:
        packed.write_bytes({".gz": gzip, ".xz": lzma}[ending].compress(text))
    flags = ["--tokens", kind, "--shards", 1, "--split", "order", 70, 20, 10, "--output"]
    assert prepare("--input", tmp_path / "plain.txt", *flags, tmp_path / "a") == 0
    assert prepare("--input", packed, *flags, tmp_path / "b") == 0
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_bytes_are_cut_where_the_percentages_say(tmp_path):
    """As enwik8: XML by bytes, 96 per cent and 4 per cent, nothing decoded, nothing lost."""
    xml = ("<page><title>Ünïcode &amp; 中</title></page>\n" * 500).encode()[:20000] + bytes(range(256)) + b"\xff" * 44
    (tmp_path / "enwik").write_bytes(xml)
    flags = ["--bytes", "--input", tmp_path / "enwik", "--split", "order", 96, 4, 0]
    assert prepare(*flags, "--output", tmp_path / "out") == 0
    cut = len(xml) * 96 // 100
    for split, wanted in (("train", xml[:cut]), ("valid", xml[cut:])):
        assert "".join(tokens(tmp_path / "out", split)).encode("latin-1") == wanted
    numbers = stats(tmp_path / "out")
    assert numbers["vocabulary"] == {"kind": "byte", "size": 256, "has_unknown": False, "given": False}
    assert "test" not in numbers["splits"]
    assert numbers["splits"]["train"]["characters"] == sum(byte & 0xC0 != 0x80 for byte in xml[:cut])


def test_what_is_no_utf8_is_left_out_and_told(tmp_path):
    good = "é中 and\n" * 1000
    data = b"\xff\xfe" + good.encode() + b"a\xe4\xb8b\xc3" + good.encode() + b"\xed\xa0\x80 end \xf0\x9f"
    (tmp_path / "x.txt").write_bytes(data)
    assert prepare("--input", tmp_path / "x.txt", "--output", tmp_path / "out", "--split", "order", 100, 0, 0) == 0
    assert "".join(tokens(tmp_path / "out", "train")) == good + "ab" + good + " end "
    assert data.decode("utf-8", "ignore") == good + "ab" + good + " end "
    found = {letter["offset"]: bytes.fromhex(letter["detail"]) for letter in letters(tmp_path / "out")}
    assert found == {
        0: b"\xff\xfe",
        2 + len(good.encode()) + 1: b"\xe4\xb8",
        2 + len(good.encode()) + 4: b"\xc3",
        7 + 2 * len(good.encode()): b"\xed\xa0\x80",
        15 + 2 * len(good.encode()): b"\xf0\x9f",
    }
    assert all(data[at : at + len(bad)] == bad for at, bad in found.items())
    assert {letter["reason"] for letter in letters(tmp_path / "out")} == {"not UTF-8"}
    numbers = stats(tmp_path / "out")
    assert numbers["bytes"] == {"in": len(data), "out": len(data) - 10, "dead": 10}
    assert numbers["dead_letters"] == {"not UTF-8": 5}
    assert (
        prepare("--bytes", "--input", tmp_path / "x.txt", "--output", tmp_path / "b", "--split", "order", 100, 0, 0)
        == 0
    )
    assert "".join(tokens(tmp_path / "b", "train")).encode("latin-1") == data
    assert letters(tmp_path / "b") == []


def test_files_that_are_no_text_are_dead_letters(tmp_path):
    root = tmp_path / "in"
    root.mkdir()
    (root / "good.txt").write_text(SENTENCES)
    (root / "empty.txt").write_bytes(b"")
    (root / "utf16.txt").write_text(SENTENCES, encoding="utf-16")
    (root / "noise.bin").write_bytes(np.random.default_rng(0).bytes(5000))
    (root / "cut.gz").write_bytes(gzip.compress(np.random.default_rng(1).bytes(9000).hex().encode())[:5000])
    (root / "no.xz").write_bytes(b"not packed at all")
    with zipfile.ZipFile(root / "two.zip", "w") as archive:
        archive.writestr("a", "a")
        archive.writestr("b", "b")
    assert prepare("--input", root, "--output", tmp_path / "out", "--split", "order", 100, 0, 0) == 0
    reasons = {letter["source"]: letter["reason"] for letter in letters(tmp_path / "out")}
    assert reasons == {
        "empty.txt": "empty",
        "utf16.txt": "not UTF-8 text",
        "noise.bin": "not UTF-8 text",
        **dict.fromkeys(("cut.gz", "no.xz", "two.zip"), "unreadable"),
    }
    assert stats(tmp_path / "out")["documents"] == {"in": 7, "out": 1, "dead": 6}
    assert "".join(tokens(tmp_path / "out", "train")) == SENTENCES


@pytest.mark.parametrize("form", ["NFC", "NFKC", "none"])
def test_normalisation(tmp_path, form):
    text = "e\u0301 \u212b \ufb01 \uff21\n" * 30
    (tmp_path / "x").write_text(text)
    flags = ["--input", tmp_path / "x", "--output", tmp_path / "out", "--split", "order", 100, 0, 0]
    assert prepare(*flags, "--normalize", form) == 0
    wanted = text if form == "none" else unicodedata.normalize(form, text)
    assert "".join(tokens(tmp_path / "out", "train")) == wanted
    vocabulary = Vocabulary.load(tmp_path / "out/vocabulary.json")
    assert vocabulary.normalization == (None if form == "none" else form)
    assert vocabulary.decode(vocabulary.encode(text)) == wanted


def test_rare_and_new_tokens_are_unknown(tmp_path):
    for name, text in (("train", "a a a b b c\n"), ("valid", "a d b\n"), ("test", "a a\n")):
        (tmp_path / name).write_text(text)
    flags = [f for split in ("train", "valid", "test") for f in (f"--{split}", tmp_path / split)]
    assert prepare("--tokens", "word", *flags, "--output", tmp_path / "all") == 0
    assert Vocabulary.load(tmp_path / "all/vocabulary.json").tokens == ("<eos>", "<unk>", "a", "b", "c")
    assert tokens(tmp_path / "all", "valid") == ["a", "<unk>", "b", "<eos>"]
    assert prepare("--tokens", "word", "--min-count", 2, *flags, "--output", tmp_path / "two") == 0
    assert tokens(tmp_path / "two", "train") == ["a", "a", "a", "b", "b", "<unk>", "<eos>"]
    assert stats(tmp_path / "two")["splits"]["train"]["unknown"] == 1
    assert prepare("--tokens", "word", *flags[:2], "--output", tmp_path / "none") == 0  # nothing is unknown here
    assert Vocabulary.load(tmp_path / "none/vocabulary.json").tokens == ("<eos>", "a", "b", "c")
    assert prepare("--tokens", "word", "--no-eos", *flags[:2], "--output", tmp_path / "run") == 0
    assert tokens(tmp_path / "run", "train") == ["a", "a", "a", "b", "b", "c"]


def test_a_models_vocabulary(tmp_path, capsys):
    (tmp_path / "x").write_text("abcz\nab")
    Vocabulary("abc\n").save(tmp_path / "v.json")
    flags = ["--input", tmp_path / "x", "--split", "order", 0, 0, 100, "--output", tmp_path / "out", "--vocabulary"]
    assert prepare(*flags, tmp_path / "v.json") == 1
    assert "1 tokens are not in the vocabulary" in capsys.readouterr().err
    assert "".join(tokens(tmp_path / "out", "test")) == "abc\nab"
    assert stats(tmp_path / "out")["splits"]["test"]["characters"] == 6, "what was left out is not counted"
    Vocabulary([*"abc\n", "<unk>"], normalization=None).save(tmp_path / "v.json")
    assert prepare(*flags, tmp_path / "v.json") == 0
    assert tokens(tmp_path / "out", "test") == ["a", "b", "c", "<unk>", "\n", "a", "b"]
    assert (tmp_path / "out/vocabulary.json").read_bytes() == (tmp_path / "v.json").read_bytes()


def test_a_models_vocabulary_says_whether_the_end_of_a_line_is_a_token(tmp_path, capsys):
    (tmp_path / "x").write_text("cat\nthe")
    flags = ["--input", tmp_path / "x", "--split", "order", 0, 0, 100, "--output", tmp_path / "out"]
    Vocabulary(sorted("cat he"), normalization=None).save(tmp_path / "v.json")
    assert prepare(*flags, "--vocabulary", tmp_path / "v.json") == 0
    assert "".join(tokens(tmp_path / "out", "test")) == "cat the"
    Vocabulary(["<unk>", "cat"], kind="word", normalization=None).save(tmp_path / "v.json")
    assert prepare(*flags, "--vocabulary", tmp_path / "v.json") == 0
    assert tokens(tmp_path / "out", "test") == ["cat", "<unk>"]
    for more, message in (("--min-count=2", "that of .*v.json is made"), ("--normalize=NFC", "of the form none")):
        assert prepare(*flags, "--vocabulary", tmp_path / "v.json", more) == 2
        assert re.search(message, capsys.readouterr().err)


def test_hash_split_takes_whole_documents(corpus, tmp_path):
    root, documents = corpus
    assert prepare("--input", root, "--output", tmp_path / "out", "--split", "hash", 50, 30, 20) == 0
    wanted = {"train": "", "valid": "", "test": ""}
    for name, text in documents.items():
        bucket = int(hashlib.sha256(name.encode()).hexdigest()[:16], 16) % 100
        wanted["train" if bucket < 50 else "valid" if bucket < 80 else "test"] += text
    assert all(wanted.values())
    assert {split: "".join(tokens(tmp_path / "out", split)) for split in wanted} == wanted


def test_a_pattern_and_a_second_run(corpus, tmp_path):
    root, documents = corpus
    (tmp_path / "out").mkdir()
    (tmp_path / "out/notes.txt").write_text("mine")
    assert prepare("--input", root, "--output", tmp_path / "out", "--split", "hash", 60, 20, 20) == 0
    (root / "a/00.txt").write_bytes(b"a\xff" * 1 + b"bcd" * 9)
    flags = ["--output", tmp_path / "out", "--split", "order", 100, 0, 0]
    assert prepare("--input", root / "a" / "*.txt", *flags) == 0
    assert letters(tmp_path / "out")
    (root / "b/below").mkdir()
    (root / "b/below/deep.txt").write_text("deep")  # which the pattern does not reach
    assert prepare("--input", root / "b" / "*.txt", *flags) == 0
    wanted = "".join(text for name, text in documents.items() if name.startswith("b/"))
    assert "".join(tokens(tmp_path / "out", "train")) == wanted
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"train-00000-of-00001.tfrecord", "notes.txt", "schema.pbtxt", "stats.json", "vocabulary.json"}


def test_an_output_within_the_input_is_not_read_the_next_time(corpus, tmp_path):
    root, _ = corpus
    inside = ["--input", root, "--output", root / "prepared"]
    assert prepare(*inside) == 0
    first = contents(root / "prepared")
    assert prepare(*inside) == 0
    assert contents(root / "prepared") == first
    assert prepare("--input", root, "--output", root) == 0, "the folder itself, and one above it, are no part of it"
    assert prepare("--input", root / "a", "--output", root) == 0


def test_schema(corpus, tmp_path):
    assert prepare("--input", corpus[0], "--output", tmp_path / "out") == 0
    schema = text_format.Parse((tmp_path / "out/schema.pbtxt").read_text(), schema_pb2.Schema())
    assert [feature.name for feature in schema.feature][:2] == ["first", "ids"]
    assert tuple(schema.string_domain[0].value) == Vocabulary.load(tmp_path / "out/vocabulary.json").tokens


def test_the_default_is_the_standard_library(tmp_path, monkeypatch):
    monkeypatch.setattr(text_sources, "_NOT_THE_LIBRARY", text_sources._NOT_THE_LIBRARY | {"idlelib", "encodings"})
    assert prepare("--output", tmp_path / "out") == 0
    numbers = stats(tmp_path / "out")
    assert numbers["documents"]["out"] > 300
    assert set(numbers["splits"]) == {"train", "valid", "test"}
    assert set(numbers["dead_letters"]) <= {"empty"}
    assert "def " in "".join(tokens(tmp_path / "out", "valid"))


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--input", "{file}"], "--output FOLDER is missing: where to write"),
        (["--input", "missing", "--output", "out"], "no file was found at missing"),
        (["--input", "{empty}", "--output", "out"], "there is no text to read: of 1 files, 1 empty"),
        (["--input", "{file}", "--output", "out", "--shards", "0"], "--shards must be positive"),
        (["--input", "{file}", "--output", "out", "--split", "order", "50", "20"], "three whole percentages"),
        (["--input", "{file}", "--output", "out", "--split", "order", "50", "20", "20"], "add up to 100"),
        (["--input", "{file}", "--output", "out", "--split", "fair"], "`order` or `hash`"),
        (["--input", "{file}", "--train", "{file}", "--output", "out"], "leave --input and --split out"),
        (["--input", "{file}", "--output", "out", "--bytes", "--tokens", "word"], "exclude each other"),
        (["--input", "{file}", "--output", "out", "--bytes", "--normalize", "NFC"], "taken as they are"),
        (["--input", "{file}", "--output", "out", "--bytes", "--min-count", "2"], "--min-count is for"),
        (["--input", "{file}", "--output", "out", "--vocabulary", "{file}"], "is not a vocabulary"),
        (["--input", "{file}", "--output", "out", "--format", "ptb-characters"], "not in the form"),
        (["--input", "{file}", "--output", "out", "--token", "word"], "unknown option: --token"),
    ],
)  # fmt: skip
def test_a_users_mistake_is_one_line_and_exit_code_2(tmp_path, monkeypatch, capsys, flags, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file.txt").write_text(SENTENCES)
    (tmp_path / "empty.txt").write_text("")
    names = {"file": tmp_path / "file.txt", "empty": tmp_path / "empty.txt"}
    assert prepare(*(flag.format(**names) for flag in flags)) == 2
    error = capsys.readouterr().err.strip()
    assert message in error
    assert len(error.splitlines()) == 1


def test_help_has_examples_and_the_command_knows_it(capsys):
    from keras_seqgen.cli import main as command

    assert command(["prepare", "text", "--help"]) == 0
    text = capsys.readouterr().out
    assert "examples:" in text
    assert "enwik8" in text
    assert all(name in text for name in text_blocks.FORMATS)
