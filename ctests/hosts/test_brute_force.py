"""BFIndex against the original where that is right, and against a plain calculation always."""
import os
import struct
import sys
import tempfile
import threading
import numpy as np
from builds import METRICS, MODULES, attempt, both, is_chroma, originals, ours, same, same_neighbours, vectors
import data
from harness import case, run


def made(h, metric, x, labels=None, capacity=None):
    index = h.BFIndex(metric, x.shape[1])
    index.init_index(capacity or len(x))
    index.add_items(x, labels)
    return index


def nearest(metric, stored, queries, k):
    """The k nearest of {label: vector}: labels and distances by float64; ties may come in any order."""
    labels = np.array(list(stored), np.uint64)
    x, q = np.array([stored[label] for label in stored], np.float64), queries.astype(np.float64)
    if metric == 'cosine':  # the module forgets to normalise the queries
        x = x / np.linalg.norm(x, axis=1, keepdims=True)
    d = ((q[:, None] - x)**2).sum(-1) if metric == 'l2' else 1 - q @ x.T
    order = np.argsort(d, axis=1, kind='stable')[:, :k]
    return labels[order], np.take_along_axis(d, order, 1)


def check(index, metric, stored, queries, k, what, **options):
    labels, distances = index.knn_query(queries, k=k, **options)
    want, d = nearest(metric, stored, queries, k)
    assert np.allclose(distances, d, rtol=1e-5, atol=1e-4), f'{what}: distances {distances[0]} != {d[0]}'
    assert (np.diff(distances, axis=1) >= 0).all(), what
    for row in range(len(queries)):
        assert len(set(labels[row].tolist())) == k and set(labels[row].tolist()) <= set(map(int, stored)), f'{what}: {labels[row]}'
        different = labels[row] != want[row]  # only where distances are equal but for rounding
        assert np.allclose(distances[row][different], d[row][different], rtol=1e-5, atol=1e-4), f'{what}: {labels[row]} != {want[row]}'


def answers_of(h, metric, exact):
    seen = []
    for dim in (*range(1, 40), 100, 128, 257):
        rng = np.random.default_rng(dim)
        if exact and (metric != 'cosine' or dim >= 4):
            x = data.exact(rng, 150, dim, metric)
        else:
            x = vectors(dim, 150, dim)
        index = made(h, metric, x[:130], np.arange(130) * 7 % 131)
        seen.append([index.knn_query(x[120:], k=k) for k in (1, 8, 130)])
    return seen


def answers(name, metric):
    """Exact data: the same ids in the same order; plain floats: up to rounding."""
    for exact in (True, False):
        for n, (a, b) in enumerate(zip(*both(name, answers_of, metric, exact))):
            for k, x, y in zip((1, 8, 130), a, b):
                if exact and not (metric == 'cosine' and n < 3):
                    same(x, y, f'set {n}, k {k}')
                else:
                    assert np.allclose(x[1], y[1], rtol=1e-5, atol=1e-4), f'set {n}, k {k}'
                    if not (metric == 'cosine' and n == 0):
                        same_neighbours(x, y, f'set {n}, k {k}', rtol=1e-5, atol=1e-4)


