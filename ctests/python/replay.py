"""One insertion of hnswlib's algorithm in Python, on the graph of a saved file, with libhnx's order of sums.

It says why two libraries build different graphs from plain floats: the first differing insertion is replayed with two
almost equal distances exchanged, until the other library's lists come out. (contract 3.9; ties as libstdc++'s heaps.)
"""
import tempfile
import numpy as np
import formats
import hnx

CLOSE = 16 * 2.0**-24  # relative to the distance; for inner products, whose sums may cancel, at least to 1


def distances(q, rows, ip):
    """libhnx's: sixteen lanes of multiply-add, then the halves of the lanes onto each other. FMA by way of f64."""
    lanes = np.zeros((len(rows), 16), np.float32)
    for at in range(0, len(q), 16):
        a, b = q[at:at + 16], rows[:, at:at + 16]
        a, b = (a, b) if ip else (a - b, a - b)
        lanes[:, :b.shape[1]] = (a.astype(np.float64) * b.astype(np.float64) + lanes[:, :b.shape[1]]).astype(np.float32)
    for half in (8, 4, 2, 1):
        lanes = lanes[:, :half] + lanes[:, half:2 * half]
    return np.float32(1) - lanes[:, 0] if ip else lanes[:, 0]


class Heap(list):
    """std::priority_queue: the top is the greatest by less()."""

    def __init__(self, less):
        super().__init__()
        self.less = less

    def push(self, value):
        self.append(value)
        self._up(len(self) - 1, value)

    def _up(self, at, value):
        while at > 0 and self.less(self[(at - 1) // 2], value):
            self[at] = self[(at - 1) // 2]
            at = (at - 1) // 2
        self[at] = value

    def pop_top(self):
        top, value = self[0], super().pop()
        if self:
            at, child = 0, 2
            while child < len(self):
                child -= self.less(self[child], self[child - 1])
                self[at] = self[child]
                at, child = child, 2 * child + 2
            if child == len(self):
                self[at] = self[child - 1]
                at = child - 1
            self._up(at, value)
        return top


class Insertion:
    def __init__(self, before, vectors, level, ip, exchanged):
        self.g, self.vectors, self.ip, self.exchanged = before, vectors, ip, exchanged
        self.known, self.close, self.lists = {}, set(), {}
        self.new, self.m, self.efc = before.count, before.m, before.ef_construction
        self.level = level

    def neighbours(self, id, level):
        if (id, level) not in self.lists:
            self.lists[id, level] = formats.links(self.g, id, level).tolist() if id != self.new else []
        return self.lists[id, level]

    def to(self, id, others):
        """Distances from id to others."""
        unknown = [o for o in others if (min(id, o), max(id, o)) not in self.known]
        if unknown:
            for o, d in zip(unknown, distances(self.vectors[id], self.vectors[unknown], self.ip)):
                pair = min(id, o), max(id, o)
                self.known[pair] = self.exchanged.get(pair, float(d))
        return [self.known[min(id, o), max(id, o)] for o in others]

    def less(self, a, b):
        """Every comparison of distances; those that rounding could turn are noted."""
        if abs(a - b) <= CLOSE * max(abs(a), abs(b), 1.0 if self.ip else 0.0):
            self.close.add((a, b))
        return a < b

    def first(self, a, b):
        return self.less(a[0], b[0])

    def search(self, start, level):
        """searchBaseLayer without deletions: up to ef_construction (distance, id) in a heap."""
        best, open = Heap(self.first), Heap(self.first)
        bound = self.to(self.new, [start])[0]
        best.push((bound, start))
        open.push((-bound, start))
        seen = {start}
        while open:
            if self.less(bound, -open[0][0]) and len(best) == self.efc:
                break
            _, id = open.pop_top()
            unseen = [n for n in self.neighbours(id, level) if not (n in seen or seen.add(n))]
            for n, d in zip(unseen, self.to(self.new, unseen)):
                if len(best) < self.efc or self.less(d, bound):
                    open.push((-d, n))
                    best.push((d, n))
                    if len(best) > self.efc:
                        best.pop_top()
                    bound = best[0][0]
        return best

    def select(self, heap, limit):
        """getNeighborsByHeuristic2; the ids in the order in which they are stored."""
        if len(heap) >= limit:
            nearest = Heap(lambda a, b: self.first(a, b) or a[0] == b[0] and a[1] < b[1])
            while heap:
                d, id = heap.pop_top()
                nearest.push((-d, id))
            taken = []
            while nearest and len(taken) < limit:
                d, id = nearest.pop_top()
                if not any(self.less(e, -d) for e in self.to(id, [t for _, t in taken])):
                    taken.append((-d, id))
            for one in taken:
                heap.push(one)
        return [heap.pop_top()[1] for _ in range(len(heap))]

    def run(self):
        current = self.g.entry
        distance = self.to(self.new, [current])[0]
        for level in range(self.g.max_level, self.level, -1):
            changed = True
            while changed:
                changed = False
                near = self.neighbours(current, level)
                for n, d in zip(near, self.to(self.new, near)):
                    if self.less(d, distance):
                        distance, current, changed = d, n, True
        for level in range(min(self.level, self.g.max_level), -1, -1):
            mine = self.select(self.search(current, level), self.m)
            self.lists[self.new, level] = mine
            room = self.g.max_m0 if level == 0 else self.g.max_m
            for n in mine:
                theirs = self.neighbours(n, level)
                if len(theirs) < room:
                    theirs.append(self.new)
                    continue
                heap = Heap(self.first)
                for other, d in zip([self.new] + theirs, self.to(n, [self.new] + theirs)):
                    heap.push((d, other))
                self.lists[n, level] = self.select(heap, room)
            current = mine[-1]
        return self


def insert(before, after, exchanged=None):
    """The lists after the insertion that turns one file into the other, and the replay itself."""
    run = Insertion(before, after.vectors, int(after.levels[before.count]), after.ip, exchanged or {}).run()
    return run.lists, run


def differences(lists, after):
    """Where the replayed lists are not the file's."""
    return [f'id {id} level {level}: {ids} replayed, {formats.links(after, id, level).tolist()} in the file'
            for (id, level), ids in sorted(lists.items()) if ids != formats.links(after, id, level).tolist()]


def build(engine, metric, x, labels, m, efc, seed, rows):
    """The graph of the first rows."""
    with tempfile.TemporaryDirectory() as folder:
        with engine.init(metric, x.shape[1], len(x), m, efc, seed) as index:
            index.add(x[:rows], labels[:rows])
            index.save(f'{folder}/x')
        g = formats.read(f'{folder}/x')
    g.ip = metric != 'l2'
    return g


def first_difference(other, metric, x, labels, m, efc, seed):
    """What decided the first insertion in which the libraries differ, in words; an error if it was not rounding."""
    args = metric, x, labels, m, efc, seed
    low, high = 1, len(x)  # equal up to low rows, different at high
    while high - low > 1:
        middle = (low + high) // 2
        equal = formats.compare_links(build(hnx.Index, *args, middle), build(other, *args, middle)).first is None
        low, high = (middle, high) if equal else (low, middle)
    before, mine, theirs = build(hnx.Index, *args, low), build(hnx.Index, *args, high), build(other, *args, high)
    lists, run = insert(before, mine)
    wrong = differences(lists, mine)
    assert not wrong, f'row {low} is not what replay.py does: {wrong[:2]}'
    assert run.close, f'row {low} differs, yet no two of its distances are within rounding: {differences(lists, theirs)[:2]}'
    pairs = {}
    for pair, d in run.known.items():
        pairs.setdefault(d, []).append(pair)
    tried = 0
    for a, b in sorted(run.close, key=lambda ab: abs(ab[1] - ab[0])):
        if a not in pairs or b not in pairs:  # heaps of nearest-first hold negated distances
            a, b = -a, -b
        for p, q in ((p, q) for p in pairs.get(a, []) for q in pairs.get(b, []) if p != q):
            tried += 1
            # Equal ones: one of them becomes the next float.
            exchanged = {p: b, q: a} if a != b else {p: float(np.nextafter(np.float32(a), np.float32(np.inf)))}
            if not differences(insert(before, mine, exchanged)[0], theirs):
                return f'row {low}: distances {p} {a!r} and {q} {b!r} exchanged'
    raise AssertionError(f'row {low} differs, and exchanging no one of {tried} pairs of close distances explains it: '
                         f'{differences(lists, theirs)[:2]}')
