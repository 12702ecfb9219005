"""What the load counts and prints, and that its folder has a model of every system."""

import json
import time

import pytest

from benchmarks import serving_load, tiny_systems

KEYS = [("fast", "a"), ("fast", "b"), ("slow", "a"), ("slow", "b"), ("slow", "c")]


def test_every_request_is_counted_where_it_belongs():
    asked, sizes = [], []

    def client():
        def one(key):
            asked.append(key)
            time.sleep(0.02 if key[0] == "slow" else 0.001)
            return 500 if key == ("slow", "c") else 200

        return one

    taken, seconds = serving_load.load(client, KEYS, 8, 0.5, sizes.append)
    assert 0.5 <= seconds < 5
    assert set(asked) == set(KEYS)
    told = serving_load.by_model(taken, seconds)
    for model in ("fast", "slow"):
        assert told[model]["requests"] == sum(key[0] == model for key in asked)
        assert told[model]["requests/s"] == pytest.approx(told[model]["requests"] / seconds, abs=0.1)
    assert told["fast"]["errors"] == 0
    assert told["slow"]["errors"] == told["all"]["errors"] == asked.count(("slow", "c"))
    assert told["all"]["requests"] == len(asked)
    assert told["slow"]["p50, ms"] >= 20
    assert told["fast"]["p50, ms"] <= told["fast"]["p99, ms"]
    assert len(sizes) == serving_load.SAMPLES
    assert sizes == sorted(sizes)


def test_the_memory_is_flat_in_a_band_after_it_has_settled():
    samples = [(0, 100), (10, 150), (20, 160), (30, 161), (40, 164), (50, 162)]
    told = serving_load.memory(samples)
    assert (told["after requests"], told["within MB"]) == (30, 3)


def test_the_table_has_a_line_for_each_model():
    numbers = serving_load.numbers([(0.01, 200), (0.03, 503)], 2.0)
    assert numbers == {"requests": 2, "errors": 1, "requests/s": 1.0, "p50, ms": 20.0, "p99, ms": 29.8}
    results = {
        "server": {"text": numbers, "all": numbers},
        "bare": {"all": numbers},
        "memory": serving_load.memory([(0, 1), (1, 1), (2, 1), (3, 5)]),
    }
    lines = serving_load.table(results).splitlines()
    assert lines[1].split() == ["text", "2", "1", "1.0", "20.0", "29.8"]
    assert lines[2].split() == ["all", "2", "1", "1.0", "20.0", "29.8", "1.0", "20.0", "29.8"]
    assert lines[3].endswith("after 3 requests within 0 MB")


def test_a_folder_has_a_model_of_every_system(tmp_path, monkeypatch):
    made = {}
    monkeypatch.setattr(tiny_systems, "export_tiny", made.setdefault)
    (tmp_path / "models" / "pen" / "3").mkdir(parents=True)
    described = tmp_path / "models" / "mine" / "1" / "assets.extra"
    described.mkdir(parents=True)
    (described / "model.json").write_text(json.dumps({"system": "speech"}))
    (tmp_path / "all").mkdir()
    missing = tiny_systems.folder_of_all_systems(tmp_path / "models", tmp_path / "all")
    assert missing == list(made) == ["text", "segmentation", "ink-recognition", "text-lines", "script-detection"]
    assert made["text"] == tmp_path / "all" / "text-untrained"
    assert {path.name: path.resolve().parent for path in (tmp_path / "all").iterdir()} == {
        "pen": tmp_path / "models",
        "mine": tmp_path / "models",
    }
    assert len(tiny_systems.folder_of_all_systems(tmp_path / "none", tmp_path / "all")) == len(tiny_systems.SYSTEMS)
