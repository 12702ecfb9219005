"""The Keras optimizer that a recipe names."""

from keras_seqgen.errors import UserError

# An optimizer keeps these as it was made; a run that goes on can change the rate alone.
OPTIMIZER_SETTINGS = ("optimizer", "beta_2", "momentum", "weight_decay", "clip_norm")


def make_optimizer(recipe):
    """An optimizer of the sum of nats over a batch.

    Args:
        recipe: with `optimizer` ("adam", "sgd" or "graves-rmsprop"), `learning_rate` and `average`, the momentum of the
            weights' running average or 0; and, where the recipe has them, `beta_2`, `momentum`, `weight_decay`, and
            `clip_norm`, the bound on the length of the whole gradient in nats per row of the batch (0: none).

    Raises:
        UserError: an optimizer of another name.
    """
    import keras

    from keras_seqgen.training.optimizers import GravesRMSprop

    options: dict = {"use_ema": True, "ema_momentum": recipe.average} if recipe.average else {}
    if getattr(recipe, "weight_decay", 0.0):
        options["weight_decay"] = recipe.weight_decay
    if getattr(recipe, "clip_norm", 0.0):
        options["global_clipnorm"] = recipe.clip_norm * recipe.batch_size
    if recipe.optimizer == "adam":
        return keras.optimizers.Adam(recipe.learning_rate, beta_2=recipe.beta_2, **options)
    if recipe.optimizer == "sgd":
        return keras.optimizers.SGD(recipe.learning_rate, momentum=recipe.momentum, **options)
    if recipe.optimizer == "graves-rmsprop":
        return GravesRMSprop(recipe.learning_rate, **options)
    raise UserError(f"`optimizer` must be adam, sgd or graves-rmsprop. Received: optimizer={recipe.optimizer}")
