"""Chroma's persistent index: directories cross between the original and the build with libhnx, and live on in both.

The original does not write all it has: the first element, and the lists of neighbours that an update rewrites, get to the
disk only if something else marks them. So its directory is compared with what it finds itself after opening it again.
"""
import os
import shutil
import sys
import tempfile
import numpy as np
from builds import METRICS, attempt, both, items, originals, ours, recall, same, same_neighbours, vectors
import agree
import data
import formats
from harness import case, run

DIM = 10
theirs, got = originals['chroma'], ours['chroma']
KEPT = {}  # in a worker: the index of a directory


def sample(metric, n=600):
    rng = np.random.default_rng(13)
    return data.exact(rng, n, DIM, metric), data.labels(rng, n)


def create(h, metric, path, capacity=500, replace=False):
    os.makedirs(path, exist_ok=True)
    index = KEPT[path] = h.Index(metric, DIM)
    index.init_index(capacity, M=4, ef_construction=40, random_seed=5, allow_replace_deleted=replace,
                     is_persistent_index=True, persistence_location=path)
    index.set_num_threads(1)
    index.set_ef(40)


def opened(h, metric, path, capacity=0, replace=False):
    index = KEPT[path] = h.Index(metric, DIM)
    index.load_index(path, capacity, replace, True)
    index.set_num_threads(1)
    index.set_ef(40)
    return index.max_elements, index.element_count, sorted(index.get_ids_list())


def dropped(h, path):
    del KEPT[path]


def persisted(h, path):
    KEPT[path].persist_dirty()


def add(h, path, x, labels, replace=False):
    KEPT[path].add_items(x, labels, replace_deleted=replace)


def delete(h, path, labels, undo=False):
    for label in labels:
        (KEPT[path].unmark_deleted if undo else KEPT[path].mark_deleted)(label)


def resized(h, path, size):
    KEPT[path].resize_index(size)


def look(h, path, labels, queries):
    """Whom it finds and what it holds."""
    index = KEPT[path]
    return (index.element_count, sorted(index.get_ids_list()), [attempt(index.get_items, [label]) for label in labels],
            [attempt(index.knn_query, queries, k=k) for k in (1, 6)],
            attempt(index.knn_query, queries, k=2, filter=lambda label: label % 2 == 0))


def saved(h, path, to):
    KEPT[path].save_index(to)


def life(first, second, metric, replace, folder):
    """One directory handed back and forth between two builds, with some work and persist_dirty in between; the model is
    what was done. Returns the look of the last one."""
    x, labels = sample(metric, 900)
    rng = np.random.default_rng(3)
    path, at, live, dead = f'{folder}/directory', 40, {}, set()
    first.take(create, metric, path, 300, replace)
    first.take(add, path, x[:40], labels[:40])
    live.update(zip(labels[:40].tolist(), x[:40]))
    first.take(persisted, path)
    for round in range(8):
        first.take(dropped, path)
        first, second = second, first
        what = f'round {round}, {first.name}'
        capacity, count, ids = first.take(opened, metric, path, 900 if round % 2 else 0, replace)
        assert count == len(ids) == len(live) + len(dead) and ids == sorted(live.keys() | dead), f'{what}: {count} elements'
        assert capacity == (900 if round % 2 or round > 1 else 300), f'{what}: {capacity}'
        if round == 1:
            first.take(resized, path, 900)
        elif round == 0:
            first.take(resized, path, 420)
        n = int(rng.integers(20, 90))
        first.take(add, path, x[at:at + n], labels[at:at + n])
        live.update(zip(labels[at:at + n].tolist(), x[at:at + n]))
        at += n
        gone = rng.permutation(np.array(sorted(live), np.uint64))[:15].tolist()
        first.take(delete, path, gone)
        dead |= set(gone)
        for label in gone:
            del live[label]
        if replace:
            before = len(dead)
            first.take(add, path, x[at:at + 5], labels[at:at + 5], True)
            live.update(zip(labels[at:at + 5].tolist(), x[at:at + 5]))
            at += 5
            dead = set(first.take(ids_of, path)) - live.keys()
            assert len(dead) == before - 5, what
        back = sorted(dead)[:4]
        first.take(delete, path, back, True)
        for label in back:
            live[label] = x[labels.tolist().index(label)]
            dead.discard(label)
        updated = sorted(live)[::9]
        rows = rng.integers(0, len(x), len(updated))
        first.take(add, path, x[rows], np.array(updated, np.uint64))
        live.update(zip(updated, x[rows]))
        x = x.copy()
        for label, row in zip(updated, rows):
            x[labels.tolist().index(label)] = x[row]
        first.take(persisted, path)
        first.take(persisted, path)  # nothing more
    first.take(dropped, path)
    return live, dead


