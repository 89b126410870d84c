"""The libraries that bench.py compares, each a class, all with the same M (links 2 * M on the ground) and ef_construction.

    build(x, threads)  search(index, q, ef, threads)    an index of all rows; the K nearest ids of each query
    tune(index)                                         what a package does once, when it knows its machine
    save(index, path)  load(path)
    empty(count)       add(index, x, first, threads)    where rows can be added one after the other
    together                                            whether the library allows searches beside adds
"""
import importlib.metadata
import json
import os
import sys

import numpy as np

from datasets import K, unit

HERE = os.path.dirname(os.path.abspath(__file__))


class Engine:
    package, kind, together = None, '', False

    def __init__(self, x, metric, m, efc):
        self.x, self.metric, self.dim, self.m, self.efc = x, metric, x.shape[1], m, efc
        self.setup()

    @property
    def title(self):
        return f'{self.kind} {importlib.metadata.version(self.package)}'

    def build(self, x, threads):
        index = self.empty(len(x))
        self.add(index, x, 0, threads)
        return index

    def tune(self, index):
        pass

    def prepare(self, x):
        """For libraries without cosine: unit vectors."""
        return np.ascontiguousarray(unit(x) if self.metric == 'cosine' else x, np.float32)


class Hnswlib(Engine):
    """hnswlib and chroma-hnswlib: both name their module hnswlib, so each has a folder (ctests/python/originals.sh)."""
    folder, title = 'hnswlib', 'hnswlib 0.8.0'

    def setup(self):
        sys.path.insert(0, os.path.join(os.environ['HNX_ORIGINALS'], self.folder))
        import hnswlib
        self.new = lambda: hnswlib.Index(space=self.metric, dim=self.dim)

    def empty(self, count):
        index = self.new()
        index.init_index(max_elements=count, M=self.m, ef_construction=self.efc, random_seed=100)
        return index

    def add(self, index, x, first, threads):
        index.add_items(x, np.arange(first, first + len(x)), num_threads=threads)

    def search(self, index, q, ef, threads):
        index.set_ef(ef)
        return index.knn_query(q, k=K, num_threads=threads)[0]

    def save(self, index, path):
        index.save_index(path)

    def load(self, path):
        index = self.new()
        index.load_index(path)
        return index


class Chroma(Hnswlib):
    folder, title = 'chroma', 'chroma-hnswlib 0.7.1'


class Libhnx(Engine):
    """This library, through its C ABI; the title tells the HNX_EXACTNESS_... of the queries and the CPU level."""
    title, mode, exactness, together = 'libhnx', 'default', 0, True

    def setup(self):
        sys.path.insert(0, os.path.join(HERE, '..', 'ctests', 'python'))
        import hnx
        self.hnx = hnx
        self.title = f'libhnx {hnx.version()} {self.mode} ({hnx.cpu_name()})'

    def empty(self, count):
        return self.hnx.Index.init(self.metric, self.dim, count, self.m, self.efc)

    def add(self, index, x, first, threads):
        index.add(x, np.arange(first, first + len(x)), threads=threads)

    def search(self, index, q, ef, threads):
        return index.query(q, K, ef, threads, self.exactness)[0].astype(np.int64)

    def save(self, index, path):
        index.save(path)

    def load(self, path):
        return self.hnx.Index.load(path, self.metric, self.dim)


class LibhnxF32(Libhnx):
    mode, exactness = 'F32', 1


class LibhnxCertified(Libhnx):
    mode, exactness = 'CERTIFIED', 2


class LibhnxGuided(Libhnx):
    """Adds by codes, too: another graph than hnswlib's."""
    mode, exactness = 'GUIDED', 3

    def add(self, index, x, first, threads):
        index.add(x, np.arange(first, first + len(x)), threads=threads, flags=self.hnx.ADD_GUIDED)


class Faiss(Engine):
    package, kind, codes = 'faiss-cpu', 'FAISS HNSW', ''

    def setup(self):
        import faiss
        self.faiss = faiss

    def empty(self, count):
        metric = self.faiss.METRIC_L2 if self.metric == 'l2' else self.faiss.METRIC_INNER_PRODUCT
        index = self.faiss.index_factory(self.dim, f'HNSW{self.m}{self.codes}', metric)
        self.faiss.downcast_index(index).hnsw.efConstruction = self.efc
        return index

    def add(self, index, x, first, threads):
        self.faiss.omp_set_num_threads(threads)
        x = self.prepare(x)
        if not index.is_trained:
            index.train(x)
        index.add(x)

    def search(self, index, q, ef, threads):
        self.faiss.omp_set_num_threads(threads)
        self.faiss.downcast_index(index).hnsw.efSearch = ef
        return index.search(self.prepare(q), K)[1]

    def save(self, index, path):
        self.faiss.write_index(index, path)

    def load(self, path):
        return self.faiss.read_index(path)


class FaissSQ8(Faiss):
    kind, codes = 'FAISS HNSW SQ8', '_SQ8'


class Usearch(Engine):
    package, kind, type, together = 'usearch', 'USearch f32', 'f32', True

    def setup(self):
        from usearch.index import Index
        self.empty = lambda count: Index(ndim=self.dim, metric={'l2': 'l2sq', 'ip': 'ip', 'cosine': 'cos'}[self.metric],
                                         dtype=self.type, connectivity=self.m, expansion_add=self.efc)

    def add(self, index, x, first, threads):
        index.add(np.arange(first, first + len(x), dtype=np.uint64), self.prepare(x), threads=threads)

    def prepare(self, x):
        return x

    def search(self, index, q, ef, threads):
        index.expansion_search = ef
        return index.search(self.prepare(q), K, threads=threads).keys.astype(np.int64).reshape(len(q), -1)

    def save(self, index, path):
        index.save(path)

    def load(self, path):
        index = self.empty(0)
        index.load(path)
        return index


