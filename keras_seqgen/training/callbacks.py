"""What happens beside the updates: resume points, the log, the best model, the guard against non-finite losses."""

import csv
import math
import os
import sys
import time
from pathlib import Path

import keras
import tensorflow as tf


def save_aside(model, path):
    """Save a `.keras` file under another name in the folder of `path`; returns that name. A failure leaves nothing."""
    aside = Path(path).with_name(f".{Path(path).name}")
    try:
        model.save(aside)
    except BaseException:
        aside.unlink(missing_ok=True)  # half a model on a full disk would keep it full
        raise
    return aside


def save_atomically(model, path):
    """Save a `.keras` file so that `path` is, at every moment, either the old file or the whole new one."""
    os.replace(save_aside(model, path), path)


class NonFiniteLossError(RuntimeError):
    """The loss became NaN or infinite; the last resume point is from before."""


class StopOnNonFiniteLoss(keras.callbacks.Callback):
    """Raise `NonFiniteLossError` after the first batch whose loss is not finite. Nothing is dropped or repaired."""

    def on_train_batch_end(self, batch, logs=None):
        if not math.isfinite(logs["loss"]):
            step = int(self.model.optimizer.iterations)
            raise NonFiniteLossError(
                f"The loss is {logs['loss']} at update {step}. The last good state is kept in the run's folder: lower "
                "`learning_rate` (--set learning_rate=...) and train again to go on from it."
            )


class ResumePoint(keras.callbacks.Callback):
    """Save model, optimiser and step to one file, every few minutes, after each epoch and when time is up.

    A loss tells of the weights before its update. So a file counts, that is, takes the place of the last one, when the
    next loss is known to be finite (`StopOnNonFiniteLoss` stands before this) or the training ends.

    Args:
        path: the `.keras` file; written aside and renamed, so that a kill at any moment leaves a whole one.
        every_minutes: the time between two saves.
        deadline: end the training at this time of `time.monotonic()`, or `None`.
        stop_at_step: end the training at this update, or `None`.
    """

    def __init__(self, path, every_minutes=5.0, deadline=None, stop_at_step=None):
        super().__init__()
        self.path, self.every = Path(path), 60 * every_minutes
        self.deadline, self.stop_at_step = deadline, stop_at_step
        self.saved = time.monotonic()
        self.aside, self.out_of_time = None, False

    def on_train_batch_end(self, batch, logs=None):
        self._replace()
        now = time.monotonic()
        if self.deadline is not None and now > self.deadline:
            self.model.stop_training = self.out_of_time = True
        if self.stop_at_step is not None and int(self.model.optimizer.iterations) >= self.stop_at_step:
            self.model.stop_training = True
        if now - self.saved > self.every:
            self.aside, self.saved = save_aside(self.model, self.path), now

    def on_epoch_end(self, epoch, logs=None):
        """Save now, before the weights are swapped for their average.

        A run that is killed while it validates does the end of the epoch again: it would lose the row otherwise, and
        perhaps its best model. Where time is up the file counts at once, for the epoch is not at its end.
        """
        self.aside, self.saved = save_aside(self.model, self.path), time.monotonic()
        if self.out_of_time:
            self._replace()

    def on_train_end(self, logs=None):
        self._replace()

    def _replace(self):
        if self.aside is not None:
            os.replace(self.aside, self.path)
            self.aside = None


class TrainingLog(keras.callbacks.Callback):
    """One row of CSV an epoch: step, epoch, seconds trained, and every number that `fit` reports.

    Rows after the step from which a run resumes are dropped first, so that a curve never has two branches.

    Args:
        path: the CSV file.
        scale: what the training loss is divided by (sequences in a batch), so that it stands beside `val_` numbers.
    """

    def __init__(self, path, scale=1.0):
        super().__init__()
        self.path, self.scale = Path(path), scale

    def on_train_begin(self, logs=None):
        self.rows = read_log(self.path, int(self.model.optimizer.iterations))
        self.seconds_before = float(self.rows[-1]["seconds"]) if self.rows else 0.0
        self.started = time.monotonic()

    def on_epoch_end(self, epoch, logs=None):
        row = {
            "step": int(self.model.optimizer.iterations),
            "epoch": epoch + 1,
            "seconds": f"{self.seconds_before + time.monotonic() - self.started:.1f}",
        }
        numbers = {**logs, "loss": logs["loss"] / self.scale}
        self.rows.append(row | {name: f"{value:.6g}" for name, value in numbers.items()})
        fields = list(dict.fromkeys(name for row in self.rows for name in row))
        aside = self.path.with_suffix(".csv.aside")
        with aside.open("w", newline="") as file:
            writer = csv.DictWriter(file, fields)
            writer.writeheader()
            writer.writerows(self.rows)
        os.replace(aside, self.path)


def read_log(path, step=math.inf):
    """The rows of a `TrainingLog`, those up to an update, as dicts of strings; none if there is no file."""
    if not Path(path).exists():
        return []
    with open(path, newline="") as file:
        return [row for row in csv.DictReader(file) if int(row["step"]) <= step]


