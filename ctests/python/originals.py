"""The original packages behind the interface of hnx.Index, each in a process of its own (see original_worker.py)."""
import itertools
import os
import pickle
import subprocess
import sys
import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
FOLDER = os.path.abspath(os.environ.get('HNX_ORIGINALS') or os.path.join(HERE, '..', '..', 'build', 'originals'))


class Failed(RuntimeError):
    """The original threw."""


class Died(RuntimeError):
    """The original's process ended."""


class Package:
    """A process that has one of the originals loaded: Package('hnswlib'), 'hnswlib-sse' or 'chroma'."""

    def __init__(self, name):
        self.name, self.chroma = name, name.startswith('chroma')
        self._numbers = itertools.count()
        self._process = subprocess.Popen([sys.executable, os.path.join(HERE, 'original_worker.py'), os.path.join(FOLDER, name)],
                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=1 << 20)

    def send(self, number, method, *args, **kwargs):
        pickle.dump((number, method, args, kwargs), self._process.stdin, protocol=5)
        self._process.stdin.flush()

    def receive(self):
        try:
            worked, result = pickle.load(self._process.stdout)
        except EOFError:
            raise Died(f'{self.name}: the process ended with code {self._process.wait()}') from None
        if not worked:
            raise Failed(f'{self.name}: {result}')
        return result

    def call(self, number, method, *args, **kwargs):
        try:
            self.send(number, method, *args, **kwargs)
        except BrokenPipeError:
            pass
        return self.receive()

    def close(self):
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def init(self, metric, dim, max_elements=0, m=16, ef_construction=200, seed=100, replace=False, path=None):
        index = PackageIndex(self, metric, dim)
        extra = {'is_persistent_index': True, 'persistence_location': path} if path else {}
        index.call('init_index', max_elements=max_elements, M=m, ef_construction=ef_construction, random_seed=seed,
                   allow_replace_deleted=replace, **extra)
        return index

    def load(self, path, metric, dim, max_elements=0, replace=False):
        index = PackageIndex(self, metric, dim)
        extra = {'is_persistent_index': True} if os.path.isdir(path) else {}
        index.call('load_index', path, max_elements=max_elements, allow_replace_deleted=replace, **extra)
        return index


class PackageIndex:
    def __init__(self, package, metric, dim):
        self.package, self.dim, self.number = package, dim, next(package._numbers)
        self.call('new', space=metric, dim=dim)

    def call(self, method, *args, **kwargs):
        return self.package.call(self.number, method, *args, **kwargs)

    def close(self):
        self.call('drop')

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is not Died:
            self.close()

    def add(self, vectors, labels, replace=False):
        self.call('add_items', np.atleast_2d(vectors), np.atleast_1d(labels), num_threads=1, replace_deleted=replace)

    def query(self, queries, k, ef=0):
        self.set_ef(ef or 10)
        labels, distances = self.call('knn_query', np.atleast_2d(queries), k=k, num_threads=1)
        return labels.astype(np.uint64), distances, np.full(len(labels), k)

    def get(self, labels):
        return np.asarray(self.call('get_items', np.atleast_1d(labels)), np.float32).reshape(-1, self.dim)

    def labels(self):
        """Deleted ones included, in no order."""
        return np.array(self.call('get_ids_list'), np.uint64)

    def delete(self, *labels):
        self.call('mark_deleted', [int(label) for label in labels])

    def undelete(self, *labels):
        self.call('unmark_deleted', [int(label) for label in labels])

    def resize(self, max_elements):
        self.call('resize_index', max_elements)

    def set_ef(self, ef):
        self.call('set_ef', ef)

    def save(self, path):
        self.call('save_index', path)

    def persist(self):
        self.call('persist_dirty')

    @property
    def count(self):
        return self.call('get_current_count')

    @property
    def capacity(self):
        return self.call('get_max_elements')
