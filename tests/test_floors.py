"""The house's import rules, read from the source without running it: one floor imports only from those below."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FLOORS = {
    **dict.fromkeys(("layers", "distributions", "data", "ngram"), 1),
    **dict.fromkeys(("losses", "metrics", "models"), 2),
    **dict.fromkeys(("training", "decoding", "viz"), 3),
    **dict.fromkeys(("serving", "recipes"), 4),
    **dict.fromkeys(("server", "client"), 5),
    **dict.fromkeys(("commands", "arguments"), 6),
    "cli": 7,
}
TENSORFLOW_ALONE = {"lattice_filter.py"}  # keras.ops has no sparse products; the lattice's size depends on the picture
ANYBODY = {"errors"}  # no floor: imports nothing, and everyone may import it
HOUSE = sorted(ROOT.glob("keras_seqgen/**/*.py"))
PIPELINES = sorted(ROOT.glob("pipelines/**/*.py"))


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def imports(path: Path) -> list[str]:
    """Every module that a file imports, at its top or inside a function; `from a import b` gives a.b."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name(path)}: imports are absolute"
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return found


def part(module: str) -> str:
    """keras_seqgen.layers.gradient_clip -> layers."""
    return ([*module.split("."), ""])[1]


def top_level(module: str) -> str:
    return module.split(".", maxsplit=1)[0]


@pytest.mark.parametrize("path", HOUSE, ids=name)
def test_imports_go_downward_only(path):
    here = path.relative_to(ROOT / "keras_seqgen").parts[0].removesuffix(".py")
    if here == "__init__":
        assert not imports(path)
        return
    for module in imports(path):
        there = part(module) if top_level(module) == "keras_seqgen" else None
        if there is None or there in ANYBODY or there == here or not (ROOT / "keras_seqgen" / there).exists():
            continue
        assert here not in ANYBODY
        assert FLOORS[there] < FLOORS[here], f"{name(path)} imports {module}: not below it"


@pytest.mark.parametrize("path", HOUSE, ids=name)
def test_what_each_floor_may_import_from_outside(path):
    here = path.relative_to(ROOT / "keras_seqgen").parts[0].removesuffix(".py")
    outside = {top_level(module) for module in imports(path)}
    assert "apache_beam" not in outside
    assert "pipelines" not in outside or FLOORS.get(here) == 6, "only commands call the pipelines"
    if here in ("layers", "models"):
        libraries = outside - set(sys.stdlib_module_names)
        libraries -= {"tensorflow"} if path.name in TENSORFLOW_ALONE else set()
        assert libraries <= {"keras", "numpy", "keras_seqgen"}, f"{name(path)} runs on every Keras backend"
    if here in ("server", "client"):
        assert "keras" not in outside, f"{name(path)} needs SavedModels alone"
    if here == "data":
        assert not outside & {"keras", "tensorflow_probability"}


@pytest.mark.parametrize("path", PIPELINES, ids=name)
def test_pipelines_see_only_the_data_floor(path):
    for module in imports(path):
        if top_level(module) == "keras_seqgen":
            assert part(module) in {"data", *ANYBODY}, f"{name(path)} imports {module}"


@pytest.mark.parametrize("path", HOUSE + PIPELINES, ids=name)
def test_nobody_imports_what_is_private_or_gone(path):
    for module in imports(path):
        assert not module.startswith(("keras.src", "tf_keras")), f"{name(path)} imports {module}"
        assert not module.startswith(("tensorflow_probability.python", "tensorflow.python")), module
        if top_level(module) not in ("keras_seqgen", "pipelines", "__future__"):
            assert not any(word.startswith("_") for word in module.split(".")), f"{name(path)} imports {module}"
    assert "tfp.layers" not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", HOUSE + PIPELINES, ids=name)
def test_one_idea_per_file(path):
    assert path.stem not in ("utils", "helpers", "common", "base", "misc")
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 300, "about 250 lines at most"


def test_importing_the_package_is_free():
    code = (
        "import sys, keras_seqgen, keras_seqgen.cli, keras_seqgen.data.hands, keras_seqgen.viz.ink\n"
        "heavy = {'tensorflow', 'keras', 'apache_beam', 'matplotlib', 'jax', 'PIL'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
