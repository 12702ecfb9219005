"""A trained model measured on a split, in the paper's numbers."""

import math
from pathlib import Path

from keras_seqgen.data.strokes import StrokeStatistics
from keras_seqgen.training.callbacks import compile_evaluator, counted


def evaluate_handwriting(model, recipe, data, split, run):
    """Measure a handwriting network.

    Args:
        model: a model of the recipe.
        recipe: a `recipes.HandwritingRecipe`.
        data: a prepared folder.
        split: "train", "valid" or "test".
        run: the model's run, or any folder with the stats.json and vocabulary.json of its training data.

    Returns:
        A dict: `nats_per_sequence` and `nats_per_point`, in units of the training set's standard deviation;
        `nats_per_point_raw`, in the unit of the source (for IAM-OnDB that of the whiteboard), whatever the
        normalisation; `stroke_error`, the squared error of the predicted mean per point, normalised; `sequences`;
        `points`.

    Raises:
        UserError: there is no such split.

    Source: Graves 2013, section 4.2, tables 3 and 4. A density of (dx / s_x, dy / s_y) is s_x s_y times that of
    (dx, dy), hence nats_per_point_raw = nats_per_point + log(s_x s_y).
    """
    unit = StrokeStatistics.load(Path(run) / "stats.json")
    batches = counted(recipe.evaluation_batches(data, split, run))
    twin = compile_evaluator(recipe.evaluation_model(model), model.loss, recipe.metrics())
    results = twin.evaluate(batches, verbose=0, return_dict=True)
    results.pop("loss")
    sequences = points = 0
    for _, _, weight in batches:
        sequences += int(weight.shape[0])
        points += int(weight.numpy().sum())
    raw = results["nats_per_point"] + math.log(float(unit.std[0]) * float(unit.std[1]))
    return {**results, "nats_per_point_raw": raw, "sequences": sequences, "points": points}
