#!/usr/bin/env python3
"""Compares libhnx with hnswlib, chroma-hnswlib, FAISS, USearch, pyglass, SVS and VSAG: `make bench`.

    make bench                                               # 15,000 vectors of examples/data
    make bench BENCH="--data ../shared/data --plots benches/plots"
    make bench BENCH="--data sift-128-euclidean.hdf5 --engines hnswlib,hnswlib,libhnx,glass_sq8"

Every engine is a process of its own (worker.py, engines.py) and has the same vectors, M and ef_construction. They are asked
in turn, round after round, in alternating order, so that what slows the machine down slows all of them. The first engine is
what the others are compared with; it runs twice, and the ratio of the two is the noise. Printed are, with the spread over
the rounds,

* queries per second at recall@10 of 0.90, 0.95 and 0.99, interpolated on the engine's own curve, and the best peer;
* adds per second of one thread and of two, building an index of --add-rows rows from nothing;
* memory: what the process grew by when it built the index of all rows;
* load: opening a saved index (its file in the page cache) until 10 queries are answered;
* mixed: adds and queries (ef 64) per second of an index of --add-rows rows while its second half is added: a thread for
  each where the library allows both at once, else one thread in turns;
* recall and speed at each ef.

The first half of the queries only chooses the values of ef that are worth a measurement; all figures are of the second half.
Recall counts an answer that is no farther than the tenth exact neighbour, so that ties do not decide. What a package cannot
do, or why it does not run, is listed.

--out has NAME.json for each data set, result.md with all tables, and unless --plots names another folder the plots
(plots.py draws them anew from the JSON).
"""
import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading

import numpy as np

import datasets
import plots
import report

HERE = os.path.dirname(os.path.abspath(__file__))
REPO = os.path.dirname(HERE)
ENGINES = ('hnswlib,hnswlib,libhnx,libhnx_f32,libhnx_certified,libhnx_guided,chroma,faiss,faiss_sq8,usearch,usearch_f16,'
           'usearch_i8,glass,glass_sq8,glass_sq4,svs,vsag,vsag_sq8')
SLOWEST = 3600  # seconds a worker may take for one command


def arguments():
    p = argparse.ArgumentParser(description=__doc__ + '\n' + datasets.__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--data', nargs='+', default=[os.path.join(REPO, 'examples', 'data')], metavar='DATA',
                   help='data sets, see below (default: examples/data)')
    p.add_argument('--metric', choices=('l2', 'ip', 'cosine'), help='of all data sets')
    p.add_argument('--rows', type=int, help='base vectors to use (default: all)')
    p.add_argument('--engines', default=ENGINES, help='which, the one to compare with first; twice shows the noise '
                   '(default: %(default)s)')
    p.add_argument('--m', type=int, default=16)
    p.add_argument('--efc', type=int, default=200, help='ef_construction')
    p.add_argument('--efs', default='10,14,20,28,40,56,80,112,160,224,320,448,640,896', help='values of ef to choose from')
    p.add_argument('--rounds', type=int, default=5)
    p.add_argument('--seconds', type=float, default=0.25, help='least time of one measurement')
    p.add_argument('--threads', type=int, default=1, help='threads of a search')
    p.add_argument('--build-threads', type=int, default=1, help='threads that build the index to search; with one, '
                   'libhnx and hnswlib build the same graph')
    p.add_argument('--add-rows', type=int, default=20000, help='records of an index built to time adds; 0: none')
    p.add_argument('--add-rounds', type=int, default=3, help='rounds of adds, loads and mixed load')
    p.add_argument('--out', default=os.path.join(REPO, 'build', 'bench'), metavar='FOLDER', help='for JSON and Markdown')
    p.add_argument('--plots', metavar='FOLDER', help='for SVG (default: as --out)')
    a = p.parse_args()
    a.engines, a.efs = a.engines.split(','), [int(ef) for ef in a.efs.split(',')]
    a.data = [one for path in a.data for one in datasets.expand(path)]
    return a


def say(text):
    print(text, file=sys.stderr, flush=True)


class Failed(Exception):
    """What a worker could not do."""


