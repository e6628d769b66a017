"""MLServer's scikit-learn runtime, asked for probabilities."""

import joblib
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.utils import get_model_uri


class Model(MLModel):
    """One model: NumPy tensor in, NumPy tensor out."""

    async def load(self) -> bool:
        self._model = joblib.load(await get_model_uri(self._settings))
        return True

    async def predict(self, payload):
        rows = NumpyCodec.decode_input(payload.inputs[0])
        answer = self._model.predict_proba(rows)[:, 1]
        from mlserver.types import InferenceResponse

        return InferenceResponse(model_name=self.name, outputs=[NumpyCodec.encode_output("predict", answer)])
