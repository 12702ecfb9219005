"""A corpus of a gigabyte goes through in the memory that a twentieth of it takes."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

PEAK = """
import sys
from pipelines.text import main
assert main(sys.argv[1:]) == 0
print(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
"""


@pytest.fixture(scope="module")
def corpora(tmp_path_factory):
    """Files of 50 MB and of 1 GB of words of a language of 50,000 words, one to four bytes a character."""
    folder = tmp_path_factory.mktemp("corpora")
    rng = np.random.default_rng(0)
    letters = np.array(list("etaoinshrdlucmfwyéßж中😀"))
    words = np.array(["".join(rng.choice(letters, rng.integers(1, 12))) for _ in range(50_000)])
    shares = 1 / np.arange(1, len(words) + 1)
    text = words[rng.choice(len(words), 2_000_000, p=shares / shares.sum())]
    block = "\n".join(" ".join(line) for line in np.array_split(text, 100_000)).encode() + b"\n"
    for name, size in (("small", 50_000_000), ("large", 1_000_000_000)):
        with (folder / name).open("wb") as stream:
            for _ in range(-(-size // len(block))):
                stream.write(block)
    yield folder
    (folder / "large").unlink()


def peak(source: Path, output: Path, kind: str) -> float:
    """The peak resident memory of a run of its own process, in MB."""
    flags = ["--input", str(source), "--output", str(output), "--tokens", kind]
    run = subprocess.run([sys.executable, "-c", PEAK, *flags], check=True, capture_output=True, text=True)
    return int(run.stdout.split()[-1]) / 1024


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from /proc")
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kind", ["character", "word", "byte"])
def test_memory_does_not_grow_with_the_corpus(corpora, tmp_path, kind):
    small, large = (peak(corpora / name, tmp_path / name, kind) for name in ("small", "large"))
    print(f"{kind}: {small:.0f} MB for 50 MB, {large:.0f} MB for 1 GB")
    assert large < small + 100  # of 950 MB more text; the allocator makes a few tens of difference
