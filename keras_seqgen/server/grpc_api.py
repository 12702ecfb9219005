"""The gRPC services of TensorFlow Serving: PredictionService's Predict and GetModelMetadata, ModelService's status."""

import logging
import math
import time
from collections.abc import Callable

import grpc
import tensorflow as tf
from tensorflow_serving.apis import (
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from keras_seqgen.server.limits import Gate
from keras_seqgen.server.messages import metadata_response, status_response
from keras_seqgen.server.metrics import Metrics
from keras_seqgen.server.model_store import ModelStore
from keras_seqgen.server.servable import DEFAULT_SIGNATURE, Servable
from keras_seqgen.server.status import ServingError, invalid

_LOG = logging.getLogger(__name__)


class GrpcApi(
    prediction_service_pb2_grpc.PredictionServiceServicer,
    model_service_pb2_grpc.ModelServiceServicer,
):
    """Answers gRPC requests from a `ModelStore`; what is not here (Classify, Regress, ...) answers UNIMPLEMENTED."""

    def __init__(self, store: ModelStore, metrics: Metrics, gate: Gate):
        self._store, self._metrics, self._gate = store, metrics, gate

    def add_to(self, server: grpc.Server) -> None:
        """Register both services."""
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(self, server)
        model_service_pb2_grpc.add_ModelServiceServicer_to_server(self, server)

    def Predict(self, request, context):  # noqa: N802
        """Run a signature."""
        return self._answer(request, context, self._predict)

    def GetModelMetadata(self, request, context):  # noqa: N802
        """The signatures of a version."""
        return self._answer(request, context, self._metadata)

    def GetModelStatus(self, request, context):  # noqa: N802
        """The states of a model's versions."""
        return self._answer(
            request, context, lambda request: (status_response(self._store.states(*_which(request))), 0)
        )

    def _answer(self, request, context, work: Callable):
        started, code, rows = time.perf_counter(), "OK", 0
        name = request.model_spec.name
        try:
            with self._gate.entered():
                if not request.HasField("model_spec"):
                    raise invalid("Missing ModelSpec")
                response, rows = work(request)
                return response
        except ServingError as error:
            code = error.code
            context.abort(getattr(grpc.StatusCode, code), error.message)
        except Exception:
            code = "INTERNAL"
            _LOG.exception("a request for %s", name)
            context.abort(grpc.StatusCode.INTERNAL, "the server failed; its log says where")
        finally:
            model = name if name in self._store.models else ""
            self._metrics.count("grpc", model, code, time.perf_counter() - started, rows)

    def _predict(self, request):
        servable = self._store.find(*_which(request))
        name = request.model_spec.signature_name or DEFAULT_SIGNATURE
        inputs = _arrays(servable, name, request.inputs)
        results = servable.predict(name, inputs, request.output_filter)
        response = predict_pb2.PredictResponse()
        response.model_spec.name, response.model_spec.signature_name = servable.name, name
        response.model_spec.version.value = servable.version
        for key, value in results.items():
            response.outputs[key].CopyFrom(tf.make_tensor_proto(value))
        return response, len(next(iter(inputs.values())))

    def _metadata(self, request):
        if not request.metadata_field:
            raise invalid("GetModelMetadataRequest must specify at least one metadata_field")
        for field in request.metadata_field:
            if field != "signature_def":
                raise invalid(f"Metadata field {field} is not supported")
        return metadata_response(self._store.find(*_which(request))), 0


def _which(request):
    spec = request.model_spec
    return spec.name, spec.version.value if spec.HasField("version") else None, spec.version_label


def _arrays(servable: Servable, signature: str, tensors) -> dict:
    """The tensors of a request; types and shapes are looked at before anything of their size is made."""
    shapes = {}
    for name, tensor in tensors.items():
        if tensor.tensor_shape.unknown_rank:
            raise invalid(f"tensor parsing error: {name}")
        shapes[name] = tuple(size.size for size in tensor.tensor_shape.dim)
    servable.check_kinds(servable.signature(signature), {name: (tensors[name].dtype, shapes[name]) for name in shapes})
    arrays = {}
    for name, tensor in tensors.items():
        try:
            if not tensor.tensor_content and not _has_values(tensor) and math.prod(shapes[name]):
                raise ValueError
            arrays[name] = tf.make_ndarray(tensor)
        except (ValueError, TypeError) as error:
            raise invalid(f"tensor parsing error: {name}") from error
    return arrays


def _has_values(tensor) -> bool:
    return any(field.name.endswith("_val") for field, _ in tensor.ListFields())
