"""What watching costs: a million rows, 30 days of hours, ten thousand columns, a thousand deployments.

`.venv/bin/python bench/monitoring/cost.py [--rows N] [--curve FILE.svg] [--peers]`. Each measured job is a process of its
own, so that CPU and memory are those of the whole of it, imports too. The bare read is Arrow's, of all columns.
`--peers` measures the peers on the same two files: minutes. Exits with 1 when a goal is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
ROUNDS = 3
COLUMNS = (100, 300, 1_000, 3_000, 10_000)
DEPLOYMENTS = (10, 30, 100, 300, 1_000)


def bare(folder: Path) -> None:
    """Read all columns, do nothing."""
    import pyarrow.parquet as pq

    pq.read_table(folder / "window.parquet")


def checked(folder: Path) -> None:
    """Every univariate check, and those of whole rows, against a stored reference."""
    import pyarrow.parquet as pq

    from modelyard.stats.drift import compare, worst
    from modelyard.stats.profile import Profile

    reference = Profile.from_json(json.loads((folder / "reference.json").read_text()))
    batches = pq.ParquetFile(folder / "window.parquet").iter_batches(batch_size=1 << 17)
    print(worst(compare(reference, Profile.of_batches(batches, reference))))


def used(job: str, folder: Path) -> tuple[float, float]:
    """CPU seconds and peak MB of a process that does one job."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, __file__, "--job", job, "--folder", folder], check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return cpu, float((folder / "peak").read_text())


