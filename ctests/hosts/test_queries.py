"""Building and querying: every dimension, real vectors, every knob of the constructor, all the ways to number and thread.

On exact data (ctests/python/data.py) no build has a choice, so ids, distances and saved files must be the very same; on
plain floats sums round differently, and what is found must agree up to that.
"""
import os
import sys
import tempfile
import threading
import numpy as np
from builds import METRICS, MODULES, attempt, both, is_chroma, items, originals, ours, recall, same, same_neighbours, vectors
import agree
import data
import formats
import histories
from harness import case, run
from originals import Package


def built(h, metric, x, labels=None, capacity=None, ef=None, threads=1, **options):
    index = h.Index(metric, x.shape[1])
    index.init_index(capacity or len(x), **options)
    if ef:
        index.set_ef(ef)
    index.add_items(x, labels, num_threads=threads)
    return index


def query(h, metric, x, q, k, ef, threads, m=16, efc=200):
    index = built(h, metric, x, M=m, ef_construction=efc, ef=ef, threads=threads)
    return index.knn_query(q, k=k)


def real_sets(metric):
    return {'l2': [('sift', 6000), ('glove', 4000)], 'ip': [('glove', 4000)], 'cosine': [('glove', 5000), ('minilm', 1500)]}[metric]


def recalls(name, metric):
    """Real vectors, built by all threads: as near to the exact neighbours as the original."""
    notes = []
    for which, rows in real_sets(metric):
        x, q = data.real(which, rows)
        q = q[:300]
        exact = data.exact_neighbours(x, q, 10, metric)
        (i, d), (j, e) = both(name, query, metric, x, q, 10, 80, 2)
        got, want = recall(j, exact), recall(i, exact)
        assert got > want - .006, f'{which}: recall {got:.4f}, the original has {want:.4f}'
        notes.append(f'{which} {got:.4f} ({want:.4f})')
    return ', '.join(notes)


def plain(name, metric):
    """Plain floats, one thread: the same neighbours at the same distances."""
    for dim, n, m, efc in ((3, 1500, 16, 200), (24, 2000, 16, 200), (100, 1500, 8, 60), (257, 800, 24, 100)):
        x, q = vectors(dim, n, dim), vectors(dim + 1, 300, dim)
        theirs, got = both(name, query, metric, x, q, 10, 100, 1, m, efc)
        same_neighbours(theirs, got, f'dim {dim}', rows=2)
        exact = data.exact_neighbours(x, q, 10, metric)
        assert recall(got[0], exact) > recall(theirs[0], exact) - .002, f'dim {dim}'


def small_indexes(h, metric, dims, exact):
    """Per dimension what 70 vectors answer to 12 queries, and to themselves."""
    result = []
    for dim in dims:
        rng = np.random.default_rng(dim)
        if exact:
            x = data.exact(rng, 82, dim, metric)
        else:
            x = vectors(dim, 82, dim)
        index = built(h, metric, x[:70], np.arange(70) * 3, M=6, ef_construction=40, ef=70)
        labels, distances = index.knn_query(x[70:], k=10, num_threads=1)
        own = index.knn_query(x[:70], k=1, num_threads=1)
        result.append((labels, distances, own, items(index, [0, 3, 207])))
    return result


def every_dim(name, metric):
    """Plain floats in 1 to 300 dimensions: every remainder of every kernel."""
    dims = range(1, 301)
    theirs, got = both(name, small_indexes, metric, dims, False)
    for dim, (i, d, own, x), (j, e, own2, y) in zip(dims, theirs, got):
        if metric == 'cosine' and dim == 1:  # all distances are 0 or 2, but for rounding
            assert np.allclose(d, e, atol=1e-6), f'dim 1: {d} != {e}'
        else:
            same_neighbours((i, d), (j, e), f'dim {dim}')
            same_neighbours(own, own2, f'dim {dim}, own')
        same(x, y, f'dim {dim}: get_items', rtol=1e-6)


