"""The training function: boosted trees on the timetable, the weather and the plane. Plain scikit-learn."""

from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder


def fit(X, y, *, params, seed):
    """Fit on a pandas frame X and 0/1 labels y; what is returned answers `predict_proba`.

    There is no month among the inputs on purpose: a model that has seen January to March only would guess about the
    rest of the year from it.
    """
    words = [name for name in X.columns if X[name].dtype == object]
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-1)
    columns = ColumnTransformer([("words", codes, words)], remainder="passthrough")
    return make_pipeline(columns, HistGradientBoostingClassifier(random_state=seed, **params)).fit(X, y)
