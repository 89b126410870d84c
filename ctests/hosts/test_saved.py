"""Saved files cross between the original and the build with libhnx, both open them and go on; damaged ones throw."""
import os
import shutil
import struct
import sys
import tempfile
import numpy as np
from builds import METRICS, MODULES, attempt, both, is_chroma, items, originals, ours, same, vectors
import agree
import data
import formats
from harness import case, run

DIM = 9
N = 420


def sample(metric):
    rng = np.random.default_rng(11)
    return data.exact(rng, N, DIM, metric), data.labels(rng, N)


def make(h, metric, path, stage, replace=False):
    """Saves an index in one of several conditions."""
    x, labels = sample(metric)
    index = h.Index(metric, DIM)
    index.init_index(N, M=4, ef_construction=30, random_seed=5, allow_replace_deleted=replace)
    index.set_num_threads(1)
    count = {'empty': 0, 'one': 1, 'two': 2, 'full': N}.get(stage, 300)
    if count:
        index.add_items(x[:count], labels[:count])
    if stage in ('worked on', 'deleted'):
        index.add_items(x[100:150], labels[:50])
        for label in labels[:300 if stage == 'deleted' else 90:3 if stage == 'worked on' else 1]:
            index.mark_deleted(label)
    if replace and stage == 'worked on':
        index.add_items(x[300:310], labels[300:310], replace_deleted=True)
    index.save_index(path)
    if not is_chroma(h):
        assert index.index_file_size() == os.path.getsize(path), stage


def use(h, metric, path, out, capacity, replace):
    """Opens a file, asks everything, works on, saves that."""
    x, labels = sample(metric)
    rng = np.random.default_rng(12)
    fresh = np.setdiff1d(data.labels(rng, 800), labels)
    index = h.Index(metric, DIM)
    seen = [attempt(index.load_index, path, capacity, replace), index.ef, index.M, index.ef_construction, index.max_elements,
            index.element_count, index.get_ids_list()]
    index.set_num_threads(1)
    index.set_ef(30)
    if not is_chroma(h):
        seen.append(index.index_file_size() == os.path.getsize(path))

    def look():
        seen.append([attempt(index.get_items, [label]) for label in labels[::5]])
        seen.append([attempt(index.knn_query, x[:30], k=k) for k in (1, 5)])
        seen.append(attempt(index.knn_query, x[:30], k=3, filter=lambda label: label % 2 == 0))
        seen.append((index.element_count, index.max_elements))
    look()
    index.save_index(f'{out}-again')
    live = [label for label in labels if not isinstance(attempt(index.get_items, [label]), str)]
    dead = [label for label in index.get_ids_list() if label not in set(live)]
    seen.append(attempt(index.add_items, x[:5], fresh[:5]))
    seen.append(attempt(index.add_items, x[7:27], live[:20]) if live else None)
    seen += [attempt(index.mark_deleted, label) for label in live[20:45]]
    seen += [attempt(index.unmark_deleted, label) for label in dead[::4]]
    look()
    seen.append([attempt(index.add_items, x[n], label, replace_deleted=True) for n, label in enumerate(fresh[5:40])])
    seen.append(attempt(index.resize_index, max(1, index.element_count)))
    seen.append(attempt(index.resize_index, index.element_count + 33))
    seen.append(attempt(index.add_items, x[50:80], fresh[50:80]))
    look()
    seen.append(index.get_ids_list())
    index.save_index(out)
    return seen


STAGES = ('one', 'two', 'part', 'full', 'worked on', 'deleted')


def crossing(name, metric):
    """Each build opens the files of both, with all kinds of capacities, and the same comes of it."""
    files = 0
    for stage in STAGES:
        for capacity, replace in ((0, False), (5, True), (N + 200, True)):
            with tempfile.TemporaryDirectory() as folder:
                originals[name].take(make, metric, f'{folder}/theirs', stage, replace)
                ours[name].take(make, metric, f'{folder}/ours', stage, replace)
                same_file(name, metric, f'{folder}/theirs', f'{folder}/ours', f'{stage}, saved')
                reference = originals[name].take(use, metric, f'{folder}/theirs', f'{folder}/out-theirs-theirs', capacity, replace)
                for reader, build in (('theirs', originals[name]), ('ours', ours[name])):
                    for writer in ('theirs', 'ours'):
                        if (reader, writer) == ('theirs', 'theirs'):
                            continue
                        what = f'{stage}, capacity {capacity}, written by {writer}, used by {reader}'
                        out = f'{folder}/out-{reader}-{writer}'
                        same(reference, build.take(use, metric, f'{folder}/{writer}', out, capacity, replace), what)
                        for suffix in ('', '-again'):
                            same_file(name, metric, f'{folder}/out-theirs-theirs{suffix}', out + suffix, what + suffix)
                        files += 1
    return f'{files} files'


def same_file(name, metric, theirs, got, what):
    if name == 'hnswlib':
        formats.assert_same_file(theirs, got, what)
    else:  # without cosine, the original writes meaningless lengths
        assert os.path.getsize(theirs) == os.path.getsize(got), what
        agree.same_records(formats.read(theirs, chroma=True), formats.read(got, chroma=True), what, lengths=metric == 'cosine')


