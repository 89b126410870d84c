"""An index with a record of what it should hold, for tests that pass it from library to library."""
import os
import numpy as np
import agree
import data
import formats


class Host:
    """`index` (an hnx.Index or originals.PackageIndex), and what it should hold: live labels with vectors, deleted labels."""

    def __init__(self, index, metric, seed=17):
        self.index, self.metric, self.live, self.dead = index, metric, {}, set()
        self.last = {}  # the last vector of every label
        self.rng = np.random.default_rng(seed)
        self.queries = self.vectors(200)

    def vectors(self, n):
        x = self.rng.normal(size=(n, self.index.dim)) * self.rng.uniform(.2, 5, (n, 1))
        return x.astype(np.float32)

    def on(self, index):
        """This record for another index with the same content; changes of one do not show in the other."""
        other = Host(index, self.metric)
        other.live, other.dead, other.last, other.queries = dict(self.live), set(self.dead), dict(self.last), self.queries
        other.rng = np.random.default_rng(len(self.live) + 1)
        return other

    def some(self, n):
        """n live labels."""
        return self.rng.permutation(np.array(sorted(self.live), np.uint64))[:n]

    def put(self, labels, replace=False):
        x = self.vectors(len(labels))
        if len(labels):
            self.index.add(x, labels, **({'replace': True} if replace else {}))
        self.live.update(zip(map(int, labels), x))
        self.last.update(self.live)
        self.dead -= set(map(int, labels))

    def add(self, n, replace=False):
        taken = np.array(sorted(self.live.keys() | self.dead), np.uint64)
        self.put(self.rng.permutation(np.setdiff1d(data.labels(self.rng, n + len(taken)), taken))[:n], replace)

    def update(self, n):
        self.put(self.some(n))

    def delete(self, n):
        labels = self.some(n)
        self.index.delete(*labels)
        self.dead |= set(map(int, labels))
        for label in labels:
            del self.live[int(label)]

    def undelete(self, n):
        for label in sorted(self.dead)[:n]:
            self.index.undelete(label)
            self.live[label] = self.last[label]
            self.dead.discard(label)

    def day(self):
        """Adds, updates and deletions."""
        self.add(300)
        self.update(40)
        self.delete(30)
        self.add(60)

    def check(self, index, what, directions=False):
        """index holds what this one should hold, and finds what this one finds. directions: lengths may have been lost."""
        assert index.count == len(self.live) + len(self.dead), f'{what}: {index.count} records, not {len(self.live) + len(self.dead)}'
        labels = np.array(sorted(self.live), np.uint64)
        if len(labels):
            got, want = index.get(labels), np.array([self.live[int(label)] for label in labels])
            if directions:
                got, want = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (got, want))
            if self.metric == 'cosine':  # the unit vector is rounded, and so is its product with the length
                assert np.allclose(got, want, rtol=1e-6, atol=0), f'{what}: vectors are off by {np.abs(got / want - 1).max()}'
            else:
                assert np.array_equal(got, want), f'{what}: {np.sum((got != want).any(1))} of {len(got)} vectors are others'
        for label in sorted(self.dead)[:3]:
            try:
                index.get([label])
            except RuntimeError as error:
                assert 'NOT_FOUND' in str(error) or 'Label not found' in str(error), error
            else:
                raise AssertionError(f'{what}: get finds the deleted label {label}')
        if len(labels) >= 10:
            found, _ = agree.results(index, self.index, self.queries, what=what, metric=self.metric)
            assert set(found.ravel().tolist()) <= self.live.keys(), f'{what}: found {set(found.ravel().tolist()) - self.live.keys()}'


def content(path):
    """The bytes of a file, or of the four files of a directory."""
    parts = [os.path.join(path, name) for name in formats.FILES] if os.path.isdir(path) else [path]
    result = []
    for part in parts:
        with open(part, 'rb') as f:
            result.append(f.read())
    return result
