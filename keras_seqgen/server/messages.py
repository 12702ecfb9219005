"""The answers about models, as the protos of TensorFlow Serving."""

from tensorflow.core.protobuf.error_codes_pb2 import UNKNOWN
from tensorflow_serving.apis.get_model_metadata_pb2 import GetModelMetadataResponse, SignatureDefMap
from tensorflow_serving.apis.get_model_status_pb2 import GetModelStatusResponse, ModelVersionStatus

from keras_seqgen.server.model_store import State
from keras_seqgen.server.servable import Servable


def signature_map(servable: Servable) -> SignatureDefMap:
    """The signatures of a version."""
    return SignatureDefMap(signature_def=servable.signatures)


def metadata_response(servable: Servable) -> GetModelMetadataResponse:
    """The signatures of a version, packed."""
    response = GetModelMetadataResponse()
    response.model_spec.name = servable.name
    response.model_spec.version.value = servable.version
    response.metadata["signature_def"].Pack(signature_map(servable))
    return response


def status_response(states: dict[int, State]) -> GetModelStatusResponse:
    """The states of a model's versions."""
    response = GetModelStatusResponse()
    for version, state in states.items():
        told = response.model_version_status.add(version=version, state=ModelVersionStatus.State.Value(state.name))
        told.status.SetInParent()
        if state.error:
            told.status.error_code, told.status.error_message = UNKNOWN, state.error
    return response
