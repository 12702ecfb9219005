import dataclasses
import subprocess
import sys

import pytest

from keras_seqgen.errors import UserError
from keras_seqgen.recipes import RECIPES, find_recipe, load_recipe, override, save_recipe


def test_a_setting_replaces_a_field():
    recipe = override(find_recipe("handwriting-synthesis"), ["units=8", "learning_rate=1", "optimizer=adam"])
    assert (recipe.units, recipe.learning_rate, recipe.optimizer) == (8, 1.0, "adam")
    assert find_recipe("handwriting-synthesis").units == 400


def test_a_field_that_may_be_empty_can_be_filled_and_emptied():
    recipe = override(find_recipe("handwriting-synthesis"), ["max_points=500"])
    assert recipe.max_points == 500
    assert override(recipe, ["max_points=null"]).max_points is None


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("width=3", "one of text, units"),
        ("units", "write name=value"),
        ("units=many", "`units` must be a int"),
        ("units=2.5", "`units` must be a int"),
        ("text=1", "`text` must be a bool"),
        ("max_points=many", "`max_points` must be a int or null"),
    ],
)
def test_a_wrong_setting_names_the_remedy(setting, message):
    with pytest.raises(UserError, match=message):
        override(find_recipe("handwriting-synthesis"), [setting])


def test_an_unknown_recipe_lists_the_known():
    with pytest.raises(UserError, match="handwriting-prediction"):
        find_recipe("handwriting")


@pytest.mark.parametrize("name", RECIPES)
def test_a_saved_recipe_comes_back(name, tmp_path):
    recipe = dataclasses.replace(RECIPES[name], seed=7)
    save_recipe(recipe, name, tmp_path / "run")
    assert load_recipe(tmp_path / "run") == (name, recipe)


def test_a_folder_that_is_no_run_is_named(tmp_path):
    with pytest.raises(UserError, match="is not a run"):
        load_recipe(tmp_path)
    (tmp_path / "recipe.json").write_text('{"recipe": "handwriting-demo", "colour": 1}')
    with pytest.raises(UserError, match="cannot be read"):
        load_recipe(tmp_path)


def test_recipes_are_listed_without_keras_or_tensorflow():
    code = "import sys, keras_seqgen.recipes; assert not {'keras', 'tensorflow'} & set(sys.modules), 'imported'"
    subprocess.run([sys.executable, "-c", code], check=True)
