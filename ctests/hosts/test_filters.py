"""Python callables as filters: what they are asked, what they let through, and what they throw."""
import gc
import sys
import threading
import numpy as np
from builds import METRICS, MODULES, attempt, both, ours, same, same_neighbours, vectors
import data
from harness import case, run


def index_of(h, metric, x, labels=None, capacity=None, ef=10, **options):
    index = h.Index(metric, x.shape[1])
    index.init_index(capacity or len(x), **{'M': 8, 'ef_construction': 60, **options})
    index.add_items(x, labels, num_threads=1)
    index.set_ef(ef)
    return index


def selective(h, metric, exact):
    """Filters from generous to stingy, on an index without and with deleted elements; k and ef small and large."""
    rng = np.random.default_rng(1)
    x = data.exact(rng, 640, 12, metric) if exact else vectors(1, 640, 12)
    labels, seen = rng.permutation(5000)[:600], []
    index = index_of(h, metric, x[:600], labels)
    allowed = set(rng.permutation(labels)[:40].tolist())
    filters = [lambda label: True, lambda label: label % 2 == 0, lambda label: label % 10 == 3, allowed.__contains__,
               lambda label: label < 30, lambda label: label == labels[17], lambda label: False, None]
    for deleted in (False, True):
        for f in filters:
            for k, ef in ((1, 1), (1, 10), (10, 10), (10, 200), (40, 600)):
                index.set_ef(ef)
                seen.append(attempt(index.knn_query, x[600:], k=k, num_threads=1, filter=f))
        for label in labels[:200]:
            if not deleted:
                index.mark_deleted(label)
    return seen


def agree_on_selections(name, metric, exact):
    theirs, got = both(name, selective, metric, exact)
    answered = 0
    for n, (a, b) in enumerate(zip(theirs, got)):
        if exact or isinstance(a, str) or isinstance(b, str):
            same(a, b, f'query {n}')
        else:
            same_neighbours(a, b, f'query {n}', rows=1)
        answered += not isinstance(a, str)
    return f'{answered} of {len(theirs)} answered'


for _name in MODULES:
    for _metric in METRICS:
        case(_name, _metric, True)(agree_on_selections)
    case(_name, 'l2', False)(agree_on_selections)
    case(_name, 'cosine', False)(agree_on_selections)


def questions_of(h):
    """The labels a filter is asked about, in their order: never a deleted one, none twice."""
    rng = np.random.default_rng(2)
    x = data.exact(rng, 400, 8, 'l2')
    index, seen = index_of(h, 'l2', x[:380], ef=30), []
    for label in range(0, 380, 7):
        index.mark_deleted(label)
    for q in x[380:]:
        asked = []
        result = index.knn_query(q, k=3, num_threads=1, filter=lambda label: asked.append(label) or label % 3 > 0)
        assert len(asked) == len(set(asked)) and all(label % 7 for label in asked)
        assert all(type(label) is int for label in asked)
        seen.append((asked, result))
    return seen


@case('hnswlib')
@case('chroma')
def questions(name):
    same(*both(name, questions_of), 'asked')


def exact_under_filter(h, metric):
    """With ef as large as the index, a filtered search is exact among the allowed."""
    x = vectors(3, 900, 16)
    index = index_of(h, metric, x[:800], ef=800, ef_construction=200, M=16)
    for share in (2, 9, 40):
        rows = np.arange(0, 800, share)
        found, _ = index.knn_query(x[800:], k=10, num_threads=1, filter=lambda label: label % share == 0)
        nearest = rows[data.exact_neighbours(x[rows], x[800:], 10, metric)]
        hits = np.mean([len(np.intersect1d(f, e)) for f, e in zip(found, nearest)]) / 10
        assert hits > .995, f'one in {share}: {hits}'


@case('l2')
@case('ip')
@case('cosine')
def exact_among_the_allowed(metric):
    ours['hnswlib'].take(exact_under_filter, metric)


class Trouble(Exception):
    """An exception of the host's own."""


def raising_of(h):
    """Exceptions of every kind, at the first and at a later question, by one and by many threads."""
    rng = np.random.default_rng(3)
    x = data.exact(rng, 700, 10, 'l2')
    index, seen = index_of(h, 'l2', x[:600], ef=40), []
    reference = index.knn_query(x[600:], k=5, num_threads=1)

    def thrower(error, after):
        count = [0]

        def f(label):
            count[0] += 1
            if count[0] > after:
                raise error
            return True
        return f
    errors = [ValueError('no'), KeyError(3), Trouble('with', 'two arguments'), StopIteration(), ZeroDivisionError('by zero'),
              UnicodeDecodeError('utf-8', b'\xff', 0, 1, 'text'), OSError(2, 'No such file'), MemoryError(), RecursionError('deep'),
              RuntimeError('The number of elements exceeds the specified limit'), RuntimeError('')]
    for error in errors:
        for after in (0, 1, 2, 17, 60):
            seen.append(attempt(index.knn_query, x[600], k=5, num_threads=1, filter=thrower(error, after)))
            same(reference, index.knn_query(x[600:], k=5, num_threads=1), f'after {error!r}')
    for error in (KeyboardInterrupt('stop'), SystemExit(3), GeneratorExit()):  # not Exceptions
        try:
            index.knn_query(x[600], k=5, num_threads=1, filter=thrower(error, 1))
            seen.append('nothing')
        except BaseException as e:
            seen.append((type(e).__name__, str(e)))
    for f in (lambda: True, lambda a, b: True, lambda label: 'text', lambda label: None, lambda label: [], lambda label: 2,
              lambda label: np.bool_(True), 3, 'text'):
        seen.append(attempt(index.knn_query, x[600], k=5, num_threads=1, filter=f))
    for threads in (2, 4):  # all threads throw; one of the exceptions arrives
        seen.append(attempt(index.knn_query, x[600:], k=5, num_threads=threads, filter=thrower(ValueError('no'), 0)))
        seen.append(attempt(index.knn_query, x[600:], k=5, num_threads=threads, filter=thrower(ValueError('no'), 200)))
        same(reference, index.knn_query(x[600:], k=5, num_threads=threads), 'after threads threw')
    # The traceback leads to the filter.
    try:
        index.knn_query(x[600], k=5, filter=thrower(Trouble('there'), 0))
    except Trouble as error:
        seen.append((error.args, error.__traceback__.tb_next.tb_frame.f_code.co_name))
    # Whatever was thrown, everything still works.
    index.mark_deleted(3)
    index.add_items(x[600], 3)
    index.resize_index(800)
    index.add_items(x[600:], num_threads=1)
    seen.append(index.knn_query(x[600:], k=5, num_threads=1))
    return seen