def ids_of(h, path):
    return KEPT[path].get_ids_list()


def handed_on(metric, replace):
    """Both builds in turn on one directory: at the end either of them finds every record as it was last written."""
    with tempfile.TemporaryDirectory() as folder:
        live, dead = life(theirs, got, metric, replace, folder)
        seen = []
        for build in (theirs, got):
            path = shutil.copytree(f'{folder}/directory', f'{folder}/{"theirs" if build is theirs else "ours"}')
            build.take(opened, metric, path)
            wanted = sorted(live)
            seen.append(build.take(look, path, wanted + sorted(dead)[:5], np.array([live[label] for label in wanted[:60]])))
            held = np.array([v[0] for v in seen[-1][2][:len(wanted)]], np.float32)
            assert np.allclose(held, [live[label] for label in wanted], rtol=1e-5), build.name
            assert seen[-1][2][len(wanted):] == ['RuntimeError: Label not found'] * min(5, len(dead)), build.name
        same(*seen, 'opened')
        return f'{len(live)} live, {len(dead)} deleted'


for _metric in METRICS:
    for _replace in (False, True):
        case(_metric, _replace)(handed_on)


def fresh(metric):
    """The same adds and deletions in both, then persisted: record for record the same directory."""
    x, labels = sample(metric)
    with tempfile.TemporaryDirectory() as folder:
        for build, path in ((theirs, f'{folder}/theirs'), (got, f'{folder}/ours')):
            build.take(create, metric, path)
            build.take(add, path, x[:200], labels[:200])
            build.take(persisted, path)
            build.take(add, path, x[200:480], labels[200:480])
            build.take(delete, path, labels[30:90:2])
            build.take(persisted, path)
            build.take(dropped, path)
        a, b = formats.read(f'{folder}/theirs'), formats.read(f'{folder}/ours')
        agree.same_records(a, b, 'directories', lengths=metric == 'cosine')
        for file in formats.FILES:
            sizes = [os.path.getsize(f'{folder}/{which}/{file}') for which in ('theirs', 'ours')]
            # The original fills records and lengths up to the capacity, libhnx writes those that are there.
            room = sizes[0] * 480 // 500 if file in ('data_level0.bin', 'length.bin') else sizes[0]
            assert sizes[1] == room, f'{file}: {sizes[0]} and {sizes[1]} bytes'
        looks = []
        for build in (theirs, got):
            for which in ('theirs', 'ours'):
                path = shutil.copytree(f'{folder}/{which}', f'{folder}/{which}-{build.name.replace(" ", "-")}')
                build.take(opened, metric, path)
                looks.append(build.take(look, path, labels[:480:7], x[500:560]))
        for other in looks[1:]:
            same(looks[0], other, 'opened')


for _metric in METRICS:
    case(_metric)(fresh)


