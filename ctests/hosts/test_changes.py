"""Deletions, replacements and updates: their errors, what the original makes of them, and what it gets wrong."""
import sys
import threading
import numpy as np
from builds import METRICS, MODULES, attempt, both, is_chroma, items, originals, ours, recall, same, vectors
import data
from harness import case, run


def small(h, metric='l2', n=200, capacity=None, replace=False, seed=1, dim=8):
    x = data.exact(np.random.default_rng(seed), n + 60, dim, metric)
    index = h.Index(metric, dim)
    index.init_index(capacity or n, M=4, ef_construction=40, allow_replace_deleted=replace)
    index.set_num_threads(1)
    index.add_items(x[:n])
    index.set_ef(40)
    return index, x


def errors_of(h):
    """Every complaint there is about a label, in the words of the original."""
    seen = []
    for replace in (False, True):
        index, x = small(h, replace=replace)
        n = 200
        seen += [attempt(f, label) for f in (index.mark_deleted, index.unmark_deleted) for label in (n, 2**64 - 1, -1, 0.5, 'text', None)]
        seen += [attempt(index.unmark_deleted, 5), attempt(index.mark_deleted, 5), attempt(index.mark_deleted, 5)]
        seen += [attempt(index.get_items, [5]), attempt(index.get_items, [4, 5, 6])]
        seen += [attempt(index.add_items, x[n], n), attempt(index.add_items, x[n], 5)]  # full; deleted
        seen += [attempt(index.get_items, [5]), attempt(index.unmark_deleted, 5), attempt(index.unmark_deleted, 5)]
        seen += [attempt(index.add_items, x[n], n, replace_deleted=True), index.get_current_count()]
        seen += [attempt(index.mark_deleted, 7), attempt(index.add_items, x[n], n, replace_deleted=True)]
        seen += [attempt(index.mark_deleted, 7), attempt(index.unmark_deleted, 7), attempt(index.get_items, [n]), index.get_ids_list()]
        seen += [attempt(index.resize_index, size) for size in (0, 10, n - 1, -1, 'text', n, n + 3)]
        seen += [attempt(index.add_items, x[n:n + 20], np.arange(1000, 1020)), index.get_current_count()]
        seen += [attempt(index.resize_index, n + 1), index.get_max_elements()]
        seen.append(index.knn_query(x, k=5))
    index = h.Index('l2', 4)  # not inited
    seen += [index.element_count, index.max_elements, index.ef, index.M, index.ef_construction]
    seen += [attempt(h.Index, 'hamming', 4), attempt(h.Index, 'l2'), attempt(h.Index), attempt(h.Index, 'l2', 'text'),
             attempt(h.BFIndex, 'hamming', 4)]
    return seen


@case('hnswlib')
@case('chroma')
def errors(name):
    same(*both(name, errors_of), 'errors')


def all_deleted_of(h, metric):
    """Everything deleted: nothing is found, adding goes on, undeleting brings it back; the entry point deleted early."""
    seen = []
    index, x = small(h, metric, 120, 200)
    for label in range(120):
        index.mark_deleted(label)
        if label % 17 == 0:
            seen.append(attempt(index.knn_query, x[:8], k=3))
    seen += [attempt(index.knn_query, x[:8], k=1), index.get_current_count()]
    index.add_items(x[120:140], np.arange(120, 140))
    seen.append(attempt(index.knn_query, x[:8], k=3))
    for label in range(0, 120, 2):
        index.unmark_deleted(label)
    seen.append(index.knn_query(x, k=4))
    index.add_items(x[140:160], np.arange(1, 41, 2))  # updates of deleted ones: they live again
    seen += [index.knn_query(x, k=4), attempt(index.unmark_deleted, 1), items(index, [1, 39])]
    return seen


def all_deleted(name, metric):
    same(*both(name, all_deleted_of, metric), 'all deleted')


for _name in MODULES:
    for _metric in METRICS:
        case(_name, _metric)(all_deleted)


def stored(h, metric, x):
    """What get_items gives back: only Chroma's keeps the lengths of cosine vectors."""
    return x / np.linalg.norm(x, axis=1, keepdims=True) if metric == 'cosine' and not is_chroma(h) else x


