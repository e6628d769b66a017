"""What the public client of the Open Inference Protocol makes of our gateway. Run by `bench/protocols`, in its own environment."""

from __future__ import annotations

import sys

import numpy as np
import tritonclient.http as http
from tritonclient.utils import InferenceServerException

ID = {"X-Request-Id": "recorded"}


def inputs(*, binary: bool) -> list[http.InferInput]:
    """Two rows of three inputs."""
    given = {
        "temp": ("FP64", np.array([10.0, 20.0])),
        "stops": ("INT32", np.array([1, 2], np.int32)),
        "dest": ("BYTES", np.array(["SEA", "PDX"], object)),
    }
    tensors = []
    for name, (datatype, values) in given.items():
        tensor = http.InferInput(name, [len(values)], datatype)
        tensor.set_data_from_numpy(values, binary_data=binary)
        tensors.append(tensor)
    return tensors


def main(address: str) -> None:
    """Go through the protocol; stop at the first thing that is not as it should be."""
    client = http.InferenceServerClient(address)
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("late-api")
    assert client.is_model_ready("late-api", "1")
    assert not client.is_model_ready("nope")
    assert "binary_tensor_data" in client.get_server_metadata()["extensions"]
    metadata = client.get_model_metadata("late-api")
    assert [each["name"] for each in metadata["inputs"]][:3] == ["temp", "stops", "dest"], metadata

    for binary_in, binary_out in ((True, True), (True, False), (False, False), (False, True)):
        outputs = [http.InferRequestedOutput("predict", binary_data=binary_out)]
        headers = {"X-Request-Id": f"recorded-{binary_in}-{binary_out}"}
        found = client.infer("late-api", inputs(binary=binary_in), outputs=outputs, request_id="42", headers=headers)
        assert found.as_numpy("predict").tolist() == [111.0, 22.0], found.get_response()
        assert found.get_response()["id"] == "42"
    found = client.infer(
        "late-api", inputs(binary=True), model_version="1", headers=ID
    )  # no outputs named: all, in binary
    assert found.as_numpy("predict").tolist() == [111.0, 22.0]
    assert found.get_response()["model_version"] == "1"

    alone = http.InferInput("temp", [1], "FP32")
    alone.set_data_from_numpy(np.array([np.nan], np.float32))
    try:
        client.infer("late-api", [alone], headers={"X-Request-Id": "recorded-refused"})
    except InferenceServerException as error:
        assert error.status() == "422", error
        assert "missing" in str(error.message()), error
    else:
        raise AssertionError("a missing value was taken")
    print("the public client of the Open Inference Protocol: all as it should be")


main(sys.argv[1])
