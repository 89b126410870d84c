"""Pickles cross between the original and the build with libhnx: the bindings copy the graph's memory out and in."""
import copy
import gc
import pickle
import sys
import tempfile
import numpy as np
from builds import METRICS, MODULES, attempt, both, is_chroma, items, originals, ours, same, same_neighbours, vectors
import data
from harness import case, run

KEPT = {}  # in a worker: name -> index
LAST = {}  # in a worker: (metric, dim) -> the data of its index


def day_of(h, metric, replace=False, threads=1, n=500, dim=12, exact=True):
    """An index after a day's work; its labels, live and dead."""
    rng = np.random.default_rng(7)
    x = data.exact(rng, n, dim, metric) if exact else vectors(7, n, dim)
    index = h.Index(metric, dim)
    index.init_index(n + 20, M=5, ef_construction=40, random_seed=3, allow_replace_deleted=replace)
    index.set_ef(47)
    index.set_num_threads(threads)
    labels = data.labels(rng, n)
    index.add_items(x[:n - 50], labels[:n - 50])
    index.add_items(x[-60:-50], labels[:10])
    dead = labels[20:140]
    for label in dead:
        index.mark_deleted(label)
    if replace:
        index.add_items(x[-50:-20], labels[-50:-20], replace_deleted=True)
    for label in [label for label in dead if label in index.get_ids_list()][::6]:
        index.unmark_deleted(label)
    return index, x, labels


def make(h, name, metric, **options):
    KEPT[name], *_ = day_of(h, metric, **options)
    return pickle.dumps(KEPT[name])


def take(h, name, pickled):
    KEPT[name] = pickle.loads(pickled)


def state(h, name):
    """What a pickle holds, apart from the level-0 records of Chroma's cosine index, whose lengths are not in it."""
    (result,) = KEPT[name].__getstate__()
    return dict(result)


def unordered(state):
    """A state with its label map in the order of labels: the map of an unpickled index iterates in another order."""
    order = np.argsort(state['label_lookup_external'])
    return {k: v[order] if k.startswith('label_lookup') else v for k, v in state.items()}


def look(h, name, lengths=True):
    """Everything that can be asked of an index without changing it."""
    index = KEPT[name]
    names = ('space', 'dim', 'ef', 'M', 'ef_construction', 'max_elements', 'element_count', 'num_threads')
    seen = [repr(index), [getattr(index, n) for n in names], sorted(index.get_ids_list()), index.get_max_elements(), index.get_current_count()]
    _, x, labels = LAST[(index.space, index.dim)]
    if lengths:
        seen.append([attempt(index.get_items, [label]) for label in labels[::3]])
    seen.append([attempt(index.knn_query, x[:40], k=k, num_threads=1) for k in (1, 10)])
    seen.append(attempt(index.knn_query, x[:40], k=5, num_threads=1, filter=lambda label: label % 2 == 0))
    return seen


def ids_of(h, name):
    return KEPT[name].get_ids_list()


def data_of(h, metric, n=500, dim=12, exact=True):
    """The data of day_of, for look() and work()."""
    rng = np.random.default_rng(7)
    x = data.exact(rng, n, dim, metric) if exact else vectors(7, n, dim)
    LAST[(metric, dim)] = None, x, data.labels(rng, n)


def work(h, name):
    """The index goes on after it was unpickled: adds, updates, deletions, replacements, resize. Every stage's answers."""
    index = KEPT[name]
    _, x, labels = LAST[(index.space, index.dim)]
    rng = np.random.default_rng(8)
    fresh = np.setdiff1d(data.labels(rng, 900), labels)
    chroma_cosine = is_chroma(h) and index.space == 'cosine'
    seen = []
    index.set_num_threads(1)
    seen.append(attempt(index.add_items, x[:60], fresh[:60]))  # not all find room
    seen.append(index.get_current_count())
    index.resize_index(700)
    index.add_items(x[60:120], fresh[60:120])
    live = [label for label in index.get_ids_list() if not isinstance(attempt(index.get_items, [label]), str)]
    index.add_items(x[200:230], live[:30])  # updates
    for label in live[40:90]:
        index.mark_deleted(label)
    seen.append(look(h, name, not chroma_cosine))
    seen.append(attempt(index.add_items, x[300:320], fresh[200:220], replace_deleted=True))
    seen.append(look(h, name, not chroma_cosine))
    seen.append(index.get_ids_list())
    state_now = state(h, name)
    seen.append({k: state_now[k] for k in ('data_level0', 'link_lists', 'element_levels', 'label_lookup_internal', 'max_level', 'enterpoint_node')})
    return seen


