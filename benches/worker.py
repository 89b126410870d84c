"""One engine in a process of its own: bench.py asks several of them in turn.

    worker.py ENGINE FOLDER        FOLDER holds base.npy, query.npy and reach.npy as bench.py wrote them

Reads a JSON command a line on stdin, answers with a JSON line on stdout:

    {"op": "build", "threads": 2}                          builds the index on all rows
    {"op": "add", "rows": 20000}                           builds another on the first rows with one thread, and drops it
    {"op": "search", "ef": 64, "threads": 1, "seconds": 0.3}  searches all queries, again and again for that long
"""
import json
import os
import sys
import time

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
K = 10


def unit(x):
    return x / np.linalg.norm(x, axis=1, keepdims=True)


class Hnswlib:
    """hnswlib and chroma-hnswlib: both name their module hnswlib, so each has a folder."""
    folder = 'hnswlib'

    def __init__(self, metric, dim, m, efc):
        sys.path.insert(0, os.path.join(os.environ['HNX_ORIGINALS'], self.folder))
        import hnswlib
        self.new = lambda count: self._new(hnswlib, metric, dim, m, efc, count)

    @staticmethod
    def _new(hnswlib, metric, dim, m, efc, count):
        index = hnswlib.Index(space=metric, dim=dim)
        index.init_index(max_elements=count, M=m, ef_construction=efc, random_seed=100)
        return index

    def build(self, x, threads):
        index = self.new(len(x))
        index.add_items(x, np.arange(len(x)), num_threads=threads)
        return index

    def search(self, index, q, ef, threads):
        index.set_ef(ef)
        return index.knn_query(q, k=K, num_threads=threads)[0]


class Chroma(Hnswlib):
    folder = 'chroma'


class Libhnx:
    """This library, through its C ABI."""
    exactness = 0

    def __init__(self, metric, dim, m, efc):
        sys.path.insert(0, os.path.join(HERE, '..', 'ctests', 'python'))
        import hnx
        self.new = lambda count: hnx.Index.init(metric, dim, count, m, efc)
        self.name = f'libhnx {hnx.version()} ({hnx.cpu_name()})'

    def build(self, x, threads):
        index = self.new(len(x))
        index.add(x, np.arange(len(x)), threads=threads)
        return index

    def search(self, index, q, ef, threads):
        return index.query(q, K, ef, threads, self.exactness)[0].astype(np.int64)


class LibhnxF32(Libhnx):
    exactness = 1


class LibhnxCertified(Libhnx):
    exactness = 2


class LibhnxGuided(Libhnx):
    exactness = 3


class Faiss:
    def __init__(self, metric, dim, m, efc):
        import faiss
        self.faiss, self.dim, self.efc, self.spec = faiss, dim, efc, f'HNSW{m}'
        self.kind = faiss.METRIC_L2 if metric == 'l2' else faiss.METRIC_INNER_PRODUCT
        self.prepare = unit if metric == 'cosine' else np.asarray

    def build(self, x, threads):
        self.faiss.omp_set_num_threads(threads)
        index = self.faiss.index_factory(self.dim, self.spec, self.kind)
        self.faiss.downcast_index(index).hnsw.efConstruction = self.efc
        index.add(self.prepare(x))
        return index

    def search(self, index, q, ef, threads):
        self.faiss.omp_set_num_threads(threads)
        self.faiss.downcast_index(index).hnsw.efSearch = ef
        return index.search(self.prepare(q), K)[1]


class Usearch:
    def __init__(self, metric, dim, m, efc):
        from usearch.index import Index
        self.new = lambda: Index(ndim=dim, metric={'l2': 'l2sq', 'ip': 'ip', 'cosine': 'cos'}[metric], dtype='f32',
                                 connectivity=m, expansion_add=efc)

    def build(self, x, threads):
        index = self.new()
        index.add(np.arange(len(x), dtype=np.uint64), x, threads=threads)
        return index

    def search(self, index, q, ef, threads):
        index.expansion_search = ef
        return index.search(q, K, threads=threads).keys.astype(np.int64)


