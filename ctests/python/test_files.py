"""Files go both ways between libhnx, hnswlib 0.8.0 and chroma-hnswlib 0.7.1, each original a process of its own."""
import os
import shutil
import sys
import tempfile
import numpy as np
import agree
import data
import formats
import hnx
import test_persist
from harness import case, run
from originals import Package

hnswlib, chroma = Package('hnswlib'), Package('chroma')
DIM, M, EFC = 24, 8, 80
METRICS = ('l2', 'ip', 'cosine')
KINDS = {'file': (hnswlib, hnx.FORMAT_HNSWLIB), 'chroma_file': (chroma, hnx.FORMAT_CHROMA),
         'directory': (chroma, hnx.FORMAT_CHROMA_DIRECTORY)}


class Host:
    """An index made by libhnx or an original, and what it should hold: label -> vector; deleted ones have none."""

    def __init__(self, engine, metric, capacity=1000, replace=False, path=None, m=M):
        self.index = engine.init(metric, DIM, capacity, m, EFC, 3, replace, path)
        self.metric, self.replace, self.live, self.dead, self.replaced = metric, replace, {}, set(), 0
        self.rng = np.random.default_rng(17)
        self.queries = self.rng.normal(size=(200, DIM)).astype(np.float32)

    def vectors(self, n):
        return self.rng.normal(size=(n, DIM)).astype(np.float32) * self.rng.uniform(.2, 5, (n, 1)).astype(np.float32)

    def add(self, n, index=None):
        taken = np.array(sorted(self.live.keys() | self.dead), np.uint64)
        self.put(np.setdiff1d(data.labels(self.rng, n + len(taken)), taken)[:n], index)

    def put(self, labels, index=None):
        x = self.vectors(len(labels))
        (index or self.index).add(x, labels)
        self.live.update(zip(map(int, labels), x))
        self.dead -= set(map(int, labels))

    def update(self, n, index=None):
        self.put(self.some(n), index)

    def delete(self, n, index=None):
        labels = self.some(n)
        (index or self.index).delete(*labels)
        self.dead |= set(map(int, labels))
        for label in labels:
            del self.live[int(label)]

    def some(self, n):
        return self.rng.permutation(np.array(sorted(self.live), np.uint64))[:n]

    def day(self):
        """Adds, updates and deletions."""
        self.add(300)
        self.update(40)
        self.delete(30)
        self.add(60)
        return self

    def check(self, index, what, units=False):
        """index holds what this one should hold, and finds the same."""
        assert index.count == len(self.live) + len(self.dead), f'{what}: {index.count} records'
        labels = np.array(sorted(self.live), np.uint64)
        if len(labels):
            x = np.array([self.live[int(l)] for l in labels])
            got = index.get(labels)
            want = x / np.linalg.norm(x, axis=1, keepdims=True) if units else x
            if self.metric == 'cosine':  # unit vectors are rounded, and so is their product with the length
                assert np.allclose(got, want, rtol=1e-6, atol=0), f'{what}: vectors are off by {np.abs(got / want - 1).max()}'
            else:
                assert np.array_equal(got, want), f'{what}: other vectors'
        for label in list(self.dead)[:3]:
            try:
                index.get([label])
            except RuntimeError as error:
                assert 'NOT_FOUND' in str(error) or 'Label not found' in str(error), error
            else:
                raise AssertionError(f'{what}: deleted label {label} is still there')
        if len(labels) >= 10:
            found, _ = agree.results(index, self.index, self.queries, what=what, metric=self.metric)
            assert not (set(found.ravel().tolist()) & self.dead), f'{what}: a deleted label was found'


def write(host, kind, path):
    KINDS[kind][0], host.index.save(path, KINDS[kind][1])


def theirs(kind, metric, path, **options):
    return KINDS[kind][0].load(path, metric, DIM, **options)


@case('file')
@case('chroma_file')
@case('directory')
def they_open_ours(kind):
    """What hnx_save writes, and after they added to it we open it again."""
    for metric in METRICS:
        with tempfile.TemporaryDirectory() as folder:
            host, path = Host(hnx.Index, metric).day(), f'{folder}/x'
            write(host, kind, path)
            for capacity in (0, 5000):
                copy = f'{folder}/{capacity}'
                (shutil.copytree if kind == 'directory' else shutil.copy)(path, copy)
                what = f'{metric} capacity {capacity}'
                with theirs(kind, metric, copy, max_elements=capacity) as index:
                    assert index.capacity == (capacity or 1000), f'{what}: {index.capacity}'
                    assert set(index.labels().tolist()) == host.live.keys() | host.dead
                    host.check(index, f'{what}, they open ours', units=kind == 'file' and metric == 'cosine')
            with theirs(kind, metric, copy, max_elements=5000) as index:  # they go on with it, and so do we
                state = host.live.copy(), host.dead.copy()
                for step in (lambda: host.add(50, index), lambda: host.update(10, index), lambda: host.delete(5, index)):
                    step()
                index.persist() if kind == 'directory' else index.save(copy)
                ours = host.index
                host.index = index
                if kind == 'directory':  # 0.7.1 forgets the neighbours that an update rewrote, so results are compared with what it wrote
                    host.index = theirs(kind, metric, copy)
                with hnx.Index.load(copy, metric, DIM) as again:
                    host.check(again, f'{metric}: we open what they made of ours', units=kind == 'file' and metric == 'cosine')
                if host.index is not index:
                    host.index.close()
                host.index, (host.live, host.dead) = ours, state
            ours.close()