class Engine:
    """A worker process, and what it was measured to do."""

    def __init__(self, name, folder):
        self.name, self.title, self.efs = name, name, []
        self.curve, self.adds, self.loads, self.mixed, self.bytes = {}, {'1': [], '2': []}, [], [], 0
        env = {k: v for k, v in os.environ.items() if not k.startswith('OPENBLAS_')}
        env.setdefault('HNX_ORIGINALS', os.path.join(REPO, 'build', 'originals'))
        self.errors = tempfile.TemporaryFile('w+')
        self.process = subprocess.Popen([sys.executable, os.path.join(HERE, 'worker.py'), name, folder], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, env=env)

    def send(self, **command):
        try:
            self.process.stdin.write(json.dumps(command) + '\n')
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # receive() tells

    def receive(self):
        timer = threading.Timer(SLOWEST, self.process.kill)
        timer.start()
        line = self.process.stdout.readline()
        timer.cancel()
        if not line:
            code = self.process.wait()
            self.errors.seek(0)
            last = self.errors.read().strip().splitlines()[-1:]
            raise Failed((f'ended by {signal.Signals(-code).name}' if code < 0 else f'ended with {code}') + ''.join(f': {l}' for l in last))
        reply = json.loads(line)
        if 'error' in reply:
            raise Failed(reply['error'])
        return reply

    def ask(self, **command):
        self.send(**command)
        return self.receive()

    def recall(self, ef):
        """On the queries to tune with."""
        return self.ask(op='search', half=0, ef=ef, threads=1, seconds=0)['recall']

    def choose(self, efs):
        """Keeps the values of ef from the last below all recalls to report to the first above them."""
        recalls, level = {}, 3
        for ef in efs:
            recalls[ef] = self.recall(ef)
            before = list(recalls.values())[:-level]
            if recalls[ef] > 0.9985 or before and recalls[ef] < before[-1] + 0.001:
                break  # the curve need not go on, or does not rise any more
        low, high = min(report.RECALLS) - 0.02, max(report.RECALLS) + 0.0025
        below = [ef for ef in recalls if recalls[ef] < low]
        above = [ef for ef in recalls if recalls[ef] > high]
        self.efs = [ef for ef in recalls if ef >= max(below, default=0) and ef <= (above[1] if above[1:] else max(recalls))]

    def close(self):
        self.process.stdin.close()
        self.process.wait()

    def result(self):
        return {'engine': self.name, 'title': self.title, 'bytes': self.bytes, 'adds_per_second': self.adds,
                'load_seconds': self.loads, 'mixed': self.mixed,
                'curve': [{'ef': ef, 'recall': r, 'qps': s} for ef, (r, s) in sorted(self.curve.items())]}


