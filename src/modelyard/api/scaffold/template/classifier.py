"""The training function of this project. Change it as you like: it is yours."""

from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder


def fit(X, y, *, params, seed):
    """Fit gradient-boosted trees on a pandas frame X and labels y; anything with `predict_proba` may be returned.

    Text columns become numbers; a text that was not seen here becomes -1, and so does a missing one. Missing numbers
    need no care: the trees have a branch for them. `params` and `seed` come from yard.yaml.
    """
    words = [name for name in X.columns if X[name].dtype == object]
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-1)
    columns = ColumnTransformer([("words", codes, words)], remainder="passthrough")
    return make_pipeline(columns, HistGradientBoostingClassifier(random_state=seed, **params)).fit(X, y)
