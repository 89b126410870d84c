"""Files between the bindings and the original packages: exchange.py write|check FOLDER, run by run.py.

Everybody builds the index of the same 2,000 SIFT descriptors (labels 3 * row + 1, every tenth row deleted) and writes it:
`write` has the originals do so, `check` compares what all wrote, byte by byte, and has the originals read it. Distances of
these vectors are exact in f32, so nothing may differ.
"""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '..', 'python'))
import numpy as np  # noqa: E402
from data import EXAMPLES, read_vecs  # noqa: E402
from originals import Package  # noqa: E402

ROWS, K = 2000, 10
LABELS = 3 * np.arange(ROWS) + 1
LIVE = np.arange(ROWS) % 10 != 0
BINDINGS = ('go', 'java', 'node', 'python')


def write(folder):
    base = read_vecs(os.path.join(EXAMPLES, 'sift15k.bvecs'), ROWS)
    for name in 'hnswlib', 'chroma':
        package = Package(name)
        directory = os.path.join(folder, f'{name}-persisted') if name == 'chroma' else None
        if directory:
            os.mkdir(directory)
        with package.init('l2', base.shape[1], ROWS, path=directory) as index:
            index.add(base, LABELS)
            index.delete(*LABELS[~LIVE])
            index.save(os.path.join(folder, f'{name}.{name}'))
            if directory:
                index.persist()
        package.close()


def contents(path):
    if os.path.isdir(path):
        return {name: contents(os.path.join(path, name)) for name in os.listdir(path) if name.endswith('.bin')}
    with open(path, 'rb') as file:
        return file.read()


def check(folder):
    """One line per case, as ctests/python/harness.py prints them."""
    queries = read_vecs(os.path.join(EXAMPLES, 'sift15k-query.bvecs'), 50)
    packages = {name: Package(name) for name in ('hnswlib', 'chroma')}
    answers, failed = {}, 0

    def answers_of(package, file):
        with packages[package].load(os.path.join(folder, file), 'l2', queries.shape[1]) as index:
            labels, distances, _ = index.query(queries, K, 200)
            return labels.tobytes() + distances.tobytes() + np.sort(index.labels()).tobytes()

    def case(name, same):
        nonlocal failed
        failed += not same
        print(f'{"ok   " if same else "FAIL "} exchange.{name}')

    for kind, package, original in (('hnswlib', 'hnswlib', 'hnswlib.hnswlib'), ('chroma', 'chroma', 'chroma.chroma'),
                                    ('persisted', 'chroma', 'chroma-persisted')):
        answers[kind] = answers_of(package, original)
        for binding in BINDINGS:
            file = f'{binding}-persisted' if kind == 'persisted' else f'{binding}.{kind}'
            if not os.path.exists(os.path.join(folder, file)):
                print(f'skip  exchange.{file}: {binding} wrote nothing')
                continue
            if kind != 'persisted':  # Chroma's directory has memory of Chroma's in the lengths
                case(f'{file}_is_{original}', contents(os.path.join(folder, file)) == contents(os.path.join(folder, original)))
            case(f'{package}_reads_{file}', answers_of(package, file) == answers[kind])
    for package in packages.values():
        package.close()
    return failed > 0


if __name__ == '__main__':
    sys.exit({'write': write, 'check': check}[sys.argv[1]](sys.argv[2]))
