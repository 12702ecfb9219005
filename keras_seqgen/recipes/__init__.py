"""Recipes by name: frozen dataclasses of plain values, each citing its paper and the number to reach."""

import dataclasses
import json
import os
from pathlib import Path
from typing import get_args

from keras_seqgen.errors import UserError
from keras_seqgen.recipes.handwriting import HandwritingRecipe
from keras_seqgen.recipes.recognition import RECOGNITION_RECIPES
from keras_seqgen.recipes.script_detection import SCRIPT_RECIPES
from keras_seqgen.recipes.segmentation import SEGMENTATION_RECIPES
from keras_seqgen.recipes.text import TextRecipe

_SYNTHESIS = HandwritingRecipe(goal="-1096.9 nats per sequence (Graves 2013, table 4)")
_PREDICTION = HandwritingRecipe(text=False, goal="-1041.0 nats per sequence (Graves 2013, table 3, 3 x 400)")
_CHARACTERS = TextRecipe(
    learning_rate=2e-3,
    batch_size=16,  # 64, as many characters, no average: 0.04 nats higher on the validation text
    length=50,
    average=0.999,
    updates=20_000,
    steps_per_epoch=1_000,
    goal="1.32 bits per character (Graves 2013, table 1)",
)
_WORDS = TextRecipe(
    table_stddev=0.05,
    optimizer="sgd",
    learning_rate=0.05,  # of 20 rows: 1 for the mean over the rows, as in Zaremba et al. 2014
    clip_norm=5.0,
    batch_size=20,
    length=20,
    updates=9_000,
    steps_per_epoch=1_500,
    goal="perplexity 138 (Graves 2013, table 1)",
)


def _paper(recipe):
    """The recipe with the paper's optimiser."""
    return dataclasses.replace(recipe, optimizer="graves-rmsprop", learning_rate=1e-4, average=0.0)


def _adaptive(recipe, goal):
    """The recipe with adaptive weight noise, as the paper trains its best networks."""
    return dataclasses.replace(recipe, weight_noise="adaptive", goal=f"{goal}, begun --from a plain run")


RECIPES = {
    "handwriting-synthesis": _SYNTHESIS,
    "handwriting-synthesis-paper": _paper(_SYNTHESIS),
    "handwriting-synthesis-adaptive": _adaptive(_SYNTHESIS, "-1128.2 nats per sequence (Graves 2013, table 4)"),
    "handwriting-prediction": _PREDICTION,
    "handwriting-prediction-paper": _paper(_PREDICTION),
    "handwriting-prediction-adaptive": _adaptive(_PREDICTION, "-1057.7 nats per sequence (Graves 2013, table 3)"),
    "handwriting-prediction-wide": dataclasses.replace(
        _PREDICTION, units=900, depth=1, goal="-1025.7 nats per sequence (Graves 2013, table 3, 1 x 900)"
    ),
    "handwriting-embedded": HandwritingRecipe(
        units=256,
        mixture_components=12,
        window_components=6,
        updates=3_200,
        goal="every printable ASCII character, read at sight (`prepare handwriting --format hershey --style full`)",
    ),
    "char-ptb": _CHARACTERS,
    "char-ptb-noise": dataclasses.replace(
        _CHARACTERS,
        weight_noise="relative",
        noise_stddev=0.6,
        average=0.9995,
        updates=84_000,
        steps_per_epoch=4_000,
        goal="1.27 bits per character (Graves 2013, table 1), begun --from a plain run of 12,000 updates",
    ),
    "char-ptb-adaptive": dataclasses.replace(
        _CHARACTERS,
        weight_noise="adaptive",
        updates=20_000,
        goal="1.26 bits per character (Graves 2013, table 1), begun --from a run with fixed noise",
    ),
    "word-ptb": _WORDS,
    "word-ptb-noise": dataclasses.replace(
        _WORDS,
        weight_noise="fixed",
        updates=6_000,
        goal="perplexity 126 (Graves 2013, table 1), begun --from a plain run",
    ),
    "word-ptb-modern": TextRecipe(
        units=650,
        depth=2,
        embedding=650,
        tied=True,
        dropout_tokens=0.05,
        dropout_input=0.3,
        dropout_hidden=0.3,
        dropout_output=0.3,
        dropout_recurrent=0.2,
        optimizer="sgd",  # Adam at 1e-3, rows of 70 and more dropout: 273 on the validation text after 1.5 epochs
        learning_rate=0.05,
        clip_norm=5.0,
        average=0.998,
        batch_size=20,
        length=35,
        updates=12_000,
        steps_per_epoch=1_327,
        goal="perplexity below 100; 57.3 is AWD-LSTM's (Merity et al. 2018), larger and trained for 750 epochs",
    ),
    "wikipedia": TextRecipe(
        units=700,
        depth=7,
        reset_every=100,
        goal="1.67 bits per byte static, 1.33 dynamic (Graves 2013, section 3.2)",
    ),
    "wikipedia-5": TextRecipe(
        units=700, depth=5, reset_every=100, goal="the paper's 21.3 M weights, which 7 layers with skips exceed"
    ),
    "char-lstm": TextRecipe(
        units=512,
        depth=2,
        embedding=64,
        dropout_hidden=0.1,
        dropout_output=0.1,
        learning_rate=2e-3,
        average=0.998,
        goal="any corpus: samples that look like it after an hour",
    ),
    "handwriting-demo": HandwritingRecipe(
        units=128,
        depth=2,
        mixture_components=8,
        window_components=4,
        learning_rate=3e-3,
        average=0.99,
        steps_per_epoch=200,
        goal="a line that can be read",
    ),
    **SEGMENTATION_RECIPES,
    **RECOGNITION_RECIPES,
    **SCRIPT_RECIPES,
}


