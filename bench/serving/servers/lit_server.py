"""LitServe as its documentation has it: decode, (batch), predict, (unbatch), encode."""

import os
import sys

import joblib
import litserve
import numpy as np

BATCH = os.environ.get("BENCH_BATCH") == "1"


class Model(litserve.LitAPI):
    """One model; requests are stacked into one predict where batching is on."""

    def setup(self, device):
        self.model = joblib.load(os.environ["BENCH_MODEL"])

    def decode_request(self, request):
        return np.asarray(request["rows"], dtype=float)

    def batch(self, inputs):
        self.lengths = [len(each) for each in inputs]
        return np.concatenate(inputs)

    def predict(self, rows):
        return self.model.predict_proba(rows)[:, 1]

    def unbatch(self, output):
        return np.split(output, np.cumsum(self.lengths)[:-1])

    def encode_response(self, output):
        return {"predictions": output.tolist()}


if __name__ == "__main__":
    api = Model(max_batch_size=64, batch_timeout=0.001) if BATCH else Model()
    litserve.LitServer(api, accelerator="cpu", workers_per_device=1).run(
        port=int(sys.argv[1]), num_api_servers=1, generate_client_file=False, log_level="warning"
    )