def calls_of(h):
    """Numbering, texts of errors, properties."""
    x = data.exact(np.random.default_rng(3), 60, 5, 'l2')
    index = h.BFIndex(space='l2', dim=5)
    seen = [repr(index), attempt(index.init_index, -1), index.init_index(max_elements=20), attempt(index.init_index, 5)]
    index.add_items(x[0])
    index.add_items(x[1:5])
    index.add_items(x[5:7], [100, 2**64 - 1])
    index.add_items(x[7], 100)  # overwrites
    index.add_items(x[8:10].tolist(), np.array([50, 51], np.int16))
    seen += [index.knn_query(x[:20], k=k) for k in (1, 9)]
    seen += [attempt(index.add_items, x[10:40]), attempt(index.add_items, x[:, :4]), attempt(index.add_items, x[:2], [1]),
             attempt(index.add_items, x.reshape(3, 20, 5)), attempt(index.add_items, 'text'), attempt(index.delete_vector, 'text'),
             attempt(index.knn_query, x.reshape(3, 20, 5)), attempt(index.knn_query, x[:1], k='2')]
    seen += [index.knn_query(x[:20], k=20)]
    if not is_chroma(h):
        seen += [index.get_max_elements(), index.get_current_count(), index.num_threads > 0]
        index.num_threads = 3
        index.set_num_threads(4)
        seen += [index.num_threads]
        seen += [index.knn_query(x, k=7, num_threads=n) for n in (1, 2, 8, -1)]
    seen += [index.knn_query(x, k=3, filter=lambda label: label < 2**63)]  # the first rows pass: the original is right
    for error in (ValueError('no'), KeyError('no'), StopIteration()):
        def f(label):
            raise error
        seen.append(attempt(index.knn_query, x[:1], k=3, filter=f))
        seen.append(attempt(index.knn_query, x[:30], k=3, filter=f))
    seen += [index.knn_query(x[:20], k=20)]
    return seen


@case('hnswlib')
@case('chroma')
def calls(name):
    same(*both(name, calls_of), 'calls')


def life_of(h, metric, seed):
    """Random adds, overwrites and deletions (the last one, unknown ones, all of them), saves and loads, filters."""
    rng, dim, capacity = np.random.default_rng(seed), 6, 80
    index, stored = h.BFIndex(metric, dim), {}
    index.init_index(capacity)
    queries, last = vectors(seed, 12, dim), None
    with tempfile.TemporaryDirectory() as folder:
        for step in range(400):
            kind = rng.choice(['add', 'add', 'overwrite', 'delete', 'delete', 'delete last', 'unknown', 'load', 'filter'])
            if kind == 'add':
                fresh = int(rng.integers(0, 10**6))
                if len(stored) < capacity and fresh not in stored:
                    stored[fresh] = vectors(step, 1, dim)[0]
                    index.add_items(stored[fresh], fresh)
                    last = fresh
                elif fresh not in stored:
                    text = attempt(index.add_items, queries[0], fresh)
                    assert text == 'RuntimeError: The number of elements exceeds the specified limit\n', repr(text)
            elif kind == 'overwrite' and stored:
                label = int(rng.choice(list(stored)))
                stored[label] = vectors(step, 1, dim)[0]
                index.add_items(stored[label], label)
            elif kind == 'delete' and stored:
                label = int(rng.choice(list(stored)))
                index.delete_vector(label)
                del stored[label]
            elif kind == 'delete last' and last in stored:
                index.delete_vector(last)
                del stored[last]
            elif kind == 'unknown':
                index.delete_vector(10**6 + step)
            elif kind == 'load' and rng.random() < .3:
                index.save_index(f'{folder}/x')
                assert struct.unpack('<QQQ', open(f'{folder}/x', 'rb').read(24)) == (capacity, 4 * dim + 8, len(stored))
                assert os.path.getsize(f'{folder}/x') == 24 + capacity * (4 * dim + 8)
                index = h.BFIndex(metric, dim)
                index.load_index(f'{folder}/x')
            elif kind == 'filter' and stored:
                odd = {label: x for label, x in stored.items() if label % 2}
                if odd:
                    k = int(rng.integers(1, len(odd) + 1))
                    check(index, metric, odd, queries, k, f'step {step}: filter', filter=lambda label: label % 2 == 1)
            if not is_chroma(h):
                assert index.get_current_count() == len(stored), f'step {step}: {kind}'
            if stored:
                check(index, metric, stored, queries, int(rng.integers(1, len(stored) + 1)), f'step {step}: {kind}')
    return len(stored)


def life(name, metric):
    """Only with libhnx: the original keeps a label for a deleted last element, forgets labels when loading, filters wrongly."""
    for seed in range(3):
        ours[name].take(life_of, metric, seed)


for _name in MODULES:
    for _metric in METRICS:
        case(_name, _metric)(answers)
        case(_name, _metric)(life)