def find_recipe(name):
    """The recipe called `name`; `UserError` lists the names if there is none."""
    if name not in RECIPES:
        raise UserError(f"There is no recipe `{name}`. Recipes: {', '.join(RECIPES)}")
    return RECIPES[name]


def override(recipe, settings):
    """A copy of `recipe` with some fields replaced.

    Args:
        recipe: a recipe.
        settings: strings "name=value", the values in JSON (bare words are taken as strings).

    Raises:
        UserError: a field that the recipe does not have, or a value of another type; lists what is valid.
    """
    types = {field.name: get_args(field.type) or (field.type,) for field in dataclasses.fields(recipe)}
    changes = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals or name not in types:
            raise UserError(f"--set {setting}: write name=value, the name being one of {', '.join(types)}")
        try:
            value = json.loads(text)
        except json.JSONDecodeError:
            value = text
        expected = types[name]
        if expected == (float,) and type(value) is int:
            value = float(value)
        if type(value) not in expected:
            valid = " or ".join("null" if each is type(None) else each.__name__ for each in expected)
            raise UserError(f"--set {setting}: `{name}` must be a {valid}, as {getattr(recipe, name)!r} is")
        changes[name] = value
    return dataclasses.replace(recipe, **changes)


def save_recipe(recipe, name, run):
    """Write `run`/recipe.json: the recipe's name and every field."""
    Path(run).mkdir(parents=True, exist_ok=True)
    aside = Path(run) / "recipe.json.aside"
    aside.write_text(json.dumps({"recipe": name, **dataclasses.asdict(recipe)}, indent=2) + "\n", encoding="utf-8")
    os.replace(aside, Path(run) / "recipe.json")


def load_recipe(run):
    """The name and the recipe of a run.

    Raises:
        UserError: `run` holds no recipe.json that this version can read.
    """
    path = Path(run) / "recipe.json"
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        name = fields.pop("recipe")
        return name, dataclasses.replace(find_recipe(name), **fields)
    except FileNotFoundError as error:
        raise UserError(f"{run} is not a run: it has no recipe.json (`keras-seqgen train` makes one)") from error
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} cannot be read: {error}") from error
