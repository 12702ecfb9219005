"""`models.config`: which versions of which model a server loads, and the labels by which clients may ask for them."""

import os
import re
import tempfile
from pathlib import Path

from google.protobuf import text_format
from tensorflow_serving.config.model_server_config_pb2 import ModelConfig, ModelServerConfig

from keras_seqgen.data.folder_lock import locked
from keras_seqgen.errors import UserError
from keras_seqgen.serving.batching import BATCHING_CONFIG

MODELS_CONFIG = "models.config"
SERVED_FROM = "/models"  # where a container of TensorFlow Serving sees the folder
LATEST, STABLE = "latest", "stable"
METRICS_PATH = "/monitoring/prometheus/metrics"
MONITORING_CONFIG = f'prometheus_config {{\n  enable: true\n  path: "{METRICS_PATH}"\n}}\n'


def read_models_config(root) -> ModelServerConfig:
    """The `ModelServerConfig` of `root`; an empty one where the folder has none.

    Raises:
        UserError: the file is not one.
    """
    path = Path(root) / MODELS_CONFIG
    try:
        return text_format.Parse(path.read_text(encoding="utf-8"), ModelServerConfig())
    except FileNotFoundError:
        return ModelServerConfig()
    except (OSError, ValueError, text_format.ParseError) as error:
        raise UserError(f"{path} is not a ModelServerConfig: {error}") from error


def wanted_versions(config: ModelConfig | None, there: list[int]) -> list[int]:
    """Which of the versions that are `there`, in order, a model's policy asks for; without one, the newest."""
    policy = config.model_version_policy if config else None
    if policy is None or policy.WhichOneof("policy_choice") in (None, "latest"):
        return there[-max(1, policy.latest.num_versions if policy else 1) :]
    if policy.HasField("specific"):
        return [number for number in there if number in policy.specific.versions]
    return there


def recorded_versions(folder) -> list[int]:
    """The version numbers that `models.config`, beside a model's folder, ever gave to the model and still names."""
    folder = Path(folder)
    config = _entry(read_models_config(folder.parent), folder.name)
    return sorted({*config.model_version_policy.specific.versions, *config.version_labels.values()}) if config else []


def record_version(version, stable=False):
    """Name a version in `models.config`, beside its model's folder: TensorFlow Serving that polls the file loads it.

    The label `latest` moves to the version. The label `stable` moves to it if `stable` says so, or where no version has
    it yet. Other labels, which a person wrote, stay. The policy names every version that has a label. The file is
    replaced at once. `batching.config` and `monitoring.config` are written where they are missing.

    Args:
        version: `saved_models/NAME/<version>`, which exists.
        stable: whether the version passed a gate.

    Raises:
        UserError: `models.config` is not a `ModelServerConfig`.

    Example:

        >>> record_version("saved_models/handwriting/2", stable=True)
    """
    version = Path(version).absolute()
    folder, number = version.parent, int(version.name)
    root = folder.parent
    with locked(root):
        config = read_models_config(root)
        entry = _entry(config, folder.name)
        if entry is None:
            entry = config.model_config_list.config.add(
                name=folder.name, base_path=f"{SERVED_FROM}/{folder.name}", model_platform="tensorflow"
            )
        entry.version_labels[LATEST] = max(number, entry.version_labels.get(LATEST, 0))
        if stable or STABLE not in entry.version_labels:
            entry.version_labels[STABLE] = number
        entry.model_version_policy.specific.versions[:] = sorted(set(entry.version_labels.values()))
        models = sorted(config.model_config_list.config, key=lambda model: model.name)
        text = text_format.MessageToString(ModelServerConfig(model_config_list={"config": models}))
        write_whole(root / MODELS_CONFIG, text)
        for name, content in (("batching.config", BATCHING_CONFIG), ("monitoring.config", MONITORING_CONFIG)):
            if not (root / name).exists():
                write_whole(root / name, content)


def label_versions(config: ModelConfig | None) -> dict[str, int]:
    """Label -> version number of one model."""
    return dict(config.version_labels) if config else {}


def model_names(root) -> list[str]:
    """The folders below `root` that hold a version, in order."""
    children = (path for path in Path(root).iterdir() if path.is_dir() and re.fullmatch(r"[^.:/][^:/]*", path.name))
    return sorted(path.name for path in children if any(child.name.isdecimal() for child in path.iterdir()))


def _entry(config: ModelServerConfig, name: str) -> ModelConfig | None:
    return next((model for model in config.model_config_list.config if model.name == name), None)


def write_whole(path: Path, text: str) -> None:
    """Write a file aside and rename it: a reader meets the old one or the new one."""
    number, aside = tempfile.mkstemp(prefix=".config-", dir=path.parent)
    with os.fdopen(number, "w", encoding="utf-8") as file:
        os.fchmod(number, 0o644)
        file.write(text)
    os.replace(aside, path)