def write(h, metric, path, x, labels):
    made(h, metric, x, labels, len(x) + 5).save_index(path)


def open_file(h, metric, path, x, again):
    index = h.BFIndex(metric, x.shape[1])
    index.load_index(path)
    seen = [index.knn_query(x, k=10)]
    index.add_items(x[:3], [10**7, 10**7 + 1, 10**7 + 2])
    seen.append(index.knn_query(x, k=10))
    index.save_index(again)
    return seen


@case('hnswlib')
@case('chroma')
def files(name):
    """Files cross between the builds; the rows in use are the same bytes."""
    x, labels = data.exact(np.random.default_rng(8), 70, 9, 'l2'), np.arange(70) * 3
    with tempfile.TemporaryDirectory() as folder:
        both_files = {}
        for which, build in zip(('theirs', 'ours'), (originals[name], ours[name])):
            build.take(write, 'l2', f'{folder}/{which}', x, labels)
            both_files[which] = open(f'{folder}/{which}', 'rb').read()
        used = 24 + 70 * (4 * 9 + 8)
        assert len(both_files['theirs']) == len(both_files['ours']) and both_files['theirs'][:used] == both_files['ours'][:used]
        seen = [build.take(open_file, 'l2', f'{folder}/{which}', x, f'{folder}/{which}-{n}')
                for which in both_files for n, build in enumerate((originals[name], ours[name]))]
        for other in seen[1:]:
            same(seen[0], other, 'loaded')



def refused_of(h, folder):
    """Files that are none, and more neighbours than there are."""
    x, seen = vectors(1, 40, 4), {}
    write(h, 'l2', f'{folder}/x', x, None)
    whole = open(f'{folder}/x', 'rb').read()
    for what, text in (('nothing', b''), ('half', whole[:len(whole) // 2]), ('count', whole[:16] + struct.pack('<Q', 2**40) + whole[24:]),
                       ('capacity', struct.pack('<Q', 2**61) + whole[8:]), ('small capacity', struct.pack('<Q', 3) + whole[8:])):
        with open(f'{folder}/damaged', 'wb') as f:
            f.write(text)
        seen[what] = attempt(h.BFIndex('l2', 4).load_index, f'{folder}/damaged')
    seen['another dimension'] = attempt(h.BFIndex('l2', 7).load_index, f'{folder}/x')
    seen['missing'] = attempt(h.BFIndex('l2', 4).load_index, f'{folder}/missing')
    index = made(h, 'l2', x)
    seen['saved nowhere'] = attempt(index.save_index, f'{folder}/missing/x')
    return seen


@case('hnswlib')
@case('chroma')
def refused(name):
    """The original opens all of them and reads what it finds in memory; saving to nowhere it does not notice."""
    with tempfile.TemporaryDirectory() as folder:
        for what, text in ours[name].take(refused_of, folder).items():
            assert str(text).startswith('RuntimeError'), f'{what}: {text}'


def threads_of(h):
    """Adds, deletions and queries by many threads, each with labels of its own, on one index."""
    x = vectors(61, 400, 8)
    index = made(h, 'l2', x[:100], np.arange(100), 2000)
    errors = []

    def adder(n):
        try:
            for round in range(20):
                labels = 1000 * n + np.arange(40)
                index.add_items(x[100:140], labels)
                for label in labels[::2]:
                    index.delete_vector(int(label))
        except Exception as error:
            errors.append(error)
    workers = [threading.Thread(target=adder, args=(n,)) for n in range(1, 7)]
    for w in workers:
        w.start()
    for w in workers:
        w.join()
    if errors:
        raise errors[0]
    stored = dict(enumerate(x[:100]))
    stored.update({1000 * n + label: x[100 + label] for n in range(1, 7) for label in range(1, 40, 2)})
    check(index, 'l2', stored, x[300:], 50, 'after threads')


@case('hnswlib')
@case('chroma')
def threads_change(name):
    ours[name].take(threads_of)


if __name__ == '__main__':
    run('brute_force', only=sys.argv[1] if len(sys.argv) > 1 else None)