class Validation(keras.callbacks.Callback):
    """Measure the recipe's metrics on the validation split at each epoch's end; the results join the logs as `val_...`.

    Args:
        twin: a function from the model to a second one over the same weights.
        metrics: `keras.metrics.Metric`s; they see the weights of the batches.
        batches: a finite `tf.data.Dataset` of inputs, targets and weights.
    """

    def __init__(self, twin, metrics, batches):
        super().__init__()
        self.twin, self.metrics, self.batches, self.evaluator = twin, metrics, counted(batches), None

    def on_epoch_end(self, epoch, logs=None):
        if self.evaluator is None:
            self.evaluator = compile_evaluator(self.twin(self.model), self.model.loss, self.metrics)
        results = self.evaluator.evaluate(self.batches, verbose=0, return_dict=True)
        logs.update({f"val_{name}": value for name, value in results.items() if name != "loss"})


def counted(batches):
    """A finite `tf.data.Dataset` that knows its number of batches: Keras warns where the end comes as a surprise."""
    if int(batches.cardinality()) >= 0:
        return batches
    return batches.apply(tf.data.experimental.assert_cardinality(int(batches.reduce(0, lambda n, *_: n + 1))))


def compile_evaluator(model, loss, metrics):
    """The model, compiled to measure `metrics`."""
    model.compile(loss=loss, weighted_metrics=metrics, jit_compile=False)
    return model


class CoolDown(keras.callbacks.Callback):
    """The learning rate r_k of update k of a run of K updates: r for its first half, then in a line down to r / 100.

        r_k = r min(1, max(2 (1 - k / K), 1 / 100))

    Args:
        rate: r.
        updates: K.
    """

    def __init__(self, rate, updates):
        super().__init__()
        self.rate, self.updates = rate, updates

    def rate_of(self, update):
        """r_k of the update with the number k, from 0."""
        return self.rate * min(1.0, max(2 * (1 - update / self.updates), 0.01))

    def on_train_batch_begin(self, batch, logs=None):
        self.model.optimizer.learning_rate = self.rate_of(int(self.model.optimizer.iterations))

    def on_epoch_end(self, epoch, logs=None):
        logs["learning_rate"] = float(self.model.optimizer.learning_rate)


class Progress(keras.callbacks.Callback):
    """Report on standard error: update, loss per sequence, updates a second, time; and each epoch's validation numbers.

    Args:
        scale: what the loss is divided by (sequences in a batch).
        steps: the update at which training ends, or `None`.
        deadline: the time of `time.monotonic()` at which training ends, or `None`.
        stream: a text stream, standard error by default.
    """

    every = 10.0  # seconds between two lines where the stream is no terminal

    def __init__(self, scale, steps=None, deadline=None, stream=None):
        super().__init__()
        self.scale, self.steps, self.deadline, self.stream = scale, steps, deadline, stream or sys.stderr
        self.started = self.reported = time.monotonic()
        self.done = 0

    def on_train_batch_end(self, batch, logs=None):
        self.done += 1
        now = time.monotonic()
        if now - self.reported < (0.2 if self.stream.isatty() else self.every):
            return
        self.reported = now
        step, seconds = int(self.model.optimizer.iterations), now - self.started
        parts = [step / self.steps] if self.steps else []
        if self.deadline is not None:
            parts.append(seconds / max(self.deadline - self.started, 1e-3))
        filled = round(24 * min(max(parts, default=0.0), 1.0))
        bar = f" [{'#' * filled}{'.' * (24 - filled)}]" if parts else ""
        loss, speed = logs["loss"] / self.scale, self.done / seconds
        line = f"update {step}{bar}  loss {loss:.2f}  {speed:.2f} updates/s  {seconds:.0f} s"
        self.stream.write(f"\r{line}\033[K" if self.stream.isatty() else line + "\n")
        self.stream.flush()

    def on_epoch_end(self, epoch, logs=None):
        numbers = "  ".join(f"{name} {value:.4g}" for name, value in logs.items() if name.startswith("val_"))
        self.stream.write(f"{chr(10) if self.stream.isatty() else ''}epoch {epoch + 1}  {numbers}\n")
        self.stream.flush()


class BestModel(keras.callbacks.Callback):
    """Keep the model with the lowest value of a validation metric.

    Args:
        path: the `.keras` file.
        monitor: the metric's name in the logs.
        best: the value to beat, from an earlier part of the run.
    """

    def __init__(self, path, monitor, best=math.inf):
        super().__init__()
        self.path, self.monitor, self.best = Path(path), monitor, best

    def on_epoch_end(self, epoch, logs=None):
        value = (logs or {}).get(self.monitor, math.inf)
        if value < self.best:
            self.best = value
            save_atomically(self.model, self.path)


class Patience(keras.callbacks.Callback):
    """End the training when `out_of_patience` says so. Stands after `TrainingLog`, whose file it reads."""

    def __init__(self, log, recipe):
        super().__init__()
        self.log, self.recipe = log, recipe

    def on_epoch_end(self, epoch, logs=None):
        if out_of_patience(read_log(self.log), self.recipe):
            self.model.stop_training = True


def out_of_patience(log, recipe):
    """Whether the last `recipe.patience` validations of a log were all worse than the best before them.

    The log is the only memory of it, so that a resumed run stops where it would have stopped. The rows of stops in the
    middle of an epoch do not count: an uninterrupted run does not have them.
    """
    ends = (row for row in log if int(row["step"]) % recipe.steps_per_epoch == 0)
    values = [float(row[recipe.monitor]) for row in ends if row.get(recipe.monitor)]
    values = [math.inf if math.isnan(value) else value for value in values]
    return 0 < recipe.patience <= len(values) - 1 - values.index(min(values)) if values else False