def full_house(h, metric, threads, rounds):
    """At full capacity, half is deleted and replaced by many threads, again and again. The recall afterwards."""
    n, dim = 1600, 16
    x, q = vectors(21, n * (rounds + 2), dim), vectors(22, 200, dim)
    index = h.Index(metric, dim)
    index.init_index(n, M=16, ef_construction=100, allow_replace_deleted=True)
    index.set_num_threads(threads)
    index.set_ef(100)
    index.add_items(x[:n])
    live, rng, at = np.arange(n), np.random.default_rng(23), n
    for _ in range(rounds):
        gone = rng.permutation(live)[:n // 2]
        for label in gone:
            index.mark_deleted(label)
        fresh = np.arange(at, at + n // 2)
        index.add_items(x[fresh], fresh, replace_deleted=True)
        at += n // 2
        live = np.concatenate([np.setdiff1d(live, gone), fresh])
        assert index.get_current_count() == n and sorted(index.get_ids_list()) == sorted(live.tolist())
        assert attempt(index.add_items, x[:1], 10**9, replace_deleted=True) == 'RuntimeError: The number of elements exceeds the specified limit'
        assert np.allclose(items(index, live), stored(h, metric, x[live]), rtol=1e-5)
        found, _ = index.knn_query(q, k=10)
        assert np.isin(found, live).all()
    return recall(live[data.exact_neighbours(x[live], q, 10, metric)], found)


def replaced_by_threads(name, metric, threads):
    theirs, got = both(name, full_house, metric, threads, 5)
    assert got > theirs - .015, f'recall {got:.4f}, the original has {theirs:.4f}'
    return f'recall {got:.4f} ({theirs:.4f})'


for _args in (('hnswlib', 'l2', 50), ('hnswlib', 'cosine', 4), ('chroma', 'l2', 4), ('chroma', 'cosine', 50)):
    case(*_args)(replaced_by_threads)


def updated(h, metric, threads):
    """Every vector is overwritten several times; what is found then."""
    n, dim = 1500, 12
    x, q = vectors(31, 4 * n, dim), vectors(32, 200, dim)
    index = h.Index(metric, dim)
    index.init_index(n, M=12, ef_construction=80)
    index.set_num_threads(threads)
    index.set_ef(80)
    for part in np.split(x, 4):
        index.add_items(part, np.arange(n))
    assert index.get_current_count() == n and np.allclose(items(index, np.arange(n)), stored(h, metric, part), rtol=1e-5)
    return recall(index.knn_query(q, k=10)[0], data.exact_neighbours(part, q, 10, metric))


def updates(name, metric, threads):
    theirs, got = both(name, updated, metric, threads)
    assert got > theirs - .015, f'recall {got:.4f}, the original has {theirs:.4f}'
    return f'recall {got:.4f} ({theirs:.4f})'


for _args in (('hnswlib', 'l2', 1), ('hnswlib', 'ip', 4), ('chroma', 'cosine', 4)):
    case(*_args)(updates)


# From here on the original goes wrong, so only the build with libhnx is asked.

def replace_known_label_of(h):
    """replace_deleted with a label that is there already updates it: one place a label. The original makes a second one."""
    index, x = small(h, n=100, replace=True)
    for label in (3, 4, 5):
        index.mark_deleted(label)
    index.add_items(x[100], 50, replace_deleted=True)  # live: updated where it is
    assert sorted(index.get_ids_list()) == list(range(100)) and index.get_current_count() == 100
    found = index.knn_query(x[100], k=97)[0][0].tolist()
    assert sorted(found) == sorted(set(range(100)) - {3, 4, 5}), found
    assert np.array_equal(items(index, [50]), x[100:101])
    index.add_items(x[101], 4, replace_deleted=True)  # deleted: lives again in its own place
    assert sorted(index.get_ids_list()) == list(range(100)) and np.array_equal(items(index, [4]), x[101:102])
    assert attempt(index.unmark_deleted, 4) == 'RuntimeError: The requested to undelete element is not deleted'
    index.unmark_deleted(3)
    index.add_items(x[102], 777, replace_deleted=True)  # the last free place
    assert sorted(index.get_ids_list()) == sorted(set(range(100)) - {5} | {777})
    assert attempt(index.add_items, x[103], 778, replace_deleted=True) == 'RuntimeError: The number of elements exceeds the specified limit'
    index.set_ef(100)
    found = index.knn_query(x[102], k=100)[0][0].tolist()
    assert sorted(found) == sorted(set(range(100)) - {5} | {777})


@case('hnswlib')
@case('chroma')
def replace_known_label(name):
    ours[name].take(replace_known_label_of)


def one_label_of(h, replace):
    """Many threads add the same few labels at once: one element each."""
    x = vectors(41, 3000, 8)
    index = h.Index('l2', 8)
    index.init_index(200, M=8, ef_construction=40, allow_replace_deleted=replace)
    index.set_num_threads(16)
    index.add_items(x[:1], [0])
    for round in range(6):
        index.add_items(x, np.tile(np.arange(30) + 25 * round, 100), replace_deleted=replace)
        assert sorted(index.get_ids_list()) == list(range(30 + 25 * round)), round
        assert index.get_current_count() == 30 + 25 * round
    index.set_ef(200)
    found, _ = index.knn_query(x[:50], k=20, num_threads=1)  # updates leave some out of reach, here as in the original
    assert all(len(set(row)) == 20 for row in found.tolist()) and found.max() < 155


@case('hnswlib', False)
@case('hnswlib', True)
@case('chroma', False)
def same_label_from_threads(name, replace):
    ours[name].take(one_label_of, replace)


def few_links(h):
    """M below 2 cannot be built with: the original runs out of memory or crashes at the first element. Here each add says
    so, and nothing is added."""
    seen = []
    for m in (0, 1, 2):
        index = h.Index('l2', 4)
        index.init_index(10, M=m)
        seen += [attempt(index.add_items, vectors(52, 1, 4), [0]), index.get_current_count()]
    return seen


@case('hnswlib')
@case('chroma')
def m_below_two(name):
    zero, none, one, nothing, two, count = ours[name].take(few_links)
    assert str(zero).startswith('RuntimeError') and str(one).startswith('RuntimeError'), f'M 0: {zero}, M 1: {one}'
    assert none == nothing == 0 and two is None and count == 1


def shrunk(h):
    """resize_index(0) of an empty index: the original frees twice."""
    x = vectors(51, 30, 4)
    index = h.Index('l2', 4)
    index.init_index(10)
    first = attempt(index.resize_index, 0)
    index.resize_index(30)
    index.add_items(x, num_threads=1)
    return first, index.knn_query(x, k=1)[0].ravel().tolist()


@case('hnswlib')
@case('chroma')
def resized_to_nothing(name):
    first, found = ours[name].take(shrunk)
    assert found == list(range(30))
    return f'resize_index(0): {first}'


if __name__ == '__main__':
    run('changes', only=sys.argv[1] if len(sys.argv) > 1 else None)