def everything_arrives(metric):
    """With libhnx, disk equals memory after every persist_dirty: the only element, updates of it, lists that updates rewrite."""
    x, labels = sample(metric)
    with tempfile.TemporaryDirectory() as folder:
        path = f'{folder}/directory'
        got.take(create, metric, path, 600, True)
        steps = [(add, x[:1], labels[:1]), (add, x[1:2], labels[:1]), (delete, labels[:1]), (delete, labels[:1], True),
                 (add, x[1:300], labels[1:300]), (add, x[300:320], labels[50:70]), (delete, labels[100:140]),
                 (add, x[320:340], labels[320:340], True), (resized, 700), (add, x[340:], labels[340:])]
        for n, (step, *args) in enumerate(steps):
            got.take(step, path, *args)
            got.take(persisted, path)
            got.take(saved, path, f'{folder}/file')
            on_disk, memory = formats.read(path), formats.read(f'{folder}/file', chroma=True)
            agree.same_records(on_disk, memory, f'step {n}', lengths=metric == 'cosine')
            copy = shutil.copytree(path, f'{folder}/{n}')
            if n > 3:  # of one element the original can do little
                theirs.take(opened, metric, copy)
                same(theirs.take(look, copy, labels[:90], x[:50]), got.take(look, path, labels[:90], x[:50]), f'step {n}: the original')
            again = shutil.copytree(path, f'{folder}/{n}-again')
            got.take(opened, metric, again)
            same(got.take(look, again, labels[:90], x[:50]), got.take(look, path, labels[:90], x[:50]), f'step {n}: again')


for _metric in METRICS:
    case(_metric)(everything_arrives)


def lengths_of(h, metric, path):
    """Cosine vectors come back with their lengths, also of a directory."""
    x = vectors(17, 200, DIM)
    create(h, metric, path)
    KEPT[path].add_items(x)
    KEPT[path].add_items(x[:20], np.arange(100, 120))
    KEPT[path].persist_dirty()
    first = items(KEPT[path], np.arange(200))
    opened(h, metric, path)
    return first, items(KEPT[path], np.arange(200)), KEPT[path].knn_query(x[:50], k=4)


@case('l2')
@case('cosine')
def lengths(metric):
    expected = vectors(17, 200, DIM)
    expected[100:120] = expected[:20]
    with tempfile.TemporaryDirectory() as folder:
        a, b = theirs.take(lengths_of, metric, f'{folder}/theirs'), got.take(lengths_of, metric, f'{folder}/ours')
        assert np.allclose(b[0], expected, rtol=1e-5) and np.array_equal(b[0], b[1])
        same(a[0], b[0], 'get_items', rtol=1e-6)
        same(a[2], b[2], 'found', rtol=1e-5, atol=1e-6)


def texts_of(h, folder):
    """What persisting says when it is not possible."""
    x, labels = sample('l2')
    index, seen = h.Index('l2', DIM), []
    index.init_index(50)
    seen.append(attempt(index.persist_dirty))  # nothing to persist
    index.add_items(x[:20], labels[:20], num_threads=1)
    seen.append(attempt(index.persist_dirty))
    seen.append(index.element_count)
    seen.append(attempt(h.Index('l2', DIM).init_index, 50, is_persistent_index=True, persistence_location=''))
    seen.append(attempt(h.Index('l2', DIM).init_index, 50, is_persistent_index=True, persistence_location=3))
    # Persisting where nobody looks is off by default, whatever the location says.
    os.makedirs(f'{folder}/unused')
    index = h.Index('l2', DIM)
    index.init_index(50, persistence_location=f'{folder}/unused')
    seen.append(os.listdir(f'{folder}/unused'))
    # Beginning anew in a directory that holds an index empties it.
    create(h, 'l2', f'{folder}/d')
    KEPT[f'{folder}/d'].add_items(x[:20], labels[:20])
    KEPT[f'{folder}/d'].persist_dirty()
    create(h, 'l2', f'{folder}/d', 30)
    seen.append(opened(h, 'l2', f'{folder}/d', 30))
    seen.append(sorted(name for name in os.listdir(f'{folder}/d') if name.endswith('.bin')))  # libhnx has files of its own
    return seen


