"""Vectors to test with: real ones, and ones on which floating point makes no choice.

*Exact* data: every vector is a multiple of a power of two and so short that all products and partial sums of a distance
are integers below 2^24 of one unit. Then each sum is exact in f32 whatever its order and with or without FMA, and all
builds of all libraries compute the same distances: SSE, AVX and AVX-512 builds of hnswlib, every HNX_CPU of libhnx. What
remains to differ is the algorithm. Small integers also tie all the time, so the order among equals is tested too.
"""
import functools
import glob
import math
import os
import numpy as np
from hnx import REPO
from harness import Skip

FOLDER = os.environ.get('HNX_DATA') or os.path.join(REPO, '..', 'shared', 'data')
EXAMPLES = os.path.join(REPO, 'examples', 'data')


def read_vecs(path, rows=None):
    """.fvecs, .bvecs or .ivecs: per row an int32 dim, then the values."""
    kind = {'f': np.float32, 'b': np.uint8, 'i': np.int32}[os.path.splitext(path)[1][1]]
    dim = int(np.fromfile(path, np.int32, 1)[0])
    stride = 4 + dim * np.dtype(kind).itemsize
    raw = np.fromfile(path, np.uint8, -1 if rows is None else rows * stride).reshape(-1, stride)
    assert (raw[:, :4].copy().view(np.int32) == dim).all(), path
    values = np.ascontiguousarray(raw[:, 4:]).view(kind)
    return values if kind == np.int32 else values.astype(np.float32)


@functools.lru_cache(maxsize=None)
def real(name, rows):
    """The first rows of a real set ('sift', 'glove', 'minilm') and its queries, or Skip."""
    folder, kind = {'sift': ('sift-128-l2', 'bvecs'), 'glove': ('glove-100-cosine', 'fvecs'),
                    'minilm': ('minilm-384-cosine', 'fvecs')}[name]
    if os.path.isdir(os.path.join(FOLDER, folder)):
        base, query = (os.path.join(FOLDER, folder, f'{part}.{kind}') for part in ('base', 'query'))
        return read_vecs(base, rows), read_vecs(query)
    files = sorted(glob.glob(os.path.join(EXAMPLES, '**', '*.bvecs'), recursive=True), key=os.path.getsize)
    if name == 'sift' and files:  # the slice that the repository carries; its queries may be a file of their own
        base = read_vecs(files[-1])
        query = read_vecs(files[0]) if len(files) > 1 else base[-500:]
        base = base if len(files) > 1 else base[:-500]
        return base[:rows], query
    raise Skip(f'{folder} is not in {os.path.normpath(FOLDER)}')


def assert_exact(x, metric):
    """x is exact data in the sense above."""
    x = np.asarray(x, np.float64)
    unit = next(2.0**-s for s in range(25) if (x * 2.0**s == np.round(x * 2.0**s)).all())
    longest = math.sqrt((x * x).sum(1).max()) / unit
    if metric == 'l2':
        assert (2 * longest)**2 < 2**24, f'L2 sums reach {(2 * longest)**2:.0f} units'
    else:
        assert longest**2 + unit**-2 < 2**24, f'dot products reach {longest**2:.0f} units'


def grid(x, steps, metric):
    """x rounded to multiples of 1/steps."""
    x = (np.round(x.astype(np.float64) * steps) / steps).astype(np.float32)
    assert_exact(x, metric)
    return x


def integers(rng, n, dim, metric):
    """Random integers, few distinct values and so many ties; some rows are repeated."""
    high = max(1, min(8, int(math.sqrt(2**24 / 4 / dim)) - 1))
    x = rng.integers(-high, high + 1, (n, dim)).astype(np.float32)
    repeated = rng.integers(0, n, n // 20)
    x[repeated] = x[rng.integers(0, n, len(repeated))]
    assert_exact(x, metric)
    return x


@functools.lru_cache(maxsize=None)
def _two_squares(limit):
    table = {}
    for a in range(math.isqrt(limit) + 1):
        for b in range(a, math.isqrt(limit - a * a) + 1):
            table[a * a + b * b] = (a, b)
    return table


def _four_squares(rng, r):
    """Integers a, b, c, d with a^2 + b^2 + c^2 + d^2 = r, not always the same ones."""
    top, table = math.isqrt(r), _two_squares(1 << 15)
    a = int(rng.integers(0, top + 1)) if r < 1 << 14 else top - int(rng.integers(0, 3))
    for a in list(range(a, -1, -1)) + list(range(top, a, -1)):
        rest = r - a * a
        for b in range(math.isqrt(rest), -1, -1):
            if rest - b * b >= 1 << 15:
                break
            if rest - b * b in table:
                return rng.permutation([a, b, *table[rest - b * b]])
    raise AssertionError(r)  # Lagrange: does not happen


def exact_lengths(rng, x, root):
    """Integer vectors near x (rows scaled to length root, a power of two) whose length is exactly root.

    Normalising such a vector is exact: the sum of squares is an integer below 2^24, its root a power of two, and so is
    the reciprocal. Cosine distances of the results are therefore exact too. Rows get random powers of two as factors.
    """
    assert root & (root - 1) == 0 and root * root * 2 <= 2**24
    x = x.astype(np.float64)
    x = np.round(x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-9) * root * 0.98).astype(np.int64)
    n, dim = x.shape
    for row in x:
        free = rng.choice(dim, 4, replace=False)
        row[free] = 0
        while (rest := root * root - int((row * row).sum())) < 0:
            row[np.abs(row).argmax()] //= 2
        row[free] = _four_squares(rng, rest) * rng.choice([-1, 1], 4)
    assert ((x * x).sum(1) == root * root).all()
    y = x.astype(np.float32)
    assert_exact(y / root, 'ip')
    return y * np.float32(2.0)**rng.integers(-3, 4, (n, 1)).astype(np.float32)


def exact(rng, n, dim, metric):
    """Exact data of any kind for a metric."""
    if metric == 'cosine':
        return exact_lengths(rng, rng.normal(size=(n, dim)), 16 if dim <= 16 else 64)
    return integers(rng, n, dim, metric)


def exact_real(rng, name, rows, metric):
    """A real set, brought onto exact data."""
    x = real(name, rows)[0]
    if metric == 'cosine':
        return exact_lengths(rng, x, 1024)
    return x if name == 'sift' else grid(x, 64 if name == 'glove' else 1024, metric)


def labels(rng, n):
    """n distinct labels over the whole range of u64, small ones among them."""
    some = np.unique(np.concatenate([rng.integers(0, 2**64 - 2, n, dtype=np.uint64), np.arange(n // 2, dtype=np.uint64)]))
    return rng.permutation(some)[:n]


def exact_neighbours(base, queries, k, metric, rows_at_once=20000):
    """Row numbers of the k nearest, by float64."""
    def prepared(x):
        x = x.astype(np.float64)
        return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-30) if metric == 'cosine' else x
    q = prepared(queries)
    nearest, distances = np.empty((len(q), 0), np.int64), np.empty((len(q), 0))
    for first in range(0, len(base), rows_at_once):
        b = prepared(base[first:first + rows_at_once])
        d = -2 * q @ b.T + (b * b).sum(1) if metric == 'l2' else -(q @ b.T)
        best = np.argpartition(d, min(k, len(b)) - 1, axis=1)[:, :k]
        nearest = np.hstack([nearest, best + first])
        distances = np.hstack([distances, np.take_along_axis(d, best, 1)])
        order = np.argsort(distances, axis=1, kind='stable')[:, :k]
        nearest, distances = np.take_along_axis(nearest, order, 1), np.take_along_axis(distances, order, 1)
    return nearest
