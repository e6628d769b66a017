"""Every code that a gateway's answer may carry, with its status and its meaning: the tables of docs/serving.md.

`python -m modelyard.serve.codes` prints them; a test finds every code of this room here.
"""

from __future__ import annotations

REFUSALS: tuple[tuple[int, str, str], ...] = (
    (400, "invalid_json", "malformed, empty, not UTF-8, a byte order mark, NaN or Infinity, thousands of digits"),
    (400, "duplicate_key", "an object, or a schema, names something twice"),
    (400, "too_deep", "nested deeper than 32"),
    (400, "invalid_csv", "no CSV, or a first line that does not name each column once"),
    (400, "invalid_arrow", "no valid Arrow IPC stream"),
    (400, "bad_header_length", "Inference-Header-Content-Length is no number of bytes of the body"),
    (400, "bad_request_id", "X-Request-Id is not 1 to 200 printable ASCII characters"),
    (400, "bad_routing_key", "X-Routing-Key is longer than 1,000 characters"),
    (400, "unknown_arm", "X-Force-Arm names no arm of now"),
    (400, "no_host", "the request has no Host"),
    (400, "bad_request", "the request line or a header cannot be read, or its length is said twice"),
    (403, "foreign_origin", "a page of another site asks"),
    (404, "not_found", "there is nothing under this path"),
    (404, "unknown_deployment", "no such deployment"),
    (404, "unknown_version", "no such version of the model now"),
    (405, "method_not_allowed", "another method; see Allow"),
    (406, "not_acceptable", "Accept names neither JSON nor Arrow"),
    (408, "request_timeout", "head or body came too slowly"),
    (409, "request_id_reused", "the id was used for another request a moment ago"),
    (413, "body_too_large", "more bytes than one request may have"),
    (413, "too_many_rows", "more rows than `max_rows`"),
    (415, "unsupported_media_type", "a body in another form, or not in UTF-8"),
    (415, "unsupported_encoding", "a compressed body"),
    (421, "wrong_host", "the gateway has another name"),
    (422, "wrong_shape", "not the form of the protocol, no rows, or columns of several lengths"),
    (422, "wrong_type", "a value of another type than the input's"),
    (422, "not_finite", "an infinite number"),
    (422, "out_of_bounds", "outside the declared `min` and `max`, 64 bits, or our calendar"),
    (422, "invalid_string", "a text with NUL or a lone surrogate"),
    (422, "missing", "a required input is not there"),
    (422, "null_not_allowed", "a required input is null"),
    (422, "unknown_feature", "a column that is no input"),
    (422, "unknown_category", "a category that training had not, and the policy or the model refuses"),
    (422, "out_of_range", "a value outside the range of training, and the policy or the model refuses"),
    (422, "unknown_output", "the model has no such output"),
    (422, "unsupported_parameter", "a parameter that would change the answer, and cannot"),
    (422, "invalid_input", "several of these at once; see `errors`"),
    (429, "overloaded", "too many requests wait; see Retry-After"),
    (431, "headers_too_large", "more than 100 headers, or 16 KB of them"),
    (500, "model_failed", "the model raised an error on values that it should know"),
    (500, "no_fallback", "nothing stands in for what the policy sends to the fallback"),
    (500, "internal_error", "our mistake; the log has the request id"),
    (502, "model_output_invalid", "the model answered something that is no prediction"),
    (503, "not_ready", "the release is not loaded; see Retry-After"),
    (503, "log_unavailable", "the prediction log cannot be written; see Retry-After"),
    (504, "deadline_exceeded", "the model was too late, and nothing stands in for it"),
)
WARNINGS: tuple[tuple[str, str], ...] = (
    ("missing", "there was no value; another was filled in, or the fallback answers"),
    ("out_of_range", "outside the range of training; passed on, clipped, or the fallback answers"),
    ("unknown_category", "training had no such category; passed on, replaced, or the fallback answers"),
    ("coerced", "a text was read as the input's type"),
    ("unknown_feature", "a column that is no input was left out"),
    ("fallback", "the fallback answered this row"),
)


def tables() -> str:
    """Both tables in Markdown."""
    refusals = [f"| {status} | `{code}` | {meaning} |" for status, code, meaning in REFUSALS]
    warnings = [f"| `{code}` | {meaning} |" for code, meaning in WARNINGS]
    return "\n".join(
        ["| status | code | meaning |", "|---|---|---|", *refusals, "", "| warning | meaning |", "|---|---|", *warnings]
    )


if __name__ == "__main__":
    print(tables())