@case
def texts():
    with tempfile.TemporaryDirectory() as a, tempfile.TemporaryDirectory() as b:
        same(theirs.take(texts_of, a), got.take(texts_of, b), 'texts')


def refused_of(h, folder):
    """What the original passes over in silence, or crashes on."""
    x, labels = sample('l2')
    seen = {}

    def init(path):
        return attempt(h.Index('l2', DIM).init_index, 50, is_persistent_index=True, persistence_location=path)

    def load(path, persistent=True, dim=DIM):
        return attempt(h.Index('l2', dim).load_index, path, 0, False, persistent)
    seen['init in a missing directory'] = init(f'{folder}/missing')
    seen['load a missing directory'] = load(f'{folder}/never')
    os.makedirs(f'{folder}/empty')
    seen['load an empty directory'] = load(f'{folder}/empty')
    good = f'{folder}/good'
    create(h, 'l2', good)
    KEPT[good].add_items(x[:300], labels[:300])
    KEPT[good].persist_dirty()
    KEPT[good].save_index(f'{folder}/file')
    seen['load a directory as a file'] = load(good, False)
    seen['load a file as a directory'] = load(f'{folder}/file')
    seen['load with another dimension'] = load(good, dim=DIM + 1)
    for name in formats.FILES:
        for what, cut in (('missing', None), ('empty', 0), ('half', .5)):
            bad = shutil.copytree(good, f'{folder}/{what}-{name}')
            size = os.path.getsize(f'{bad}/{name}')
            if cut is None:
                os.remove(f'{bad}/{name}')
            else:
                os.truncate(f'{bad}/{name}', int(size * cut))
            seen[f'{name} {what}'] = load(bad)
    bad = shutil.copytree(good, f'{folder}/version')
    with open(f'{bad}/header.bin', 'r+b') as f:
        f.write(b'\x02')
    seen['another version'] = load(bad)
    seen['good'] = load(good)
    return seen


@case
def refused():
    with tempfile.TemporaryDirectory() as folder:
        seen = got.take(refused_of, folder)
        assert seen.pop('good') is None
        assert seen.pop('init in a missing directory') is None and os.path.exists(f'{folder}/missing/header.bin')
        expected = {'header.bin missing': 'Cannot open header file', 'data_level0.bin missing': 'Cannot open data_level0 file',
                    'length.bin missing': 'Cannot open length file', 'link_lists.bin missing': 'Cannot open link list file',
                    'another version': 'Cannot read persisted index: wrong persistence version'}
        passed = []
        for what, text in seen.items():
            # Lengths are of no use unless cosine; loadIndex() opens a directory, too.
            if (what.startswith('length.bin') or what == 'load a directory as a file') and text is None:
                passed.append(what)
                continue
            assert str(text).startswith('RuntimeError: '), f'{what}: {text}'
            if what in expected:
                assert text == f'RuntimeError: {expected[what]}', f'{what}: {text}'
        return f'passed: {passed}' if passed else None


def threads_of(h, path):
    """Adds by many threads, persisted in between and at the end."""
    x = vectors(19, 3000, DIM)
    create(h, 'cosine', path, 3000)
    KEPT[path].set_num_threads(8)
    for part in np.split(np.arange(3000), 6):
        KEPT[path].add_items(x[part], part)
        KEPT[path].persist_dirty()
    opened(h, 'cosine', path)
    KEPT[path].set_ef(100)
    assert np.allclose(items(KEPT[path], np.arange(3000)), x, rtol=1e-5)
    q = vectors(20, 200, DIM)
    return recall(KEPT[path].knn_query(q, k=10)[0], data.exact_neighbours(x, q, 10, 'cosine'))


@case
def threads_persist():
    with tempfile.TemporaryDirectory() as folder:
        got_recall = got.take(threads_of, f'{folder}/ours')
        assert got_recall > .98, got_recall
        return f'recall {got_recall:.4f}'


if __name__ == '__main__':
    run('directories', only=sys.argv[1] if len(sys.argv) > 1 else None)
