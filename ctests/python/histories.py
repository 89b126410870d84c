"""Sequences of operations, the same for libhnx and for hnswlib: each takes an engine (hnx.Index or originals.Package).

A history calls save(index, name) wherever the state is to be compared; save returns the file as formats.read gives it.
What to do next is chosen by a seeded generator and by the labels in the engine's own last file.
"""
import threading
import numpy as np
import formats


class Run:
    """One engine's way through a history: where it saves, and what it saved."""

    def __init__(self, engine, prefix):
        self.engine, self.prefix, self.names = engine, prefix, []

    def path(self, name):
        return f'{self.prefix}-{len(self.names) if name is None else self.names.index(name)}'

    def save(self, index, name):
        name = f'{len(self.names)} {name}'
        self.names.append(name)
        index.save(self.path(name))
        return formats.read(self.path(name), chroma=getattr(self.engine, 'chroma', False))


def both(history, first, second, folder, *args):
    """Runs the history with two engines at once; the names of its states, in order, with the two files of each."""
    runs, errors = [Run(first, f'{folder}/a'), Run(second, f'{folder}/b')], [None, None]

    def go(i):
        try:
            history(runs[i].engine, runs[i].save, lambda: runs[i].path(runs[i].names[-1]), *args)
        except Exception as error:
            errors[i] = error
    threads = [threading.Thread(target=go, args=(i,)) for i in (0, 1)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    states = [(name, runs[0].path(name), runs[1].path(name)) for name in runs[0].names if name in runs[1].names]
    return states, next((e for e in errors if e), None)


def living(state):
    return state.labels[state.flags & 1 == 0]


def dead(state):
    return state.labels[state.flags & 1 == 1]


def adds(engine, save, last, metric, x, labels, m, efc, seed):
    """All rows, then a tenth of them again with other vectors."""
    rng = np.random.default_rng(seed)
    with engine.init(metric, x.shape[1], len(x), m, efc, seed) as index:
        index.add(x, labels)
        save(index, 'adds')
        some = rng.permutation(len(x))[:len(x) // 10]
        index.add(x[rng.permutation(len(x))[:len(some)]], labels[some])
        save(index, 'updates')


def mixed(engine, save, last, metric, x, labels, m, efc, seed, replace):
    """Every kind of operation once or twice, in the order of a host's day; rows of x are used up from the front."""
    rng = np.random.default_rng(seed)
    dim, fresh, at = x.shape[1], len(x) * 6 // 10, 0
    capacity = len(x) + 7

    def take(count):  # the next rows and labels
        nonlocal at
        at += count
        assert at <= len(x)
        return x[at - count:at], labels[at - count:at]

    def update(index, some):
        rows = x[rng.integers(0, at, len(some))]
        for part in np.array_split(np.arange(len(some)), 3):
            index.add(rows[part], some[part])

    with engine.init(metric, dim, capacity, m, efc, seed, replace) as index:
        save(index, 'empty')
        index.add(*take(1))
        save(index, 'one')
        for part in (1, fresh // 3, fresh - fresh // 3 - 2):
            index.add(*take(part))
        state = save(index, 'adds')
        update(index, rng.permutation(living(state))[:fresh // 8])
        index.add(x[:3], labels[:3])  # onto themselves
        state = save(index, 'updates')
        index.delete(*rng.permutation(state.labels)[:fresh // 10])
        index.add(*take(5))
        state = save(index, 'deletes')
        index.undelete(*dead(state)[::5])
        if replace:
            index.add(*take(len(dead(state)) // 2), replace=True)
            state = save(index, 'replaced some')
            index.delete(*rng.permutation(living(state))[:fresh // 20])
            index.add(*take(fresh // 5), replace=True)  # more than there are places
            state = save(index, 'replaced all')
            index.delete(*rng.permutation(living(state))[:8])
        else:
            update(index, dead(state)[1::5])  # live again
            state = save(index, 'undeletes')
        entry = state.labels[state.entry]
        if entry in living(save(index, 'entry point known')):
            index.delete(entry)
        index.add(*take(9))
        save(index, 'entry point deleted')

    with engine.load(last(), metric, dim, capacity, replace) as index:
        state = save(index, 'loaded')
        index.add(*take(fresh // 10))
        state = save(index, 'adds after loading')
        if replace:
            index.add(*take(4), replace=True)
        update(index, living(state)[::11])
        state = save(index, 'updates after loading')
        index.resize(capacity + 50)
        index.add(*take(3))
        save(index, 'resized')


def interleaved(engine, save, last, metric, x, labels, m, efc, seed, replace):
    """Random operations in random order, with loads from time to time."""
    rng = np.random.default_rng(seed)
    dim, at, capacity = x.shape[1], 20, len(x)
    index = engine.init(metric, dim, capacity, m, efc, seed, replace)
    try:
        index.add(x[:at], labels[:at])
        state = save(index, 'start')
        step = 0
        while at < len(x):
            step += 1
            kind = rng.choice(['add', 'update', 'delete', 'undelete', 'replace', 'load'], p=[.4, .2, .2, .08, .1, .02])
            count = min(int(rng.integers(1, 12)), len(x) - at)
            if kind == 'add' or kind == 'replace' and replace:
                index.add(x[at:at + count], labels[at:at + count], replace=kind == 'replace')
                at += count
            elif kind == 'update':
                index.add(x[rng.integers(0, at, count)], rng.permutation(living(state))[:count])
            elif kind == 'delete' and len(dead(state)) < len(living(state)) // 4:
                index.delete(*rng.permutation(living(state))[:count])
            elif kind == 'undelete':
                index.undelete(*rng.permutation(dead(state))[:count])
            elif kind == 'load':
                path = last()
                index.close()
                index = engine.load(path, metric, dim, capacity, replace)
            state = save(index, f'step {step}: {kind}')
    finally:
        index.close()


def turnover(engine, save, last, metric, x, labels, m, efc, seed, replace):
    """Most of the index is deleted and replaced, again and again: the order in which places are taken, through many rehashes."""
    rng = np.random.default_rng(seed)
    at = len(x) // 2
    index = engine.init(metric, x.shape[1], len(x), m, efc, seed, True)
    index.add(x[:at], labels[:at])
    state = save(index, 'adds')
    for round in range(6):
        count = (len(x) - at) // 3
        index.delete(*rng.permutation(living(state))[:int(len(living(state)) * (.75 if round % 2 == 0 else .2))])
        state = save(index, f'round {round}: deleted')
        index.undelete(*rng.permutation(dead(state))[:len(dead(state)) // 6])
        state = save(index, f'round {round}: undeleted')
        index.add(x[at:at + count], labels[at:at + count], replace=True)
        at += count
        state = save(index, f'round {round}: replaced')
        if round == 3:  # the set of deleted ids is filled anew, in the order of ids
            path = last()
            index.close()
            index = engine.load(path, metric, x.shape[1], len(x), True)
    index.close()