@case('hnswlib')
@case('chroma')
def raising(name):
    same(*both(name, raising_of), 'raised')


def nested_of(h):
    """A filter that itself searches: this index, another one, a brute-force one; and one that reads vectors and counts."""
    rng = np.random.default_rng(4)
    x = data.exact(rng, 300, 6, 'l2')
    index, other, seen = index_of(h, 'l2', x[:280], ef=20), index_of(h, 'ip', x[:50]), []
    plain = h.BFIndex('l2', 6)
    plain.init_index(50)
    plain.add_items(x[:50])

    def within(label):
        inner = index.knn_query(x[label], k=2, num_threads=1, filter=lambda l: l != label)[0][0, 0]
        near = other.knn_query(x[label], k=1, num_threads=1)[0][0, 0]
        exact = plain.knn_query(x[label], k=1)[0][0, 0]
        return bool((inner + near + exact) % 3) and np.asarray(index.get_items([label])).shape == (1, 6) and index.element_count == 280
    for q in x[280:]:
        seen.append(attempt(index.knn_query, q, k=4, num_threads=1, filter=within))

    def failing(label):
        try:
            index.knn_query(x[label], k=2, num_threads=1, filter=lambda l: 1 / 0)
        except ZeroDivisionError:
            return label % 2 == 0
    seen.append(index.knn_query(x[280:], k=4, num_threads=1, filter=failing))
    return seen


@case('hnswlib')
@case('chroma')
def nested(name):
    same(*both(name, nested_of), 'nested')


def memory():
    with open('/proc/self/statm') as f:
        return int(f.read().split()[1]) * 4096


def raising_often(h):
    """Many exceptions do not make the process grow, although each of them leaves a search in the middle."""
    x = vectors(5, 2200, 8)
    index = index_of(h, 'l2', x[:2000], capacity=20000)
    reference = index.knn_query(x[2000:], k=5, num_threads=1)

    def go(times):
        count = [0]

        def f(label):
            count[0] += 1
            if count[0] % 5 == 0:
                raise ValueError('no')
            return True
        for n in range(times):
            try:
                index.knn_query(x[2000 + n % 200], k=5, num_threads=1, filter=f)
            except ValueError:
                pass
    go(500)
    gc.collect()
    before = memory()
    go(20000)
    gc.collect()
    grown = memory() - before
    same(reference, index.knn_query(x[2000:], k=5, num_threads=1), 'after 20000 exceptions')
    return grown


@case('hnswlib')
@case('chroma')
def raising_does_not_leak(name):
    # The bindings lose the two result arrays of a query that throws, some hundred bytes; a search lost would be far more.
    grown = ours[name].take(raising_often)
    assert grown < 8 << 20, f'{grown} bytes in 20000 exceptions'
    return f'{grown >> 10} KiB'


def threaded(h):
    """Filtered queries by several threads of the module and of Python; some of them throw all the time."""
    x = vectors(6, 1300, 12)
    index = index_of(h, 'l2', x[:1000], ef=50)
    reference = index.knn_query(x[1000:], k=6, num_threads=1, filter=lambda label: label % 2 == 0)
    errors = []

    def good(threads):
        try:
            for _ in range(3):
                same(reference, index.knn_query(x[1000:], k=6, num_threads=threads, filter=lambda label: label % 2 == 0), 'good')
        except Exception as error:
            errors.append(error)

    def bad(threads):
        for n in range(30):
            seen = attempt(index.knn_query, x[1000:1100], k=6, num_threads=threads, filter=lambda label: 1 // (label % 50))
            if seen != 'ZeroDivisionError: integer division or modulo by zero':
                errors.append(AssertionError(seen))
    run_all = [threading.Thread(target=f, args=(n,)) for f in (good, bad) for n in (1, 2, 4)]
    for t in run_all:
        t.start()
    for t in run_all:
        t.join()
    if errors:
        raise errors[0]
    return reference


@case('hnswlib')
@case('chroma')
def threads_filter(name):
    same_neighbours(*both(name, threaded), 'filtered')


if __name__ == '__main__':
    run('filters', only=sys.argv[1] if len(sys.argv) > 1 else None)