class Run:
    """The engines of one data set. One that fails is given up, and the reason kept."""

    def __init__(self, data, a, folder):
        self.data, self.a, self.remarks, self.folder = data, a, [], folder
        for part, value in (('base', data.base), ('query', data.query), ('reach', data.reach)):
            np.save(os.path.join(folder, part + '.npy'), value)
        with open(os.path.join(folder, 'parameters.json'), 'w') as file:
            json.dump({'metric': data.metric, 'm': a.m, 'efc': a.efc}, file)
        self.engines = [Engine(name, folder) for name in a.engines]

    def remark(self, engine, reason):
        say(f'{self.data.name}: {engine.title}: {reason}')
        if (engine.title, reason) not in self.remarks:
            self.remarks.append((engine.title, reason))

    def give_up(self, engine, reason):
        self.remark(engine, missing(reason))
        self.engines.remove(engine)
        engine.close()

    def build(self):
        """As many at a time as there are cores for."""
        at_once = max(1, os.cpu_count() // self.a.build_threads)
        waiting = list(self.engines)
        for some in (waiting[i:i + at_once] for i in range(0, len(waiting), at_once)):
            for engine in some:
                engine.send(op='build', threads=self.a.build_threads)
            for engine in some:
                try:
                    reply = engine.receive()
                except Failed as error:
                    self.give_up(engine, str(error))
                    continue
                engine.title, engine.bytes = reply['title'], reply['bytes']
                if engine.name in [e.name for e in self.engines[:self.engines.index(engine)]]:
                    engine.title += ', again'
                say(f'{self.data.name}: {engine.title}: built')

    def each(self, turn, body):
        """Asks all engines in turn, in alternating order."""
        for engine in self.engines[:] if turn % 2 == 0 else self.engines[::-1]:
            try:
                body(engine)
            except Failed as error:
                self.give_up(engine, str(error))

    def search(self):
        a = self.a
        self.each(0, lambda engine: engine.choose(a.efs))
        for round_ in range(a.rounds):
            for turn in range(max((len(engine.efs) for engine in self.engines), default=0)):
                def one(engine):
                    if turn < len(engine.efs):
                        ef = engine.efs[turn]
                        reply = engine.ask(op='search', half=1, ef=ef, threads=a.threads, seconds=a.seconds)
                        engine.curve.setdefault(ef, (reply['recall'], []))[1].append(reply['qps'])
                self.each(turn + round_, one)
            say(f'{self.data.name}: searches, round {round_ + 1} of {a.rounds}')

    def rates(self):
        def one(engine):
            for threads, rates in engine.adds.items():
                rates.append(engine.ask(op='rate', rows=self.a.add_rows, threads=int(threads))['per_second'])
        for round_ in range(self.a.add_rounds if self.a.add_rows else 0):
            self.each(round_, one)
            say(f'{self.data.name}: adds, round {round_ + 1} of {self.a.add_rounds}')

    def extras(self):
        """What not every package can do; an engine that fails here keeps its curve."""
        unable = set()
        for round_ in range(self.a.add_rounds if self.a.add_rows else 0):
            for engine in self.engines if round_ % 2 == 0 else self.engines[::-1]:
                for op, into, command in (('load', engine.loads, {}), ('mixed', engine.mixed, {'rows': self.a.add_rows})):
                    if (engine, op) not in unable:
                        try:
                            reply = engine.ask(op=op, **command)
                            into += [reply['seconds'] if op == 'load' else reply] if reply else []
                        except Failed as error:
                            unable.add((engine, op))
                            self.remark(engine, f'{op}: {error}')
            say(f'{self.data.name}: loads and mixed load, round {round_ + 1} of {self.a.add_rounds}')

    def close(self):
        for engine in self.engines:
            engine.close()

    def result(self):
        data, a = self.data, self.a
        return {'data': data.name, 'rows': len(data.base), 'dim': data.base.shape[1], 'metric': data.metric,
                'queries': len(data.query) - len(data.query) // 2, 'm': a.m, 'ef_construction': a.efc, 'threads': a.threads,
                'build_threads': a.build_threads, 'rounds': a.rounds, 'machine': machine(), 'remarks': self.remarks,
                'engines': [engine.result() for engine in self.engines]}


def missing(reason):
    """With what pip said, when the package is not installed (peers.sh)."""
    packages = {'faiss': 'faiss-cpu', 'usearch': 'usearch', 'glass': 'pyglass-portable', 'svs': 'scalable-vs', 'pyvsag': 'pyvsag'}
    package = packages.get(reason.split("'")[-2]) if 'No module named' in reason else None
    log = os.path.join(REPO, 'build', 'bench', 'missing', package or '')
    if not package or not os.path.isfile(log):
        return reason
    with open(log) as file:
        return f'{package} could not be installed: ' + (file.read().strip().splitlines() or ['no reason given'])[-1]


def measure(path, a):
    data = datasets.load(path, a.rows, a.metric)
    with tempfile.TemporaryDirectory(prefix='hnx-bench-') as folder:
        run = Run(data, a, folder)
        for step in (run.build, run.search, run.rates, run.extras):
            step()
        run.close()
    if not run.engines:
        raise SystemExit('no engine runs:\n' + '\n'.join(': '.join(remark) for remark in run.remarks))
    return run.result()


def machine():
    model = 'unknown CPU'
    with open('/proc/cpuinfo') as file:
        for line in file:
            if line.lower().startswith(('model name', 'cpu part')):
                model = line.split(':', 1)[1].strip()
                break
    return f'{model}, {os.cpu_count()} cores'


def main():
    a = arguments()
    os.makedirs(a.out, exist_ok=True)
    if os.getloadavg()[0] > 0.5:
        say(f'warning: the load average is {os.getloadavg()[0]:.1f}: something else is running, the figures will spread')
    texts = []
    for path in a.data:
        result = measure(path, a)
        with open(os.path.join(a.out, result['data'] + '.json'), 'w') as file:
            json.dump(result, file, indent=1)
        plots.draw(result, a.plots or a.out)
        texts.append(report.text(result))
        with open(os.path.join(a.out, 'result.md'), 'w') as file:
            file.write('\n'.join(texts))
    print('\n'.join(texts))


if __name__ == '__main__':
    main()
