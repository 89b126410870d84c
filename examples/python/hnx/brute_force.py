"""BFIndex: exact search, with the methods of hnswlib's Python module 0.8.0."""
import os
import struct
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from . import abi
from .handle import check, lib
from .index import FEW, _address, _labels, _threads, _unsigned, _vectors

DISTANCES = {'l2': abi.HNX_DISTANCE_L2, 'ip': abi.HNX_DISTANCE_IP, 'cosine': abi.HNX_DISTANCE_IP}
HEADER = struct.Struct('<QQQ')


class BFIndex:
    """All vectors, each measured by every query. space: 'l2', 'ip' or 'cosine'.

    Methods, arguments, defaults and files are those of hnswlib 0.8.0; all methods may be called from any thread, one works at
    a time. What differs: with 'cosine' queries are normalised, too; a call that adds more than fits adds nothing; vectors
    that are not finite are refused; a filter may also be a list of labels, and finds all that there are.
    """

    def __init__(self, space, dim):
        if space not in DISTANCES:
            raise RuntimeError('Space name must be one of l2, ip, or cosine.')
        self._space, self._dim = space, _unsigned(dim, 'dim', 2**31)
        self._row = np.dtype([('vector', np.float32, (self._dim,)), ('label', '<u8')])
        self.num_threads = os.cpu_count() or 1
        self._rows, self._lock = None, threading.RLock()

    def _open(self):
        if self._rows is None:
            raise RuntimeError('The index is not initiated: init_index() or load_index()')
        return self._rows

    def init_index(self, max_elements):
        """Makes an empty index."""
        with self._lock:
            if self._rows is not None:
                raise RuntimeError('The index is already initiated.')
            self._start(np.zeros(_unsigned(max_elements, 'max_elements'), self._row), 0)

    def _start(self, rows, count):
        self._rows, self._count, self._next = rows, count, count
        self._places = {label: place for place, label in enumerate(rows['label'][:count].tolist())}

    def _floats(self, data):
        data = _vectors(data, self._dim)
        finite = np.isfinite(data).all(axis=1)
        if not finite.all():
            raise RuntimeError(f'row {finite.argmin()} is not finite')
        if self._space == 'cosine':
            data = data.copy()
            for row in data:
                lib.hnx_normalize(_address(row), self._dim, _address(row))
        return data

    def add_items(self, data, ids=None):
        """Adds rows, or overwrites those whose id exists. Without ids: the numbers that follow the last ones."""
        data = self._floats(data)
        with self._lock:
            rows, fresh = self._open(), {}
            ids = np.arange(self._next, self._next + len(data), dtype=np.uint64) if ids is None else _labels(ids, len(data))
            places = [self._places[label] if label in self._places else fresh.setdefault(label, self._count + len(fresh))
                      for label in ids.reshape(-1).tolist()]
            if self._count + len(fresh) > len(rows):
                raise RuntimeError('The number of elements exceeds the specified limit\n')
            for place, label, vector in zip(places, ids.reshape(-1), data):
                rows[place] = vector, label
            self._places.update(fresh)
            self._count, self._next = self._count + len(fresh), self._next + len(data)

    def delete_vector(self, label):
        """Removes a label; one that does not exist is passed over."""
        label = _unsigned(label, 'label')
        with self._lock:
            rows, place = self._open(), self._places.pop(label, None)
            if place is not None:
                self._count -= 1
                if place != self._count:
                    rows[place] = rows[self._count]
                    self._places[int(rows['label'][place])] = place

    def knn_query(self, data, k=1, num_threads=-1, filter=None):
        """Labels and distances of the k nearest of each row, equal distances by label; fewer is a RuntimeError. filter: a
        function of a label, or the labels that may be found.
        """
        queries, k = self._floats(data), _unsigned(k, 'k')
        with self._lock:
            rows, count = self._open(), self._count
            if k > count and len(queries):
                raise RuntimeError(FEW)
            labels = rows['label'][:count]
            if callable(filter):
                allowed = np.fromiter((bool(filter(label)) for label in labels.tolist()), bool, count)
            else:
                allowed = slice(None) if filter is None else np.isin(labels, _labels(filter))
            labels = labels[allowed]
            if k > len(labels) and len(queries):
                raise RuntimeError(FEW)

            def nearest(query):
                distances = np.empty(count, np.float32)
                check(lib.hnx_distances(DISTANCES[self._space], self._dim, _address(query), _address(rows), self._row.itemsize,
                                        count, _address(distances)))
                distances = distances[allowed]
                near = np.flatnonzero(distances <= np.partition(distances, k - 1)[k - 1]) if k else np.empty(0, np.intp)
                near = near[np.lexsort((labels[near], distances[near]))][:k]
                return labels[near], distances[near]

            with ThreadPoolExecutor(_threads(num_threads, self.num_threads)) as threads:
                found = list(threads.map(nearest, queries))
        shape = len(queries), k
        return (np.array([labels for labels, _ in found], np.uint64).reshape(shape),
                np.array([distances for _, distances in found], np.float32).reshape(shape))

    def set_num_threads(self, num_threads):
        """Sets the threads of queries that say nothing of threads."""
        self.num_threads = num_threads

    def get_max_elements(self):
        """Capacity."""
        return len(self._open())

    def get_current_count(self):
        """Vectors there are."""
        self._open()
        return self._count

    def save_index(self, path_to_index):
        """Writes a file that hnswlib opens."""
        path = os.fspath(path_to_index)
        with self._lock:
            rows, count = self._open(), self._count
            with open(f'{path}.new', 'wb') as file:
                file.write(HEADER.pack(len(rows), self._row.itemsize, count))
                file.write(rows[:count].tobytes())
                file.truncate(HEADER.size + rows.nbytes)
            os.replace(f'{path}.new', path)

    def load_index(self, path_to_index, max_elements=0):
        """Opens a file of save_index(), also of hnswlib's. max_elements: the capacity, where the file's is not larger."""
        try:
            with open(path_to_index, 'rb') as file:
                header, content = file.read(HEADER.size), os.fstat(file.fileno()).st_size - HEADER.size
                capacity, size, count = HEADER.unpack(header) if len(header) == HEADER.size else (0, 0, 1)
                if count > capacity or size != self._row.itemsize or capacity * size > content:
                    raise RuntimeError(f'Index seems to be corrupted or unsupported ({path_to_index}: {count} of {capacity} rows '
                                       f'of {size} bytes in {content}; dim {self._dim} has rows of {self._row.itemsize})')
                stored = np.frombuffer(file.read(count * size), self._row)
        except OSError as error:
            raise RuntimeError(f'Cannot open file ({error})') from error
        rows = np.zeros(max(capacity, _unsigned(max_elements, 'max_elements')), self._row)
        rows[:count] = stored
        with self._lock:
            self._start(rows, count)

    def __repr__(self):
        return f"<hnx.BFIndex(space='{self._space}', dim={self._dim})>"
