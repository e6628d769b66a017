"""River's drift detectors at their defaults on streams of losses (0 or 1).

python river_.py STREAMS.npy        # (n, rows); prints {"DDM": [first alarm of each stream or null], ...} as JSON
"""

import json
import sys

import numpy as np
from river import drift

DETECTORS = {
    "ADWIN": drift.ADWIN,
    "PageHinkley": drift.PageHinkley,
    "DDM": drift.binary.DDM,
    "EDDM": drift.binary.EDDM,
    "HDDM_A": drift.binary.HDDMA,
    "HDDM_W": drift.binary.HDDMW,
}


def alarms(detector, stream):
    """The rows at which a detector alarms."""
    found = []
    for row, value in enumerate(stream):
        detector.update(value)
        if detector.drift_detected:
            found.append(row + 1)
    return found


streams = np.load(sys.argv[1]).astype(int).tolist()
print(json.dumps({name: [alarms(make(), stream) for stream in streams] for name, make in DETECTORS.items()}))