def build_of(which, name):
    return (ours if which == 'ours' else originals)[name]


def states(name, metric):
    """The same work leads to the same state, byte for byte."""
    for replace in (False, True):
        both(name, make, 'index', metric, replace=replace)
        same(*both(name, state, 'index'), f'replace {replace}')


def crossing(name, metric, replace):
    """Pickled here, unpickled there: both then answer and go on like the original's own copy."""
    pickled = originals[name].take(make, 'theirs', metric, replace=replace)
    got = ours[name].take(make, 'ours', metric, replace=replace)
    looks, works, ids = {}, {}, {}
    lengths = not (name == 'chroma' and metric == 'cosine')  # the bindings do not pickle lengths: get_items is at a loss
    for which in ('originals', 'ours'):
        build = build_of(which, name)
        build.take(data_of, metric)
        for sender, dump in (('theirs', pickled), ('ours', got)):
            build.take(take, f'from {sender}', dump)
            looks[which, sender] = build.take(look, f'from {sender}', lengths)
            ids[which, sender] = build.take(ids_of, f'from {sender}')
            again = build.take(state, f'from {sender}')
            same(unordered(again), unordered(originals[name].take(state, 'theirs')), f'state in {which} from {sender}')
            works[which, sender] = build.take(work, f'from {sender}')
    for key in looks:
        same(looks['originals', 'theirs'], looks[key], f'{key}')
        same(ids['originals', 'theirs'], ids[key], f'{key}: get_ids_list')
        same(works['originals', 'theirs'], works[key], f'{key} goes on')


for _name in MODULES:
    for _metric in METRICS:
        case(_name, _metric)(states)
        for _replace in (False, True):
            case(_name, _metric, _replace)(crossing)


def copies_of(h, metric):
    """copy, deepcopy, Index(index), Index(params), all protocols; the copies are independent of each other."""
    index, x, labels = day_of(h, metric, replace=True)
    LAST[(metric, 12)] = None, x, labels
    lengths = not (is_chroma(h) and metric == 'cosine')
    makers = {'copy': copy.copy, 'deepcopy': copy.deepcopy, 'Index(index)': h.Index, 'Index(params)': lambda i: h.Index(i.__getstate__()[0])}
    makers.update({f'protocol {p}': lambda i, p=p: pickle.loads(pickle.dumps(i, p)) for p in range(2, pickle.HIGHEST_PROTOCOL + 1)})
    KEPT['original'] = index
    reference, seen = look(h, 'original', lengths), []
    for name, maker in makers.items():
        KEPT['copy'] = maker(index)
        same(reference, look(h, 'copy', lengths), name)
        KEPT['copy of copy'] = maker(KEPT['copy'])
        work(h, 'copy')
        same(reference, look(h, 'original', lengths), f'{name}: after the copy went on')
        same(reference, look(h, 'copy of copy', lengths), f'{name}: after the copy of the copy went on')
    KEPT.clear()
    with tempfile.TemporaryDirectory() as folder:  # a saved copy equals its own reload
        KEPT['copy'] = pickle.loads(pickle.dumps(index))
        KEPT['copy'].save_index(f'{folder}/x')
        other = h.Index(metric, 12)
        other.load_index(f'{folder}/x', 0, True)
        other.set_ef(47)
        seen.append(other.knn_query(x[:40], k=10, num_threads=1))
        same(seen[-1], KEPT['copy'].knn_query(x[:40], k=10, num_threads=1), 'loaded')
    return reference, seen


def copies(name, metric):
    same(*both(name, copies_of, metric), 'copies')


for _name in MODULES:
    for _metric in METRICS:
        case(_name, _metric)(copies)


