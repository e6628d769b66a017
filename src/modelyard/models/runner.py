"""A model made of the project's own code, loaded and asked in a process of its own.

The child (`python -m modelyard.models.runner DIRECTORY`) has the release's code on its path, reads tables and writes
answers as length-prefixed Arrow streams over its standard input and output, and ends with its parent. The parent side,
`Runner`, is a Model; it starts the child on first use and again when it died.
"""

from __future__ import annotations

import json
import os
import select
import struct
import subprocess
import sys
import threading
import time
import weakref
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa

from modelyard.environ import inherited
from modelyard.errors import ModelFormatError, ModelOutputError
from modelyard.models import outputs

_HEAD = struct.Struct(">BQ")
_OK, _OUTPUT_ERROR, _FORMAT_ERROR = 0, 1, 2
START_SECONDS, ANSWER_SECONDS = 60.0, 60.0


class Runner:
    """The parent's side: one child, one question at a time, started again when it died."""

    def __init__(self, directory: Path, signature: dict[str, Any]) -> None:
        self.directory = Path(directory).resolve()
        self.signature = signature
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._close: weakref.finalize[Any, Any] | None = None
        with self._lock:
            self._start()

    def predict(self, table: pa.Table) -> np.ndarray:
        """See `Model.predict`. ModelOutputError when the code raises, hangs, or dies twice."""
        names = [item["name"] for item in self.signature["inputs"]]
        question = _to_bytes(table.select(names))
        with self._lock:
            answer = self._ask(question)
        return outputs.checked(_answer(answer), len(table), self.signature)

    def close(self) -> None:
        """End the child."""
        with self._lock:
            self._stop()

    def _ask(self, question: bytes) -> bytes:
        for attempt in (1, 2):
            try:
                if self._child is None:
                    self._start()
                return self._exchange(question)
            except (BrokenPipeError, EOFError):
                self._stop()
                if attempt == 2:
                    raise ModelOutputError("the model's process died while it was answering") from None
        raise AssertionError("two attempts either answer or raise")

    def _exchange(self, question: bytes) -> bytes:
        assert self._child is not None and self._child.stdin is not None and self._child.stdout is not None
        self._child.stdin.write(_HEAD.pack(_OK, len(question)) + question)
        self._child.stdin.flush()
        return self._receive(ANSWER_SECONDS)

    def _start(self) -> None:
        self._child = subprocess.Popen(
            [sys.executable, "-P", "-m", "modelyard.models.runner", str(self.directory)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=self.directory,
            env=inherited({"PYTHONHASHSEED": "0"}),
        )  # fmt: skip
        self._close = weakref.finalize(self, _end, self._child)
        assert self._child.stdin is not None
        signature = json.dumps(self.signature).encode()
        try:
            self._child.stdin.write(_HEAD.pack(_OK, len(signature)) + signature)
            self._child.stdin.flush()
            self._receive(START_SECONDS)
        except (BrokenPipeError, EOFError) as error:
            self._stop()
            raise ModelFormatError("the model's process ended while it was starting") from error

    def _receive(self, seconds: float) -> bytes:
        assert self._child is not None and self._child.stdout is not None
        deadline = time.monotonic() + seconds
        try:
            status, size = _HEAD.unpack(_read(self._child.stdout, _HEAD.size, deadline))
            payload = _read(self._child.stdout, size, deadline)
        except TimeoutError:
            self._stop()
            raise ModelOutputError(f"the model did not answer within {seconds:g} s") from None
        if status == _OK:
            return payload
        kind = ModelFormatError if status == _FORMAT_ERROR else ModelOutputError
        if status == _FORMAT_ERROR:
            self._stop()
        raise kind(payload.decode())

    def _stop(self) -> None:
        if self._close is not None:
            self._close()
        self._child = self._close = None


def _end(child: subprocess.Popen[bytes]) -> None:
    child.kill()
    child.wait()
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            try:
                pipe.close()
            except BrokenPipeError:
                continue  # what was still unsent has no reader any more


def _read(pipe: IO[bytes], size: int, deadline: float | None = None) -> bytes:
    """Exactly `size` bytes; EOFError when the other side is gone, TimeoutError past the deadline."""
    chunks, left = [], size
    while left:
        if deadline is not None and not select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))[0]:
            raise TimeoutError
        chunk = os.read(pipe.fileno(), min(left, 1 << 20))
        if not chunk:
            raise EOFError
        chunks.append(chunk)
        left -= len(chunk)
    return b"".join(chunks)


def _to_bytes(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def _from_bytes(data: bytes) -> pa.Table:
    with pa.ipc.open_stream(pa.py_buffer(data)) as reader:
        return reader.read_all()


def _answer(data: bytes) -> np.ndarray:
    columns = [values.to_numpy() for values in _from_bytes(data).columns]
    return columns[0] if len(columns) == 1 else np.column_stack(columns)


def _as_table(answer: np.ndarray) -> pa.Table:
    columns = [answer] if answer.ndim == 1 else list(answer.T)
    return pa.table({str(place): np.ascontiguousarray(values) for place, values in enumerate(columns)})


def main(directory: str) -> None:
    """The child: read the signature, load the model, answer until the parent is gone."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what the project's code prints must not get between the answers
    questions = os.fdopen(os.dup(0), "rb")

    def send(status: int, payload: bytes) -> None:
        answers.write(_HEAD.pack(status, len(payload)) + payload)
        answers.flush()

    def receive() -> bytes:
        return _read(questions, _HEAD.unpack(_read(questions, _HEAD.size))[1])

    try:
        model = _load(Path(directory), json.loads(receive()))
        send(_OK, b"")
    except Exception as error:  # told to the parent, which raises it
        send(_FORMAT_ERROR, str(error).encode())
        return
    while True:
        try:
            question = receive()
        except EOFError:
            return
        try:
            send(_OK, _to_bytes(_as_table(model.predict(_from_bytes(question)))))
        except ModelOutputError as error:
            send(_OUTPUT_ERROR, str(error).encode())
        except Exception as error:  # likewise: the project's code may raise anything
            send(_OUTPUT_ERROR, f"{type(error).__name__}: {error}".encode())


def _load(directory: Path, signature: dict[str, Any]) -> outputs.Model:
    from modelyard.models.artefact import load

    sys.path.insert(0, str(directory / "code"))
    return load(directory, signature=signature, compiled=False, inside=True)


if __name__ == "__main__":
    main(sys.argv[1])