def originals(kind, metric, folder):
    """Indexes that the originals write, in many states: name, path, host (closed last)."""
    engine, directory = KINDS[kind][0], kind == 'directory'

    def make(name, capacity=1000, act=lambda host: host.day(), m=M):
        path = f'{folder}/{name}'
        if directory:
            os.mkdir(path)
        host = Host(engine, metric, capacity, path=path if directory else None, m=m)
        act(host)
        host.index.persist() if directory else host.index.save(path)
        if directory:  # what 0.7.1 wrote, not what it has in memory: it forgets updated neighbours
            host.index.close()
            copy = shutil.copytree(path, f'{path}-opened')
            host.index = engine.load(copy, metric, DIM)
        return name, path, host

    def grown(host):
        host.add(190)
        host.index.resize(700)
        host.add(300)

    def full(host):
        host.add(200)

    def stages(host):
        for _ in range(3):
            host.add(60)
            host.delete(7)
            host.index.persist() if directory else None

    yield make('day')
    yield make('resized', 200, grown)
    yield make('full', 200, full)
    yield make('in stages', 5000, stages)
    yield make('m2', act=lambda host: host.day(), m=2)
    yield make('two', act=lambda host: host.add(2))
    yield make('empty', act=lambda host: None)
    if not directory:
        yield make('one', act=lambda host: host.add(1))
        yield make('all deleted', act=lambda host: (host.add(20), host.delete(20)))


@case('file')
@case('chroma_file')
@case('directory')
def we_open_theirs(kind):
    """Mapped or read, at every check level, with and without a capacity; then we add, update, delete and write, and they open that."""
    opened = 0
    for metric in METRICS:
        with tempfile.TemporaryDirectory() as folder:
            for name, path, host in originals(kind, metric, folder):
                units = kind == 'file' and metric == 'cosine'
                for mmap in (False, True):
                    for check in (hnx.CHECK_DEFAULT, hnx.CHECK_FAST, hnx.CHECK_DEEP):
                        for read_only in (False, True):
                            what = f'{metric} {name} mmap {mmap} check {check} read only {read_only}'
                            try:
                                with hnx.Index.load(path, metric, DIM, mmap=mmap, check=check, read_only=read_only) as index:
                                    assert index.deleted == len(host.dead), f'{what}: {index.deleted} deleted'
                                    assert index.capacity >= index.count
                                    host.check(index, what, units)
                                    opened += 1
                                    if read_only:
                                        refuses(index, what)
                                    elif check != hnx.CHECK_FAST:
                                        go_on(kind, metric, index, host, path, f'{folder}/next', what, units)
                            except hnx.Error as error:
                                raise AssertionError(f'{what}: {error}') from error
                host.index.close()
    return f'{opened} opened'


def refuses(index, what):
    for change in (lambda: index.add(np.zeros(DIM), 5), lambda: index.delete(5), lambda: index.resize(10**6)):
        try:
            change()
        except hnx.Error as error:
            assert error.name == 'HNX_ERR_READ_ONLY', f'{what}: {error}'
        else:
            raise AssertionError(f'{what}: a read-only index was changed')


def go_on(kind, metric, index, host, path, next_path, what, units):
    """index, opened from path, is changed and written; the original opens it and finds what index finds. path stays as it was."""
    before = fingerprint(path)
    state, memory = (host.live.copy(), host.dead.copy()), host.index
    room = index.capacity
    index.resize(max(room, index.count + 100))
    host.index = index
    host.add(40, index)
    host.update(min(9, len(host.live)), index)
    host.delete(4, index)
    write(host, kind, next_path)
    with theirs(kind, metric, next_path) as again:
        host.check(again, f'{what}: they open what we made of theirs', units and False)
    with hnx.Index.load(next_path, metric, DIM) as again:
        host.check(again, f'{what}: we open what we made of theirs', units and False)
    shutil.rmtree(next_path) if kind == 'directory' else os.remove(next_path)
    assert fingerprint(path) == before, f'{what}: the file that was opened has changed'
    host.index, (host.live, host.dead) = memory, state


def fingerprint(path):
    """Content of a file, or of the four files of a directory."""
    parts = [os.path.join(path, name) for name in formats.FILES] if os.path.isdir(path) else [path]
    return [open(part, 'rb').read() for part in parts]