class UsearchF16(Usearch):
    kind, type = 'USearch f16', 'f16'


class UsearchI8(Usearch):
    """Its bytes are those of floats between -1 and 1, so the vectors are scaled to that."""
    kind, type = 'USearch i8', 'i8'

    def setup(self):
        super().setup()
        self.scale = 1 if self.metric == 'cosine' else 1 / float(np.abs(self.x).max())

    def prepare(self, x):
        return x * np.float32(self.scale)


class Glass(Engine):
    """pyglass: its HNSW, built on f32; the searcher has codes and f32 to choose from the best."""
    package, kind, quantizer, refine = 'pyglass-portable', 'pyglass f32', 'FP32', ''

    def setup(self):
        import glass
        self.glass, self.name = glass, 'L2' if self.metric == 'l2' else 'IP'

    def searcher(self, graph, x):
        return graph, x, self.glass.Searcher(graph, x, self.name, self.quantizer, self.refine)

    def build(self, x, threads):
        self.glass.set_num_threads(threads)
        x = self.prepare(x)
        return self.searcher(self.glass.Index('HNSW', self.name, 'FP32', 2 * self.m, self.efc).build(x), x)

    def tune(self, index):
        index[2].optimize(1)

    def search(self, index, q, ef, threads):
        self.glass.set_num_threads(threads)
        index[2].set_ef(ef)
        found = index[2].batch_search(self.prepare(q), K, threads)
        found = found[0] if isinstance(found, tuple) else found
        return np.asarray(found).reshape(len(q), -1)[:, :K]

    def save(self, index, path):
        index[0].save(path)

    def load(self, path):
        return self.searcher(self.glass.Graph(path), self.prepare(self.x))


class GlassSQ8(Glass):
    kind, quantizer, refine = 'pyglass SQ8 + f32', 'SQ8U', 'FP32'


class GlassSQ4(Glass):
    kind, quantizer, refine = 'pyglass SQ4 + f32', 'SQ4U', 'FP32'


class Svs(Engine):
    """Intel's Vamana: no layers, the same degree."""
    package, kind = 'scalable-vs', 'SVS Vamana f32'

    def setup(self):
        import svs
        self.svs, self.distance = svs, svs.DistanceType.L2 if self.metric == 'l2' else svs.DistanceType.MIP

    def build(self, x, threads):
        parameters = self.svs.VamanaBuildParameters(alpha=1.2 if self.metric == 'l2' else 0.95, graph_max_degree=2 * self.m,
                                                    window_size=self.efc, max_candidate_pool_size=max(750, self.efc))
        return self.svs.Vamana.build(parameters, self.prepare(x), self.distance, num_threads=threads)

    def search(self, index, q, ef, threads):
        index.num_threads, index.search_window_size = threads, ef
        return index.search(self.prepare(q), K)[0].astype(np.int64)

    def save(self, index, path):
        os.mkdir(path)
        index.save(*(os.path.join(path, part) for part in ('config', 'graph', 'data')))

    def load(self, path):
        config, graph, data = (os.path.join(path, part) for part in ('config', 'graph', 'data'))
        return self.svs.Vamana(config, self.svs.GraphLoader(graph), self.svs.VectorDataLoader(data, self.svs.DataType.float32),
                               distance=self.distance, num_threads=1)


class Vsag(Engine):
    """VSAG's HGraph. Its package takes one query a call, so a call from Python is in each query, and builds at once."""
    package, kind, codes = 'pyvsag', 'VSAG HGraph f32', {'base_quantization_type': 'fp32'}

    def setup(self):
        import pyvsag
        pyvsag.set_logger_off()
        self.vsag = pyvsag

    def new(self, threads=1):
        return self.vsag.Index('hgraph', json.dumps({
            'dtype': 'float32', 'metric_type': self.metric, 'dim': self.dim,
            'index_param': {**self.codes, 'max_degree': 2 * self.m, 'ef_construction': self.efc,
                            'build_thread_count': threads}}))

    def build(self, x, threads):
        index = self.new(threads)
        index.build(np.ascontiguousarray(x).reshape(-1), np.arange(len(x), dtype=np.int64), len(x), self.dim)
        return index

    def search(self, index, q, ef, threads):
        assert threads == 1, 'VSAG searches with one thread'
        parameters = json.dumps({'hgraph': {'ef_search': ef}})
        found = np.full((len(q), K), -1, np.int64)
        for row, query in zip(found, q):
            ids = next(part for part in index.knn_search(query, K, parameters) if np.asarray(part).dtype.kind == 'i')
            row[:len(ids)] = ids
        return found

    def save(self, index, path):
        index.save(path)

    def load(self, path):
        index = self.new()
        index.load(path)
        return index


class VsagSQ8(Vsag):
    kind = 'VSAG HGraph SQ8 + f32'
    codes = {'base_quantization_type': 'sq8_uniform', 'use_reorder': True, 'precise_quantization_type': 'fp32'}


ENGINES = {'hnswlib': Hnswlib, 'chroma': Chroma, 'libhnx': Libhnx, 'libhnx_f32': LibhnxF32,
           'libhnx_certified': LibhnxCertified, 'libhnx_guided': LibhnxGuided, 'faiss': Faiss, 'faiss_sq8': FaissSQ8,
           'usearch': Usearch, 'usearch_f16': UsearchF16, 'usearch_i8': UsearchI8, 'glass': Glass, 'glass_sq8': GlassSQ8,
           'glass_sq4': GlassSQ4, 'svs': Svs, 'vsag': Vsag, 'vsag_sq8': VsagSQ8}