for _name in MODULES:
    for _metric in METRICS:
        case(_name, _metric)(crossing)


def empty_of(h, folder):
    """An empty index, saved and opened: with a capacity given, as the original; without one, the stored one counts."""
    folder = tempfile.mkdtemp(dir=folder)  # both builds are at it
    index = h.Index('l2', DIM)
    index.init_index(50)
    index.save_index(f'{folder}/empty')
    seen = [os.path.getsize(f'{folder}/empty')]
    for capacity in (20, 100):
        other = h.Index('l2', DIM)
        other.load_index(f'{folder}/empty', capacity)
        seen += [other.max_elements, other.element_count, other.get_ids_list(), attempt(other.knn_query, np.zeros(DIM), k=1)]
        other.add_items(sample('l2')[0][:10])
        seen.append(other.knn_query(np.zeros(DIM), k=1))
    return seen


def empty_without_capacity(h, folder):
    index = h.Index('l2', DIM)
    index.init_index(50)
    index.save_index(f'{folder}/empty')
    index = h.Index('l2', DIM)
    index.load_index(f'{folder}/empty')
    capacity = index.max_elements
    index.resize_index(60)
    index.add_items(sample('l2')[0][:60])
    return capacity, index.element_count


@case('hnswlib')
@case('chroma')
def empty(name):
    with tempfile.TemporaryDirectory() as folder:
        same(*both(name, empty_of, folder), 'empty')
        capacity, count = ours[name].take(empty_without_capacity, folder)
        assert count == 60 and capacity in (0, 50), f'capacity {capacity}, count {count}'
        return f'an empty index opened without a capacity has {capacity} (the original: 0)'