class Glass:
    quantizer, refine = 'FP32', ''

    def __init__(self, metric, dim, m, efc):
        import glass
        self.glass, self.m, self.efc = glass, m, efc
        self.metric = 'L2' if metric == 'l2' else 'IP'
        self.prepare = unit if metric == 'cosine' else np.asarray

    def build(self, x, threads):
        self.glass.set_num_threads(threads)
        x = np.ascontiguousarray(self.prepare(x), dtype=np.float32)
        graph = self.glass.Index('HNSW', self.metric, 'FP32', 2 * self.m, self.efc).build(x)
        searcher = self.glass.Searcher(graph, x, self.metric, self.quantizer, self.refine)
        searcher.optimize(threads)
        return graph, x, searcher

    def search(self, index, q, ef, threads):
        self.glass.set_num_threads(threads)
        index[2].set_ef(ef)
        found = index[2].batch_search(np.ascontiguousarray(self.prepare(q), dtype=np.float32), K, threads)
        found = found[0] if isinstance(found, tuple) else found
        return np.asarray(found).reshape(len(q), -1)[:, :K]


class GlassSQ8(Glass):
    quantizer, refine = 'SQ8U', 'FP32'


class Svs:
    def __init__(self, metric, dim, m, efc):
        import svs
        self.svs = svs
        self.prepare = unit if metric == 'cosine' else np.asarray
        self.distance = svs.DistanceType.L2 if metric == 'l2' else svs.DistanceType.MIP
        self.parameters = svs.VamanaBuildParameters(alpha=1.2 if metric == 'l2' else 0.95, graph_max_degree=2 * m,
                                                    window_size=efc, max_candidate_pool_size=750)

    def build(self, x, threads):
        x = np.ascontiguousarray(self.prepare(x), dtype=np.float32)
        return self.svs.Vamana.build(self.parameters, x, self.distance, num_threads=threads)

    def search(self, index, q, ef, threads):
        index.num_threads, index.search_window_size = threads, ef
        return index.search(np.ascontiguousarray(self.prepare(q), dtype=np.float32), K)[0].astype(np.int64)


ENGINES = {'hnswlib': Hnswlib, 'chroma': Chroma, 'libhnx': Libhnx, 'libhnx_f32': LibhnxF32,
           'libhnx_certified': LibhnxCertified, 'libhnx_guided': LibhnxGuided, 'faiss': Faiss, 'usearch': Usearch,
           'glass': Glass, 'glass_sq8': GlassSQ8, 'svs': Svs}


class Recall:
    """Answers no farther than the tenth of the exact neighbours count as found, so that ties do not decide."""

    def __init__(self, x, q, metric, reach):
        self.cosine, self.l2, self.reach = metric == 'cosine', metric == 'l2', reach
        self.x, self.q = x, unit(q.astype(np.float64)) if self.cosine else q.astype(np.float64)

    def of(self, found):
        hits = 0
        for row, query, reach in zip(found, self.q, self.reach):
            row = np.unique(row[(row >= 0) & (row < len(self.x))])
            rows = self.x[row].astype(np.float64)
            rows = unit(rows) if self.cosine else rows
            distances = ((rows - query)**2).sum(1) if self.l2 else 1 - rows @ query
            hits += int((distances <= reach + 1e-6 * max(abs(reach), 1e-3)).sum())
        return hits / (len(self.q) * K)


def main():
    replies = os.fdopen(os.dup(1), 'w', buffering=1)
    os.dup2(2, 1)  # what an engine prints must not get between the replies
    name, folder = sys.argv[1:3]
    x, q, reach = (np.load(os.path.join(folder, part + '.npy')) for part in ('base', 'query', 'reach'))
    with open(os.path.join(folder, 'parameters.json')) as file:
        p = json.load(file)
    engine = ENGINES[name](p['metric'], x.shape[1], p['m'], p['efc'])
    recall = Recall(x, q, p['metric'], reach)
    index = None
    for line in sys.stdin:
        c = json.loads(line)
        start = time.perf_counter()
        if c['op'] == 'build':
            index = engine.build(x, c['threads'])
            reply = {'name': getattr(engine, 'name', name)}
        elif c['op'] == 'add':
            other = engine.build(x[:c['rows']], 1)
            reply = {'per_second': min(c['rows'], len(x)) / (time.perf_counter() - start)}
            close = getattr(other, 'close', None)
            if close:
                close()
            del other
        else:
            passes = 0
            while True:
                found = engine.search(index, q, c['ef'], c['threads'])
                passes += 1
                elapsed = time.perf_counter() - start
                if elapsed >= c['seconds']:
                    break
            reply = {'qps': passes * len(q) / elapsed, 'recall': recall.of(np.asarray(found).astype(np.int64))}
        replies.write(json.dumps(reply) + '\n')


main()