def every_dim_exactly(name, metric):
    """Exact data with ties: the same ids in the same order, the same bits."""
    dims = range(4 if metric == 'cosine' else 1, 301)
    theirs, got = both(name, small_indexes, metric, dims, True)
    for dim, a, b in zip(dims, theirs, got):
        same(a, b, f'dim {dim}')


for _name in MODULES:
    for _metric in METRICS:
        for _test in (recalls, plain, every_dim, every_dim_exactly):
            case(_name, _metric)(_test)


packages = {}


def package(build, name):
    """The build behind the interface of hnx.Index, for histories."""
    if build not in packages:
        packages[build] = Package(build.folder)
        packages[build].chroma = name == 'chroma'  # its file has lengths
    return packages[build]


def same_files(name, history, *args, what=''):
    """After every step of a history both builds save the same file. Chroma keeps meaningless bytes in it unless cosine."""
    with tempfile.TemporaryDirectory() as folder:
        states, error = histories.both(history, package(originals[name], name), package(ours[name], name), folder, *args)
        for state, theirs, got in states:
            if name == 'hnswlib':
                formats.assert_same_file(theirs, got, f'{what} after {state}')
            else:
                a, b = formats.read(theirs, chroma=True), formats.read(got, chroma=True)
                agree.same_records(a, b, f'{what} after {state}', lengths=args[0] == 'cosine')
        if error:
            raise error
        return len(states)


def days(name, metric):
    """Adds, updates, deletions, undeletions, replacements, loads, resizes in many orders: the same bytes all the way."""
    states = 0
    # Chroma's own normalisation rounds as it likes, depending on how it was compiled; on exact data it cannot.
    for seed, (dim, m, efc) in enumerate(((4, 2, 10), (8, 5, 40), (33, 16, 60), (64, 16, 200))):
        rng = np.random.default_rng(seed)
        x = data.exact(rng, 300, dim, metric)
        for replace in (False, True):
            states += same_files(name, histories.mixed, metric, x, data.labels(rng, len(x)), m, efc, seed, replace,
                                 what=f'dim {dim} M {m} replace {replace}')
        states += same_files(name, histories.interleaved, metric, x, data.labels(rng, len(x)), m, efc, seed, True, what=f'dim {dim}')
    x = data.exact(rng, 1200, 7, metric)
    states += same_files(name, histories.turnover, metric, x, data.labels(rng, len(x)), 6, 30, 1, True, what='turnover')
    return f'{states} states'


for _name in MODULES:
    for _metric in METRICS:
        case(_name, _metric)(days)


def knobs_of(h):
    """Properties before and after init_index, set_ef, load; what queries make of k and ef."""
    seen = []

    def look(what, index):
        names = ('space', 'dim', 'ef', 'M', 'ef_construction', 'max_elements', 'element_count')
        seen.append((what, [attempt(getattr, index, n) for n in names], repr(index)))
    rng = np.random.default_rng(4)
    x = data.exact(rng, 500, 12, 'l2')
    index = h.Index(space='l2', dim=12)
    look('new', index)
    index.set_ef(33)
    look('ef before init', index)
    index.init_index(max_elements=600, M=9, ef_construction=5, random_seed=7)  # ef_construction rises to M
    look('init', index)
    seen.append(('again', attempt(index.init_index, 10)))
    seen.append(('empty query', attempt(index.knn_query, x[:2], k=1)))
    seen.append(('empty query, k 0', attempt(index.knn_query, x[:2], k=0)))
    index.add_items(x[:300], num_threads=1)
    seen.append(('counts', index.get_current_count(), index.get_max_elements()))
    for ef in (1, 2, 10, 50, 1000):
        index.ef = ef
        for k in (0, 1, 7, 60):
            seen.append((ef, k, attempt(index.knn_query, x[300:340], k=k, num_threads=1)))
        look(f'ef {ef}', index)
    seen.append(('k > count', attempt(index.knn_query, x[:1], k=301)))
    with tempfile.TemporaryDirectory() as folder:
        index.save_index(f'{folder}/index')
        for capacity in (0, 100, 300, 301, 5000):
            other = h.Index('l2', 12)
            other.set_ef(44)
            other.load_index(f'{folder}/index', max_elements=capacity)
            look(f'loaded with {capacity}', other)
            seen.append(attempt(other.add_items, x[300], num_threads=1))  # numbered on from the count, unless it is full
            seen.append((other.get_current_count(), sorted(other.get_ids_list())[-3:], other.knn_query(x[300], k=2)))
        index.load_index(f'{folder}/index')  # over a live one: a warning, and the new content
        look('loaded over', index)
    index.num_threads = 3
    seen.append(index.num_threads)
    index.set_num_threads(2)
    seen.append(index.num_threads)
    return seen


