"""Files with any names, folders that cannot be written, runs that meet or break off."""

import json
import os

import pytest

from keras_seqgen.errors import UserError
from pipelines import handwriting, labelled_frames, recognition_summary, segmentation, text
from pipelines.files import Replacing, check_apart, distinct, emptied, file_at, files_below, match, write_text

NAMES = ["a[2].txt", "b?.txt", "c*.txt", "d e.txt", "é.txt", "f\ng.txt"]
PATTERNS = ["train-*-of-*.tfrecord", "stats.json"]


@pytest.fixture
def strange(tmp_path, monkeypatch):
    """A folder whose name is a pattern, with such files in it; beside it those that the pattern matches."""
    monkeypatch.chdir(tmp_path)
    for folder in ("w[1]", "w1", "wx1y", "w[1]x"):
        (tmp_path / folder).mkdir()
        for name in NAMES:
            (tmp_path / folder / name).write_text(folder)
    return tmp_path


@pytest.mark.parametrize("relative", [True, False])
def test_a_folder_with_brackets_is_searched_and_no_other(strange, relative):
    root = "w[1]" if relative else str(strange / "w[1]")
    assert [file.path for file in files_below(root)] == sorted(f"{root}/{name}" for name in NAMES)
    assert files_below(root + "/", 1)[0].path.startswith(root)
    for name in NAMES:
        assert file_at(f"{root}/{name}").size_in_bytes == len("w[1]")
    assert file_at(f"{root}/a2.txt") is None
    assert file_at(root) is None
    assert files_below("nowhere[1]") == []


def test_a_pattern_may_begin_with_a_star_and_matches_no_folder(strange):
    (strange / "one.txt").write_text("")
    assert [file.path for file in match("*ne.txt")] == ["one.txt"]
    assert match("w1") == []


def test_a_store_that_beam_does_not_know_is_a_users_mistake():
    with pytest.raises(UserError, match="cannot read nowhere://bucket"):
        files_below("nowhere://bucket/folder")


def test_an_earlier_run_goes_whatever_the_folder_is_called(strange):
    earlier = ["train-00007-of-00008.tfrecord", "train-00006-of-00008.tfrecord.part", "stats.json"]
    for folder in ("w[1]", "wx1y"):
        for name in earlier:
            (strange / folder / name).write_text("earlier")
    with emptied("w[1]", PATTERNS):
        assert sorted(os.listdir("w[1]")) == sorted(NAMES)
    assert sorted(os.listdir("wx1y")) == sorted([*NAMES, *earlier])


def test_two_runs_do_not_write_into_one_folder(tmp_path):
    folder = str(tmp_path / "out")
    with emptied(folder, PATTERNS):
        write_text(f"{folder}/stats.json", "first")
        with pytest.raises(UserError, match="another run is writing into"), emptied(folder, PATTERNS):
            pass
        assert (tmp_path / "out/stats.json").read_text() == "first"
    with emptied(folder, PATTERNS):
        assert not os.listdir(folder)


@pytest.mark.parametrize("folder", ["file", "file/below", "/proc/nowhere", "nowhere://bucket"])
def test_a_folder_that_cannot_be_written_is_told_at_once(tmp_path, monkeypatch, folder):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=f"cannot write {folder}"), emptied(folder, PATTERNS):
        pytest.fail("it went on")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
@pytest.mark.parametrize("size", [10, 10_000_000])
def test_a_full_disk_is_told_and_leaves_nothing_of_that_name(tmp_path, size):
    (tmp_path / "shard.part").symlink_to("/dev/full")
    told = pytest.raises(UserError, match=r"cannot write .*shard: .*No space left")
    with told, Replacing(str(tmp_path / "shard")) as stream:
        stream.write(bytes(size))
    assert not (tmp_path / "shard").exists()


@pytest.mark.parametrize("module", [handwriting, labelled_frames, recognition_summary, segmentation, text])
def test_the_statistics_come_last_so_that_a_folder_with_them_is_whole(module, monkeypatch):
    from keras_seqgen.data.label_set import LabelSet
    from keras_seqgen.data.vocabulary import Vocabulary
    from pipelines.image_summary import ImageSummary
    from pipelines.summary import Summary
    from pipelines.text_blocks import Form
    from pipelines.text_shards import TextPreparation
    from pipelines.text_splits import TextSplit
    from pipelines.text_summary import TextSummary

    written = []
    monkeypatch.setattr(module, "write_text", lambda path, content: written.append(os.path.basename(path)))
    features = {"kind": "raw", "names": []}
    frames = labelled_frames.FramePreparation("x", "out", 1, features, json.loads)
    whole = TextPreparation("out", 1, Form(), TextSplit("order"))
    arguments = {
        handwriting: (Summary(), "out", None),
        labelled_frames: (recognition_summary.Summary(), frames),
        recognition_summary: (recognition_summary.Summary(), "out", features),
        segmentation: (ImageSummary(), "out", LabelSet(2)),
        text: (TextSummary(), [], Vocabulary("ab"), whole),
    }
    module.write_summary(*arguments[module])
    assert len(written) == 3
    assert written[-1] == "stats.json"


def test_another_spelling_of_a_path_is_no_other_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert distinct(["b", "a", "./b", "b/", str(tmp_path / "a"), "gs://x//y", "gs://x/y"]) == [
        "b",
        "a",
        "gs://x//y",
        "gs://x/y",
    ]
    check_apart(["a", "ab", "b/a"])
    for pair in (["a", "./a/b"], ["a/b/c", "."], ["/", "a"]):
        with pytest.raises(UserError, match="lies in"):
            check_apart(pair)