def edges_of(h, folder):
    """Pickles of new, empty, one-element and full indexes, and of damaged states."""
    folder = tempfile.mkdtemp(dir=folder)  # both builds are at it
    rng, seen = np.random.default_rng(1), []
    x = data.exact(rng, 60, 4, 'l2')
    new = h.Index('l2', 4)
    new.set_ef(21)
    new.num_threads = 5
    (params,) = new.__getstate__()
    params['seed'] = 0  # not initialised by the bindings
    other = h.Index(params)
    seen += [other.ef, other.num_threads, repr(other)]
    other.init_index(60, random_seed=4)
    other.add_items(x[:10], num_threads=1)
    seen.append(other.knn_query(x[:3], k=3))
    index = h.Index('l2', 4)
    index.init_index(40, M=3, ef_construction=10, allow_replace_deleted=True)
    for count in (0, 1, 2, 40):
        if count:  # add_items of nothing reads the first row
            index.add_items(x[index.element_count:count], np.arange(index.element_count, count), num_threads=1)
        twin = pickle.loads(pickle.dumps(index))
        seen.append((count, twin.element_count, twin.max_elements, twin.get_ids_list(), attempt(twin.knn_query, x[:5], k=1)))
        seen.append(attempt(twin.add_items, x[40:41], 1000, num_threads=1))
        seen.append((twin.get_ids_list(), attempt(twin.knn_query, x[:5], k=1)))
    (good,) = index.__getstate__()
    for key, value in (('ser_version', 2), ('offset_level0', 8), ('size_data_per_element', 7), ('label_offset', 1), ('offset_data', 1),
                       ('max_M', 9), ('max_M0', 9), ('mult', 1.5), ('ef_construction', 9), ('size_links_per_element', 5), ('space', 'hamming')):
        seen.append((key, attempt(lambda: repr(h.Index({**good, key: value})))))
    del good['seed']
    seen.append(attempt(lambda: repr(h.Index(good))))
    seen.append(attempt(h.Index, 3))
    return seen


@case('hnswlib')
@case('chroma')
def edges(name):
    with tempfile.TemporaryDirectory() as folder:
        same(*both(name, edges_of, folder), 'edges')


def chroma_lengths_of(h, pickled):
    """A cosine index of Chroma's after unpickling: what get_items makes without the lengths."""
    index = pickle.loads(pickled)
    _, x, labels = day_of(h, 'cosine', exact=False)
    live = [label for label in labels[:450] if label in index.get_ids_list() and not isinstance(attempt(index.get_items, [label]), str)]
    got = items(index, live)
    index.add_items(x[:1], live[:1], num_threads=1)  # an update brings the length back
    return x[10:450], got, items(index, live[:1]), x[:1]


@case
def chroma_lengths():
    """The original multiplies by whatever malloc returned. What comes here must at least be finite, and heal by updating."""
    got, again, x = ours['chroma'].take(chroma_lengths_of, ours['chroma'].take(make, 'i', 'cosine', exact=False))[1:]
    assert np.isfinite(got).all()
    assert np.allclose(again, x, rtol=1e-5), f'{again} != {x}'
    norms = np.linalg.norm(got, axis=1)
    return f'lengths {norms.min():.4g} .. {norms.max():.4g}'


def memory():
    with open('/proc/self/statm') as f:
        return int(f.read().split()[1]) * 4096


def in_and_out(h):
    """Index made, pickled, unpickled and dropped over and over: the process does not grow."""
    index, x, labels = day_of(h, 'l2', n=2000)
    text = pickle.dumps(index)

    def go(times):
        for _ in range(times):
            other = pickle.loads(text)
            other.add_items(x[:5], np.arange(5) + 2**40, num_threads=1)
            other.resize_index(2500)
            pickle.dumps(other)
    go(30)
    gc.collect()
    before = memory()
    go(300)
    gc.collect()
    return memory() - before


@case
def unpickling_does_not_leak():
    grown = ours['hnswlib'].take(in_and_out)
    assert grown < 16 << 20, f'{grown} bytes in 300 rounds'
    return f'{grown >> 10} KiB'


if __name__ == '__main__':
    run('pickles', only=sys.argv[1] if len(sys.argv) > 1 else None)
