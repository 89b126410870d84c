"""The builds to compare, each in a process of its own, and what the tests say to them.

A test script defines *steps*, functions step(h, ...) that use one build's module h and return what they saw, and cases,
which let builds take steps: both('hnswlib', step, ...) is what the original and the build with libhnx return.
"""
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
REPO = os.path.dirname(os.path.dirname(HERE))
sys.path.append(os.path.join(REPO, 'ctests', 'python'))  # harness, data, formats, histories, originals
ORIGINALS = os.path.abspath(os.environ.get('HNX_ORIGINALS') or os.path.join(REPO, 'build', 'originals'))
HOSTS = os.path.abspath(os.environ.get('HNX_HOSTS') or os.path.join(REPO, 'build', 'hosts'))
MODULES = ('hnswlib', 'chroma')
METRICS = ('l2', 'ip', 'cosine')
SECONDS = 120  # a step that takes longer has hung


class Died(RuntimeError):
    """The process of a build ended in the middle of a step."""


class Failed(RuntimeError):
    """A step threw."""


class Build:
    """A process with one build of a module; started when first needed, and anew after it died."""

    def __init__(self, name, folder):
        self.name, self.folder, self.process = name, folder, None

    def start(self):
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen([sys.executable, os.path.join(HERE, 'worker.py'), self.folder, sys.argv[0]],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, bufsize=1 << 20)

    def send(self, step, *args, **kwargs):
        if not self.process:
            self.start()
        try:
            pickle.dump((step.__name__, args, kwargs), self.process.stdin, protocol=5)
            self.process.stdin.flush()
        except BrokenPipeError:
            pass

    def receive(self):
        hung = []
        watch = threading.Timer(SECONDS, lambda: (hung.append(True), self.process.kill()))
        watch.start()
        try:
            text = self.process.stdout.read(int.from_bytes(self.process.stdout.read(8), 'little'))
        finally:
            watch.cancel()
        if not text:
            code = self.process.wait()
            self.errors.seek(0)
            said = self.errors.read().decode(errors='replace').strip().splitlines()[-3:]
            self.process = None
            how = f'hung for {SECONDS} s' if hung else f'ended by {signal.Signals(-code).name}' if code < 0 else f'ended with {code}'
            raise Died(' | '.join([f'{self.name} {how}'] + said))
        worked, result = pickle.loads(text)
        if not worked:
            raise Failed(f'{self.name}: {result}')
        return result

    def take(self, step, *args, **kwargs):
        """The result of one step."""
        self.send(step, *args, **kwargs)
        return self.receive()


originals = {name: Build(f'original {name}', os.path.join(ORIGINALS, name)) for name in MODULES}
ours = {name: Build(f'{name} with libhnx', os.path.join(HOSTS, name)) for name in MODULES}


def both(name, step, *args, **kwargs):
    """The same step in the original and in the build with libhnx, at the same time; the two results."""
    builds = originals[name], ours[name]
    for build in builds:
        build.send(step, *args, **kwargs)
    results, error = [], None
    for build in builds:
        try:
            results.append(build.receive())
        except (Died, Failed) as e:  # the other's reply must be read all the same
            error = error or e
    if error:
        raise error
    return results


def attempt(function, *args, **kwargs):
    """What a step saw of a call: its result, or the type and text of its exception."""
    try:
        return function(*args, **kwargs)
    except Exception as error:
        return f'{type(error).__name__}: {error}'


def is_chroma(h):
    return not hasattr(h.Index, 'index_file_size')


def items(index, labels):
    """get_items as float32 rows; Chroma's returns lists."""
    return np.asarray(index.get_items(labels), np.float32).reshape(len(labels), index.dim)


def same(a, b, what='', rtol=0., atol=0.):
    """Two observations (containers, numbers, texts, arrays) are equal, floats up to the tolerances. NaN equals NaN."""
    if isinstance(a, dict) and isinstance(b, dict):
        assert list(a) == list(b), f'{what}: {list(a)} != {list(b)}'
        for key in a:
            same(a[key], b[key], f'{what}.{key}', rtol, atol)
    elif isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        assert len(a) == len(b), f'{what}: {len(a)} != {len(b)} entries'
        for i, (x, y) in enumerate(zip(a, b)):
            same(x, y, f'{what}[{i}]', rtol, atol)
    elif isinstance(a, (np.ndarray, float, np.floating)) and isinstance(b, (np.ndarray, float, np.floating)):
        a, b = np.asarray(a), np.asarray(b)
        assert a.shape == b.shape and a.dtype == b.dtype, f'{what}: {a.dtype}{a.shape} != {b.dtype}{b.shape}'
        equal = np.isclose(a, b, rtol, atol, equal_nan=True) if a.dtype.kind == 'f' else a == b
        if not equal.all():
            at = tuple(np.argwhere(~equal)[0])
            raise AssertionError(f'{what}: {np.sum(~equal)} of {a.size} differ, first {at}: {a[at]!r} != {b[at]!r}')
    else:
        assert type(a) == type(b) and a == b, f'{what}: {a!r} != {b!r}'


def same_neighbours(a, b, what='', rows=0, rtol=1e-5, atol=2e-6):
    """Two (labels, distances) of queries on data without ties: same distances up to rounding, same labels except where
    distances are that close. In `rows` rows the search may have gone another way and found another set."""
    (i, d), (j, e) = a, b
    assert i.shape == j.shape and d.shape == e.shape, f'{what}: {i.shape} != {j.shape}'
    room = rtol * np.maximum(np.abs(d), np.abs(e)) + atol
    bad = np.flatnonzero((np.abs(d - e) > room).any(1))
    assert len(bad) <= rows, f'{what}: {len(bad)} of {len(d)} rows have other distances, first row {bad[0]}: {d[bad[0]]} != {e[bad[0]]}'
    for row in np.setdiff1d(np.flatnonzero((i != j).any(1)), bad):
        for at in np.flatnonzero(i[row] != j[row]):
            near = np.abs(d[row] - d[row, at]) <= 2 * room[row, at]
            assert i[row, at] in j[row][near] or near[-1], f'{what}: row {row}: {i[row]} != {j[row]}, distances {d[row]}'


def vectors(seed, n, dim):
    """Plain floats of many lengths; no two distances tie."""
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(n, dim)) * rng.uniform(.3, 3, (n, 1))).astype(np.float32)


def recall(found, exact):
    return np.mean([len(np.intersect1d(f, e)) / len(e) for f, e in zip(found, exact)])