def errors_of(h, folder):
    """Files that cannot be opened or are not an index, as far as the original notices; the object stays usable."""
    x, labels = sample('l2')
    index = h.Index('l2', DIM)
    index.init_index(100)
    index.add_items(x[:100], num_threads=1)
    path, seen = f'{folder}/index', []
    index.save_index(path)
    whole = open(path, 'rb').read()
    for what, text in (('short by one', whole[:-1]), ('short by a record', whole[:-40]), ('one byte more', whole + b'\0'),
                       ('many more', whole + bytes(5000)), ('half', whole[:len(whole) // 2])):
        with open(f'{folder}/damaged', 'wb') as f:
            f.write(text)
        seen.append((what, attempt(h.Index('l2', DIM).load_index, f'{folder}/damaged')))
    seen.append(attempt(h.Index('l2', DIM).load_index, f'{folder}/missing'))
    seen.append(attempt(h.Index('l2', DIM).load_index, f'{folder}/missing/folder'))
    seen.append(attempt(h.Index('l2', DIM).load_index, ''))
    seen.append(attempt(h.Index('l2', DIM).load_index, 3))
    seen.append(attempt(index.save_index))
    other = h.Index('l2', DIM)  # a failed load leaves an object as before
    seen.append(attempt(other.load_index, f'{folder}/missing'))
    other.init_index(10)
    other.add_items(x[:3])
    seen.append(other.knn_query(x[:2], k=2))
    index.save_index(path)  # over itself
    with open(path, 'rb') as f:
        seen.append(f.read() == whole)
    return seen


@case('hnswlib')
@case('chroma')
def errors(name):
    theirs, got = [], []
    for result, build in ((theirs, originals[name]), (got, ours[name])):
        with tempfile.TemporaryDirectory() as folder:
            result += build.take(errors_of, folder)
    same(theirs, got, 'errors')


def refused_of(h, folder):
    """What the original accepts, and then reads or writes beyond its memory or does nothing: here it throws."""
    x, labels = sample('l2')
    path, seen = f'{folder}/index', {}
    make(h, 'l2', path, 'part')
    whole = open(path, 'rb').read()
    for dim in (1, DIM - 1, DIM + 1, 100):
        seen[f'{dim} dimensions'] = attempt(h.Index('l2', dim).load_index, path)
    for what, at, fmt, value in (('capacity', 8, '<Q', 1), ('huge count', 16, '<Q', 2**60), ('record size', 24, '<Q', 8),
                                 ('label offset', 32, '<Q', 2**40), ('data offset', 40, '<Q', 3), ('level', 48, '<i', 30),
                                 ('entry point', 52, '<I', 2**31), ('maxM', 56, '<Q', 2**50), ('maxM0', 64, '<Q', 1),
                                 ('neighbours', 96, '<H', 60000), ('neighbour id', 100, '<I', 2**31)):
        damaged = bytearray(whole)
        struct.pack_into(fmt, damaged, at, value)
        with open(f'{folder}/damaged', 'wb') as f:
            f.write(damaged)
        seen[what] = attempt(h.Index('l2', DIM).load_index, f'{folder}/damaged')
    for what, text in (('no bytes', b''), ('a few bytes', whole[:50]), ('noise', np.random.default_rng(0).bytes(5000))):
        with open(f'{folder}/damaged', 'wb') as f:
            f.write(text)
        seen[what] = attempt(h.Index('l2', DIM).load_index, f'{folder}/damaged')
    seen['a folder'] = attempt(h.Index('l2', DIM).load_index, folder)
    index = h.Index('l2', DIM)
    index.load_index(path)
    for where in (f'{folder}/missing/index', folder, '/dev/full'):
        seen[f'saved to {os.path.basename(where)}'] = attempt(index.save_index, where)
    seen['still there'] = 'RuntimeError' if index.knn_query(x[:1], k=1)[0].size == 1 else 'gone'
    return seen


@case('hnswlib')
@case('chroma')
def refused(name):
    with tempfile.TemporaryDirectory() as folder:
        for what, text in ours[name].take(refused_of, folder).items():
            # hnswlib itself ignores the stored capacity when it is told one; a smaller one than the count is no damage then.
            assert text is not None and text.startswith('RuntimeError'), f'{what}: {text}'


def fuzzed_of(h, folder, metric, seed, times):
    """Bytes changed at random: opening throws or gives an index that can be used, whatever it finds."""
    rng = np.random.default_rng(seed)
    path = f'{folder}/index'
    make(h, metric, path, 'worked on', replace=True)
    whole, x, opened = open(path, 'rb').read(), sample(metric)[0], 0
    for _ in range(times):
        damaged = bytearray(whole)
        for _ in range(int(rng.integers(1, 4))):
            at = int(rng.integers(0, 96)) if rng.random() < .3 else int(rng.integers(0, len(damaged)))
            damaged[at] = int(rng.integers(0, 256))
        if rng.random() < .2:
            del damaged[int(rng.integers(0, len(damaged))):]
        with open(f'{folder}/damaged', 'wb') as f:
            f.write(damaged)
        index = h.Index(metric, DIM)
        if attempt(index.load_index, f'{folder}/damaged', int(rng.choice((0, 500))), True) is None:
            opened += 1
            attempt(index.knn_query, x[:20], k=10, num_threads=1)
            attempt(index.add_items, x[:20], np.arange(20), num_threads=1, replace_deleted=True)
            attempt(index.resize_index, 600)
            attempt(index.add_items, x[20:40], num_threads=1)
            attempt(index.knn_query, x[:20], k=10, num_threads=1)
            index.get_ids_list()
    return opened


@case('hnswlib', 'l2')
@case('chroma', 'cosine')
def fuzzed(name, metric):
    with tempfile.TemporaryDirectory() as folder:
        return f'{ours[name].take(fuzzed_of, folder, metric, 3, 600)} of 600 opened'


def other_metric_of(h, folder):
    """The file does not say which space it is of: opened as another one, distances are that one's."""
    folder = tempfile.mkdtemp(dir=folder)  # both builds are at it
    make(h, 'l2', f'{folder}/index', 'worked on')
    x, seen = sample('l2')[0], []
    for metric in METRICS:
        index = h.Index(metric, DIM)
        index.load_index(f'{folder}/index')
        index.set_ef(200)
        found, distances = index.knn_query(x[:50], k=5, num_threads=1)
        seen.append(np.sort(distances) if metric == 'cosine' else (found, distances))
    return seen


@case
def other_metric():
    with tempfile.TemporaryDirectory() as folder:
        same(*both('hnswlib', other_metric_of, folder), 'opened as another metric', rtol=1e-5, atol=1e-5)


def foreign(h, metric, path, out):
    """A file of the other package."""
    x, labels = sample(metric)
    index = h.Index(metric, DIM)
    index.load_index(path, N + 10)
    index.set_ef(60)
    found = index.knn_query(x[:50], k=5, num_threads=1)
    ids = index.get_ids_list()
    index.add_items(x[:3], np.arange(3) + 2**50, num_threads=1)
    index.save_index(out)
    return found, sorted(ids)


def read(h, metric, path):
    x, labels = sample(metric)
    index = h.Index(metric, DIM)
    index.load_index(path)
    index.set_ef(60)
    return index.knn_query(x[:50], k=5, num_threads=1), sorted(index.get_ids_list())


@case('l2')
@case('cosine')
def other_package(metric):
    """The originals refuse each other's files. With libhnx either module opens both, and what it then saves an original opens."""
    with tempfile.TemporaryDirectory() as folder:
        for name, other in (('hnswlib', 'chroma'), ('chroma', 'hnswlib')):
            originals[other].take(make, metric, f'{folder}/{other}', 'worked on')
            expected = originals[other].take(read, metric, f'{folder}/{other}')
            got = ours[name].take(foreign, metric, f'{folder}/{other}', f'{folder}/out')
            same(expected, got, f'{name} opens the file of {other}')
            # A file of Chroma's stays one, so that its lengths are not lost; the module of Chroma writes its own.
            found, ids = originals['chroma'].take(read, metric, f'{folder}/out')
            assert len(ids) == len(expected[1]) + 3


if __name__ == '__main__':
    run('saved', only=sys.argv[1] if len(sys.argv) > 1 else None)