@case('hnswlib')
@case('chroma')
def knobs(name):
    same(*both(name, knobs_of), 'knobs')


def seeds_and_ms(h, metric, folder):
    rng = np.random.default_rng(9)
    x = data.exact(rng, 250, 8, metric)
    for n, (m, efc, seed) in enumerate(((2, 4, 1), (3, 200, 0), (7, 20, 2**31), (16, 10, 2**63), (48, 100, 5), (100, 300, 6))):
        index = built(h, metric, x, M=m, ef_construction=efc, random_seed=seed)
        index.save_index(f'{folder}/{n}')
        assert (index.M, index.ef_construction) == (m, max(m, efc))
    return n + 1


@case('l2')
@case('cosine')
def options_of_init(metric):
    """M, ef_construction and random_seed: the same files."""
    with tempfile.TemporaryDirectory() as a, tempfile.TemporaryDirectory() as b:
        n = originals['hnswlib'].take(seeds_and_ms, metric, a)
        ours['hnswlib'].take(seeds_and_ms, metric, b)
        for i in range(n):
            formats.assert_same_file(f'{a}/{i}', f'{b}/{i}', f'option set {i}')


def numbering_of(h):
    """Labels given and not, small and large, in arrays, lists and as one number; vectors in all shapes and types."""
    rng = np.random.default_rng(5)
    x = data.exact(rng, 120, 6, 'l2')
    index = h.Index('l2', 6)
    index.init_index(200)
    index.set_num_threads(1)  # two threads add more than eight rows in no fixed order, and get_ids_list shows the order
    index.add_items(x[0])  # one vector, number 0
    index.add_items(x[1:4])
    index.add_items(x[4], 77)
    index.add_items(x[5:7], [2**64 - 1, 2**63])
    index.add_items(x[7:9].tolist(), np.array([500, 501], np.int32))
    index.add_items(x[9:11].astype(np.float64), np.array([600., 601.]))
    index.add_items(np.asfortranarray(x[11:20]))
    index.add_items(x[20:60][::2], np.arange(20)[::-1] + 1000)
    index.add_items(x[60:70].astype(np.int64))
    index.add_items(np.zeros((0, 6), np.float32))
    seen = [index.get_current_count(), index.get_ids_list(), attempt(index.add_items, x[:3], [1, 2]), attempt(index.add_items, x[:2], [[1, 2]]),
            attempt(index.add_items, x[:3, :5]), attempt(index.add_items, x.reshape(2, 60, 6)), attempt(index.add_items, 3.),
            attempt(index.add_items, 'text'), attempt(index.add_items, x[:2], 'text'), attempt(index.add_items, x[:1], -1)]
    seen.append(index.get_ids_list())
    seen += [index.knn_query(q, k=5) for q in (x[0], x[:3], x[:3].tolist(), x[:3].astype(np.float64))]
    seen += [attempt(index.knn_query, q, k=2) for q in (x[:2, :5], x.reshape(2, 60, 6), 'text', np.float32(3))[1:]]
    seen += [attempt(index.knn_query, x[:2], k=-1), attempt(index.knn_query, x[:2], k='1'), attempt(index.get_items, 3)]
    for ids in ([0, 77, 2**64 - 1], np.array([2**63], np.uint64), [], None, [12345], [0, 12345], np.array([[0], [1]])):
        seen.append(attempt(index.get_items, ids))
        if not is_chroma(h):
            seen += [attempt(index.get_items, ids, return_type=kind) for kind in ('list', 'numpy', 'tuple')]
    return seen


