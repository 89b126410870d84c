"""Vectors to measure with, from any of the usual files, and the distance within which an answer is right.

A data set is one of

    FOLDER                           base.*, query.* and perhaps groundtruth.*; or a slice as in examples/data
    FOLDER                           of such folders: all of them
    FILE.hdf5                        as ann-benchmarks has them: train, test, neighbors, attribute distance
    BASE[:QUERIES[:NEIGHBOURS]]      files; without queries the last tenth of the base, 1,000 at most, is held out

Files are .fvecs, .bvecs, .ivecs or .npy. The metric is what --metric says, else what the HDF5 file says, else what the
name ends in (-ip, -cosine), else l2. Exact neighbours are computed where none are given or only some rows are used;
given ones are compared with computed ones on 20 queries.
"""
import os
import sys

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'ctests', 'python'))
from data import exact_neighbours, read_vecs  # noqa: E402

K = 10
PARTS = {'base': ('base', 'sift15k'), 'query': ('query', 'sift15k-query'),
         'neighbours': ('groundtruth', 'neighbours', 'sift15k-groundtruth')}
VECS = ('.fvecs', '.bvecs', '.ivecs')
HDF5 = {'euclidean': 'l2', 'angular': 'cosine', 'cosine': 'cosine', 'dot': 'ip', 'ip': 'ip'}


class Data:
    """base, query: rows of float32; reach: for each query the distance of its tenth exact neighbour."""

    def __init__(self, name, metric, base, query, neighbours):
        self.name, self.metric, self.base, self.query = name, metric, base, query
        if neighbours is not None and neighbours.shape[1] >= K and len(neighbours) == len(query):
            self.reach = reach(base, query, neighbours[:, K - 1], metric)
            some = slice(0, 20)
            wanted = reach(base, query[some], exact_neighbours(base, query[some], K, metric)[:, K - 1], metric)
            if np.allclose(self.reach[some], wanted, rtol=1e-4, atol=1e-6):
                return
            print(f'{name}: the given neighbours are not those of {metric}; computing them')
        self.reach = reach(base, query, exact_neighbours(base, query, K, metric)[:, K - 1], metric)


def read(path):
    return read_vecs(path) if os.path.splitext(path)[1] in VECS else np.load(path, mmap_mode='r')


def find(folder, part):
    names = (os.path.join(folder, name + ending) for name in PARTS[part] for ending in (*VECS, '.npy'))
    return next((name for name in names if os.path.exists(name)), None)


def expand(path):
    """The data sets that a folder of folders holds."""
    if not os.path.isdir(path) or find(path, 'base'):
        return [path]
    inside = [os.path.join(path, name) for name in sorted(os.listdir(path))]
    found = [name for name in inside if os.path.isdir(name) and find(name, 'base') or name.endswith('.hdf5')]
    return found or [path]


def load(path, rows=None, metric=None):
    name, neighbours = os.path.basename(os.path.normpath(path.split(':')[0])), None
    if path.endswith(('.hdf5', '.h5')):
        import h5py
        with h5py.File(path) as file:
            metric = metric or HDF5[file.attrs.get('distance', 'euclidean')]
            base, query = file['train'][:rows], file['test'][:]
            neighbours = file['neighbors'][:] if 'neighbors' in file and len(base) == len(file['train']) else None
    else:
        files = path.split(':')
        if os.path.isdir(path):
            files = [find(path, part) for part in PARTS]
            if not files[0]:
                raise SystemExit(f'{path}: holds no base vectors (' + ', '.join(PARTS['base']) + ')')
        base, query, given = map(lambda name: read(name) if name else None, (*files, None, None)[:3])
        neighbours = given if rows is None or rows >= len(base) else None
        if query is None:
            held_out = min(1000, len(base) // 10)
            base, query = base[:-held_out], base[-held_out:]
            neighbours = None
        base = base[:rows]
    name = os.path.splitext(name)[0] if not os.path.isdir(path) else name
    name = 'sift15k' if os.path.isdir(path) and name == 'data' else name
    metric = metric or next((m for m in ('ip', 'cosine') if name.endswith('-' + m)), 'l2')
    return Data(name, metric, *(np.ascontiguousarray(v, np.float32) for v in (base, query)), neighbours)


def unit(x):
    return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-30)


def reach(base, query, rows, metric):
    """Distances of one row to each query."""
    x, q = base[rows].astype(np.float64), query.astype(np.float64)
    if metric == 'cosine':
        x, q = unit(x), unit(q)
    return ((x - q)**2).sum(1) if metric == 'l2' else 1 - (x * q).sum(1)


class Recall:
    """Answers no farther than the tenth of the exact neighbours count as found, so that ties do not decide."""

    def __init__(self, base, query, reach_of, metric):
        self.base, self.reach, self.metric, self.query = base, reach_of, metric, query

    def of(self, found):
        hits = 0
        for row, query, far in zip(found, self.query, self.reach):
            row = np.unique(row[(row >= 0) & (row < len(self.base))])
            distances = reach(self.base, np.broadcast_to(query, (len(row), len(query))), row, self.metric)
            hits += min(K, int((distances <= far + 1e-6 * max(abs(far), 1e-3)).sum()))
        return hits / (len(self.query) * K)