def peak() -> float:
    """This process's peak memory in MB; `getrusage` would give that of the parent, where it is more."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def million(rows: int, peers: bool) -> bool:
    """Every univariate check of `rows` x 20 against a stored reference, beside a bare read."""
    import numpy as np
    import pyarrow.parquet as pq
    import windows

    from modelyard.stats import Profile

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rng = np.random.default_rng(1)
        known = windows.draw(rng, 100_000)
        pq.write_table(known, folder / "reference.parquet")
        pq.write_table(windows.draw(rng, rows, shift=0.01), folder / "window.parquet")
        (folder / "reference.json").write_text(json.dumps(Profile.of(known).to_json()))
        runs = [(used("bare", folder), used("checked", folder)) for _ in range(ROUNDS)]
        read, ours = ([statistics.median(run[i][j] for run in runs) for j in range(2)] for i in range(2))
        ratio = statistics.median(check[0] / plain[0] for plain, check in runs)
        print(f"bare read of {rows:,} x 20: {read[0]:.2f} s of CPU, {read[1]:.0f} MB")
        print(
            f"every check, from a stored reference of {(folder / 'reference.json').stat().st_size / 1000:.0f} kB: ",
            end="",
        )
        print(f"{ours[0]:.2f} s of CPU ({ratio:.1f} x, goal 3), {ours[1]:.0f} MB (goal 500)", flush=True)
        if peers:
            _peers(folder, read[0])
        return ratio <= 3 and ours[1] <= 500


def _peers(folder: Path, read: float) -> None:
    import install
    import tools

    for name in tools.DRIFT:
        if install.installed(name):
            script = Path(__file__).parent / "peers" / f"{name.replace('-', '_')}_.py"
            before = tools.children_cpu()
            files = [folder / "reference.parquet", folder / "window.parquet"]
            subprocess.run([install.python(name), "-W", "ignore", script, *files], capture_output=True, check=False)
            cpu = tools.children_cpu() - before
            print(f"{name}: {cpu:.1f} s of CPU ({cpu / read:.0f} x)", flush=True)


def month() -> bool:
    """A window of 30 days, merged from stored hourly profiles of 20 columns and compared."""
    import numpy as np
    import windows

    from modelyard.stats import Groups, Profile, compare

    rng = np.random.default_rng(2)
    reference = Profile.of(windows.draw(rng, 50_000))
    hours = 30 * 24
    profiles = Profile.of_groups(windows.draw(rng, 72_000), Groups(hours, rng.integers(0, hours, 72_000)), reference)
    took = []
    for _ in range(5):
        start = time.process_time()
        compare(reference, Profile.merge(profiles))
        took.append(time.process_time() - start)
    print(
        f"30 days from {hours} hourly profiles: {1000 * statistics.median(took):.0f} ms of CPU (goal 200)", flush=True
    )
    return statistics.median(took) <= 0.2


def columns() -> list[tuple[float, float]]:
    """Seconds to profile and compare a window of 1,000 rows by so many columns."""
    import numpy as np
    import pyarrow as pa

    from modelyard.stats import Profile, compare

    points = []
    for size in COLUMNS:
        values = np.random.default_rng(3).normal(size=(size, 2_000))
        names = [f"c{i}" for i in range(size)]
        reference = Profile.of(pa.table(list(values[:, :1_000]), names))
        window = pa.table(list(values[:, 1_000:]), names)
        start = time.process_time()
        compare(reference, Profile.of(window, reference))
        points.append((float(size), time.process_time() - start))
    return points


def deployments() -> list[tuple[float, float]]:
    """Seconds to judge a day of so many deployments from stored hourly profiles of 10 columns each."""
    import numpy as np
    import windows

    from modelyard.stats import Groups, Profile, compare

    rng = np.random.default_rng(4)
    reference = Profile.of(windows.draw(rng, 20_000).select(range(10)))
    day = windows.draw(rng, 2_400).select(range(10))
    profiles = Profile.of_groups(day, Groups(24, np.repeat(np.arange(24), 100)), reference)
    stored = [profile.to_json(layouts=False) for profile in profiles]
    points = []
    for size in DEPLOYMENTS:
        start = time.process_time()
        for _ in range(size):
            compare(reference, Profile.merge([Profile.from_json(each, reference) for each in stored]))
        points.append((float(size), time.process_time() - start))
    return points


def linear(name: str, points: list[tuple[float, float]]) -> bool:
    """Print a curve, and say whether its cost per item does not grow."""
    print(f"{name}: " + ", ".join(f"{size:,.0f}: {seconds:.2f} s" for size, seconds in points), flush=True)
    per_item = [seconds / size for size, seconds in points[1:]]
    slope = per_item[-1] / per_item[0]
    print(f"{name}: an item of the last costs {slope:.2f} x one of the second (goal: at most 1.5)", flush=True)
    return slope <= 1.5


def curve(path: Path, lines: dict[str, list[tuple[float, float]]]) -> None:
    """Both curves in one picture, on logarithmic axes: a straight line at 45 degrees is linear."""
    import math

    def place(size: float, seconds: float) -> str:
        return f"{60 + 100 * (math.log10(size) - 1):.1f} {280 - 60 * (math.log10(max(seconds, 1e-3)) + 2):.1f}"

    parts = [
        f'<text x="{60 + 100 * (power - 1)}" y="300" text-anchor="middle">{10**power:,}</text>' for power in range(1, 5)
    ]
    parts += [
        f'<text x="50" y="{284 - 60 * (power + 2)}" text-anchor="end">{10.0**power:g} s</text>'
        for power in range(-2, 3)
    ]
    for (name, points), colour in zip(lines.items(), ("#0072b2", "#d55e00"), strict=True):
        path_of = "M" + "L".join(place(*point) for point in points)
        x, y = place(*points[-1]).split()
        parts.append(f'<path d="{path_of}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.append(f'<text x="{float(x) + 6}" y="{y}" fill="{colour}">{name}</text>')
    path.write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 480 310" width="480" font-family="sans-serif" font-size="12">'
        f'<rect width="480" height="310" fill="#fff"/>{"".join(parts)}</svg>\n'
    )


def main() -> None:
    """All of it, or one job for `used`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--curve", type=Path)
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--job", choices=("bare", "checked"), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    said = parser.parse_args()
    if said.job:
        (bare if said.job == "bare" else checked)(said.folder)
        (said.folder / "peak").write_text(str(peak()))
        return
    lines = {"columns": columns(), "deployments": deployments()}
    good = [linear(name, points) for name, points in lines.items()]
    if said.curve:
        curve(said.curve, lines)
    good += [month(), million(said.rows, said.peers)]
    sys.exit(not all(good))


if __name__ == "__main__":
    main()
