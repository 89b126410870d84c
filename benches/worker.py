"""One engine in a process of its own: bench.py asks several of them in turn.

    worker.py ENGINE FOLDER        FOLDER holds base.npy, query.npy, reach.npy and parameters.json as bench.py wrote them

Reads a JSON command a line on stdin, answers with a JSON line on stdout; {"error": TEXT} for one that failed.

    {"op": "build", "threads": 2}                 builds the index on all rows; tells what memory grew by
    {"op": "rate", "rows": 20000, "threads": 1}   builds another on the first rows, and drops it
    {"op": "search", "half": 1, "ef": 64, "threads": 1, "seconds": 0.3}
                                                  searches half of the queries (0: to tune, 1: to report), again and again
    {"op": "load"}                                opens what the first such command saved, and asks it 10 queries
    {"op": "mixed", "rows": 20000}                adds the second half of these rows while searching; {} where an
                                                  index takes no more rows
"""
import ctypes
import gc
import json
import os
import shutil
import sys
import threading
import time

import numpy as np

from datasets import K, Recall
from engines import ENGINES

ADD_AT_ONCE, ASK_AT_ONCE, EF = 100, 20, 64  # mixed


def drop(index):
    """Frees what Python does not own."""
    close = getattr(index, 'close', None)
    if close:
        close()


def resident():
    """Resident memory in bytes, without what malloc keeps for later."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    with open('/proc/self/statm') as file:
        return int(file.read().split()[1]) * os.sysconf('SC_PAGESIZE')


class Worker:
    def __init__(self, name, folder):
        self.x, self.q, self.reach = (np.load(os.path.join(folder, part + '.npy')) for part in ('base', 'query', 'reach'))
        with open(os.path.join(folder, 'parameters.json')) as file:
            p = json.load(file)
        self.engine = ENGINES[name](self.x, p['metric'], p['m'], p['efc'])
        middle = len(self.q) // 2
        self.halves = [(self.q[part], Recall(self.x, self.q[part], self.reach[part], p['metric']))
                       for part in (slice(0, middle), slice(middle, None))]
        self.saved = os.path.join(folder, f'{name}-{os.getpid()}.index')

    def build(self, threads):
        before = resident()
        self.index = self.engine.build(self.x, threads)
        grown = resident() - before
        self.engine.tune(self.index)
        return {'title': self.engine.title, 'bytes': grown}

    def rate(self, rows, threads):
        x, start = self.x[:rows], time.perf_counter()
        index = self.engine.build(x, threads)
        seconds = time.perf_counter() - start
        drop(index)
        return {'per_second': len(x) / seconds}

    def search(self, half, ef, threads, seconds):
        q, recall = self.halves[half]
        passes, start, elapsed = 0, time.perf_counter(), -1
        while elapsed < seconds:
            found = self.engine.search(self.index, q, ef, threads)
            passes += 1
            elapsed = time.perf_counter() - start
        return {'qps': passes * len(q) / elapsed, 'recall': recall.of(np.asarray(found).astype(np.int64))}

    def load(self):
        if not os.path.exists(self.saved):
            self.engine.save(self.index, self.saved)
        start = time.perf_counter()
        index = self.engine.load(self.saved)
        self.engine.search(index, self.q[:10], K, 1)
        seconds = time.perf_counter() - start
        drop(index)
        return {'seconds': seconds}

    def mixed(self, rows):
        if not hasattr(self.engine, 'add'):
            return {}
        x, q = self.x[:rows], self.halves[1][0]
        first = len(x) // 2
        index = self.engine.empty(len(x))
        self.engine.add(index, x[:first], 0, 1)
        batches = range(first, len(x), ADD_AT_ONCE)
        done, asked = threading.Event(), 0

        def add(at):
            self.engine.add(index, x[at:at + ADD_AT_ONCE], at, 1)

        def ask():
            nonlocal asked
            at = asked % max(1, len(q) - ASK_AT_ONCE)
            self.engine.search(index, q[at:at + ASK_AT_ONCE], EF, 1)
            asked += ASK_AT_ONCE

        def add_all():
            try:
                for at in batches:
                    add(at)
            finally:
                done.set()

        start = time.perf_counter()
        if self.engine.together:
            adder = threading.Thread(target=add_all)
            adder.start()
            while not done.is_set():
                ask()
            adder.join()
        else:
            for at in batches:
                add(at)
                ask()
        seconds = time.perf_counter() - start
        self.engine.search(index, q[:ASK_AT_ONCE], EF, 1)
        drop(index)
        return {'adds': (len(x) - first) / seconds, 'queries': asked / seconds, 'together': self.engine.together}

    def close(self):
        shutil.rmtree(self.saved, ignore_errors=True)
        if os.path.exists(self.saved):
            os.remove(self.saved)


def main():
    replies = os.fdopen(os.dup(1), 'w', buffering=1)
    os.dup2(2, 1)  # what an engine prints must not get between the replies
    worker = None
    for line in sys.stdin:
        command = json.loads(line)
        try:
            worker = worker or Worker(*sys.argv[1:3])
            reply = getattr(worker, command.pop('op'))(**command)
        except Exception as error:  # whatever a package throws
            reply = {'error': f'{type(error).__name__}: {error}'.splitlines()[0]}
        replies.write(json.dumps(reply) + '\n')
    if worker:
        worker.close()


main()