@case('hnswlib')
@case('chroma')
def numbering(name):
    same(*both(name, numbering_of), 'numbering')


def orders_of(h):
    """get_ids_list, which iterates the label map: its order after adds, deletions, replacements, a load and a pickle."""
    import pickle
    rng = np.random.default_rng(6)
    x, labels, seen = data.exact(rng, 900, 5, 'l2'), data.labels(rng, 900), []
    index = built(h, 'l2', x[:600], labels[:600], 600, M=4, ef_construction=10, allow_replace_deleted=True)
    seen.append(index.get_ids_list())
    for label in labels[:400:3]:
        index.mark_deleted(label)
    seen.append(index.get_ids_list())
    index.add_items(x[600:700], labels[600:700], num_threads=1, replace_deleted=True)
    seen.append(index.get_ids_list())
    copy = pickle.loads(pickle.dumps(index))
    seen.append(copy.get_ids_list())
    with tempfile.TemporaryDirectory() as folder:
        index.save_index(f'{folder}/index')
        index = h.Index('l2', 5)
        index.load_index(f'{folder}/index', 900, True)
    seen.append(index.get_ids_list())
    for one in (index, copy):
        one.resize_index(900)
        one.add_items(x[700:], labels[700:], num_threads=1, replace_deleted=True)
        seen.append(one.get_ids_list())
    return seen


@case('hnswlib')
@case('chroma')
def orders(name):
    same(*both(name, orders_of), 'get_ids_list')


def threaded_queries(h, metric):
    """num_threads changes nothing, neither do several Python threads with one index."""
    x, q = vectors(1, 1500, 20), vectors(2, 600, 20)
    index = built(h, metric, x, ef=60, threads=2)
    reference = index.knn_query(q, k=10, num_threads=1)
    for threads in (-1, 0, 2, 3, 8, 40):
        same(reference, index.knn_query(q, k=10, num_threads=threads), f'{threads} threads')
    errors = []

    def go():
        try:
            for _ in range(5):
                same(reference, index.knn_query(q, k=10, num_threads=2), 'Python threads')
        except Exception as error:
            errors.append(error)
    threads = [threading.Thread(target=go) for _ in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    if errors:
        raise errors[0]
    return reference


@case('hnswlib', 'l2')
@case('hnswlib', 'cosine')
@case('chroma', 'ip')
@case('chroma', 'cosine')
def threads_query(name, metric):
    ours[name].take(threaded_queries, metric)


def threaded_build(h, metric, threads):
    x, q = vectors(3, 4000, 16), vectors(4, 300, 16)
    index = built(h, metric, x, ef=100, threads=threads)
    assert index.get_current_count() == len(x) and sorted(index.get_ids_list()) == list(range(len(x)))
    assert np.allclose(items(index, np.arange(len(x))), x, rtol=1e-5)
    return recall(index.knn_query(q, k=10)[0], data.exact_neighbours(x, q, 10, metric))


@case('hnswlib', 'l2', 8)
@case('hnswlib', 'ip', 2)
@case('chroma', 'l2', 2)
@case('chroma', 'cosine', 8)
def threads_build(name, metric, threads):
    theirs, got = both(name, threaded_build, metric, threads)
    assert got > theirs - .01, f'recall {got:.4f}, the original has {theirs:.4f}'
    return f'recall {got:.4f} ({theirs:.4f})'


if __name__ == '__main__':
    run('queries', only=sys.argv[1] if len(sys.argv) > 1 else None)
