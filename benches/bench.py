#!/usr/bin/env python3
"""Compares libhnx with the original hnswlib, and with other libraries if asked: `make bench`.

Every engine is a process of its own (worker.py) and has the same vectors, M, ef_construction and ef. They are asked in
turn, round after round, in alternating order, so that what slows the machine down slows all of them. Printed are

* queries per second at recall@10 of 0.90, 0.95 and 0.99: per round interpolated on the engine's own curve (log of the
  speed over the logit of recall, never beyond the ends of the curve); the median over the rounds, and the ratio to the
  first engine: median, smallest and largest over the rounds;
* adds per second of one thread, building an index of --add-rows rows from nothing, in turn as well;
* recall and speed at each ef.

Recall counts an answer that is no farther than the tenth exact neighbour, so that ties do not decide.
"""
import argparse
import json
import math
import os
import subprocess
import sys
import tempfile

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
REPO = os.path.dirname(HERE)
sys.path.insert(0, os.path.join(REPO, 'ctests', 'python'))
from data import exact_neighbours, read_vecs  # noqa: E402

K = 10
RECALLS = (0.90, 0.95, 0.99)
PACKAGES = {'faiss': 'faiss-cpu', 'usearch': 'usearch', 'glass': 'pyglass-portable', 'svs': 'scalable-vs'}
TITLES = {'hnswlib': 'hnswlib 0.8.0', 'chroma': 'chroma-hnswlib 0.7.1', 'faiss': 'FAISS HNSW', 'usearch': 'USearch f32',
          'glass': 'pyglass f32', 'glass_sq8': 'pyglass SQ8 + refine', 'svs': 'SVS Vamana f32'}


def arguments():
    shared = os.path.join(REPO, '..', 'shared', 'data')
    sets = [os.path.join(shared, name) for name in ('sift-128-l2', 'glove-100-cosine', 'minilm-384-cosine')]
    data = [path for path in sets if os.path.isdir(path)] or [os.path.join(REPO, 'examples', 'data')]
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--data', nargs='+', default=data, metavar='FOLDER',
                   help='folders with base.* and query.* (.fvecs or .bvecs); a name that ends in -cosine or -ip tells '
                        'the metric (default: ../shared/data where it exists, else examples/data)')
    p.add_argument('--rows', type=int, help='base vectors to use (default: all)')
    p.add_argument('--add-rows', type=int, default=20000, help='records of an index built to time adds; 0: none')
    p.add_argument('--add-rounds', type=int, default=3)
    p.add_argument('--rounds', type=int, default=5)
    p.add_argument('--seconds', type=float, default=0.25, help='least time of one measurement')
    p.add_argument('--efs', default='10,14,20,28,40,56,80,112,160,224,320,448,640,896')
    p.add_argument('--m', type=int, default=16)
    p.add_argument('--efc', type=int, default=200)
    p.add_argument('--threads', type=int, default=1, help='threads of a search')
    p.add_argument('--build-threads', type=int, default=1, help='threads that build the index to search; with one, '
                   'libhnx and hnswlib build the same graph')
    p.add_argument('--engines', default='hnswlib,libhnx', help='the first one is what the others are compared with; '
                   'naming an engine twice shows the noise; libhnx_f32, _certified, _guided ask for an exactness')
    p.add_argument('--peers', default='', help='more engines: chroma, ' + ', '.join(PACKAGES) + ', glass_sq8')
    p.add_argument('--out', default=os.path.join(REPO, 'build', 'bench'), help='folder for the JSON and the Markdown')
    a = p.parse_args()
    a.engines = [name for name in (a.engines + ',' + a.peers).split(',') if name]
    a.efs = [int(ef) for ef in a.efs.split(',')]
    return a


def install_peers(engines, folder):
    """The packages of the other libraries, into a folder of their own; returns it, None if none is needed."""
    wanted = sorted({PACKAGES[name.split('_')[0]] for name in engines if name.split('_')[0] in PACKAGES})
    missing = [package for package in wanted if not os.path.exists(os.path.join(folder, f'.{package}'))]
    if missing:
        say('installing ' + ' '.join(missing))
        subprocess.run([sys.executable, '-m', 'pip', 'install', '-q', '--target', folder, '--upgrade', *missing,
                        f'numpy=={np.__version__}'], check=True)
        for package in missing:
            open(os.path.join(folder, f'.{package}'), 'w').close()
    return folder if wanted else None


def say(text):
    print(text, file=sys.stderr, flush=True)


class Engine:
    """A worker process."""

    def __init__(self, name, folder, paths):
        self.name, self.curve, self.adds = name, {}, []
        env = {k: v for k, v in os.environ.items() if not k.startswith('OPENBLAS_')}
        env.setdefault('HNX_ORIGINALS', os.path.join(REPO, 'build', 'originals'))
        env['PYTHONPATH'] = os.pathsep.join(filter(None, [*paths, env.get('PYTHONPATH')]))
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
        try:
            return json.loads(self.process.stdout.readline())
        except json.JSONDecodeError:
            self.errors.seek(0)
            raise SystemExit(f'{self.name} ended with code {self.process.wait()}:\n{self.errors.read()[-3000:]}') from None

    def ask(self, **command):
        self.send(**command)
        return self.receive()

    def set_title(self, name, engines):
        self.title = TITLES.get(self.name, name)
        if self.name.startswith('libhnx_'):
            self.title += ' ' + self.name.split('_')[1]
        before = [engine.name for engine in engines[:engines.index(self)]]
        if self.name in before:
            self.title += ', again'

    def close(self):
        self.process.stdin.close()
        self.process.wait()

    def recall(self, ef):
        return self.curve[ef][0]

    def qps(self, ef):
        return float(np.median(self.curve[ef][1]))

    def speed_at(self, recall, round_):
        """Queries per second at a recall, in one round; None where the curve does not reach so far."""
        def logit(r):
            r = min(max(r, 1e-6), 1 - 1e-6)
            return math.log(r / (1 - r))
        points = sorted((r, speeds[round_]) for r, speeds in self.curve.values() if len(speeds) > round_)
        best = None
        for (r0, q0), (r1, q1) in zip(points, points[1:]):
            if r0 <= recall <= r1 and r1 > r0:
                t = (logit(recall) - logit(r0)) / (logit(r1) - logit(r0))
                best = max(best or 0, math.exp(math.log(q0) * (1 - t) + math.log(q1) * t))
        return best


def metric_of(folder):
    tail = os.path.basename(os.path.normpath(folder)).rsplit('-', 1)[-1]
    return tail if tail in ('ip', 'cosine') else 'l2'


def find(folder, part):
    names = {'base': ('base.fvecs', 'base.bvecs', 'sift15k.bvecs'), 'query': ('query.fvecs', 'query.bvecs', 'sift15k-query.bvecs')}
    for name in names[part]:
        if os.path.exists(os.path.join(folder, name)):
            return os.path.join(folder, name)
    raise SystemExit(f'{folder}: holds none of ' + ', '.join(names[part]))


def prepare(folder, a, into):
    """Vectors and the distance of each query's tenth neighbour, as files the workers read."""
    metric = metric_of(folder)
    x, q = read_vecs(find(folder, 'base'), a.rows), read_vecs(find(folder, 'query'))
    nearest = np.concatenate([exact_neighbours(x, q[i:i + 100], K, metric) for i in range(0, len(q), 100)])
    rows, queries = x[nearest[:, K - 1]].astype(np.float64), q.astype(np.float64)
    if metric == 'cosine':
        rows, queries = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (rows, queries))
    reach = ((rows - queries)**2).sum(1) if metric == 'l2' else 1 - (rows * queries).sum(1)
    for part, value in (('base', x), ('query', q), ('reach', reach)):
        np.save(os.path.join(into, part + '.npy'), value)
    with open(os.path.join(into, 'parameters.json'), 'w') as file:
        json.dump({'metric': metric, 'm': a.m, 'efc': a.efc}, file)
    return x.shape, len(q), metric


def measure(folder, a, paths):
    name = os.path.basename(os.path.normpath(folder))
    with tempfile.TemporaryDirectory(prefix='hnx-bench-') as into:
        shape, queries, metric = prepare(folder, a, into)
        engines = [Engine(wanted, into, paths) for wanted in a.engines]
        at_once = max(1, os.cpu_count() // a.build_threads)
        for some in (engines[i:i + at_once] for i in range(0, len(engines), at_once)):
            for engine in some:
                engine.send(op='build', threads=a.build_threads)
            for engine in some:
                engine.set_title(engine.receive()['name'], engines)
                say(f'{name}: {engine.title}: built with {a.build_threads} thread(s)')
        for round_ in range(a.add_rounds if a.add_rows else 0):
            for engine in engines if round_ % 2 == 0 else engines[::-1]:
                engine.adds.append(engine.ask(op='add', rows=a.add_rows)['per_second'])
                say(f'{name}: round {round_ + 1}: {engine.title}: {engine.adds[-1]:.0f} adds/s')
        for engine in engines:
            engine.ask(op='search', ef=a.efs[0], threads=a.threads, seconds=0)  # warms up, is not counted
        for round_ in range(a.rounds):
            for turn, ef in enumerate(a.efs, round_):
                for engine in engines if turn % 2 == 0 else engines[::-1]:
                    known = engine.curve.get(ef)
                    below = [e for e in engine.curve if e < ef]
                    if known is None and (round_ or below and engine.recall(max(below)) > 0.9985):
                        continue  # the curve need not go on
                    reply = engine.ask(op='search', ef=ef, threads=a.threads, seconds=a.seconds)
                    engine.curve.setdefault(ef, (reply['recall'], []))[1].append(reply['qps'])
            say(f'{name}: round {round_ + 1} of {a.rounds} done')
        for engine in engines:
            engine.close()
    text = f'### {name}: {shape[0]:,} x {shape[1]}, {metric}\n\n' + tables(engines, a)
    result = {'data': name, 'rows': shape[0], 'dim': shape[1], 'queries': queries, 'metric': metric, 'm': a.m,
              'ef_construction': a.efc, 'threads': a.threads, 'build_threads': a.build_threads, 'machine': machine(),
              'engines': [{'engine': e.name, 'title': e.title, 'adds_per_second': e.adds,
                           'curve': [{'ef': ef, 'recall': r, 'qps': s} for ef, (r, s) in sorted(e.curve.items())],
                           'qps_at': {str(r): [e.speed_at(r, i) for i in range(a.rounds)] for r in RECALLS}}
                          for e in engines]}
    return name, result, text


def ratio(values, others, digits=2):
    """median (smallest-largest) of values / others, round by round."""
    each = [v / o for v, o in zip(values, others) if v and o]
    return f'{np.median(each):.{digits}f} ({min(each):.{digits}f}-{max(each):.{digits}f})' if each else '-'


def tables(engines, a):
    first, lines = engines[0], []
    head = ['engine'] + [f'queries/s at {r:.2f} | ratio' for r in RECALLS] + (['adds/s, one thread | ratio'] if first.adds else [])
    lines += ['| ' + ' | '.join(head) + ' |', '| --- ' * (len(head) * 2 - 1) + '|']
    for engine in engines:
        cells = [engine.title]
        for r in RECALLS:
            speeds, others = ([e.speed_at(r, i) for i in range(a.rounds)] for e in (engine, first))
            known = [s for s in speeds if s]
            cells += [f'{np.median(known):,.0f}' if known else '-', '1' if engine is first else ratio(speeds, others)]
        if first.adds:
            cells += [f'{np.median(engine.adds):,.0f}', '1' if engine is first else ratio(engine.adds, first.adds)]
        lines.append('| ' + ' | '.join(cells) + ' |')
    lines += ['', '| ef | ' + ' | '.join(f'recall@10 {e.title} | queries/s' for e in engines) + ' |',
              '| --- ' * (1 + 2 * len(engines)) + '|']
    for ef in a.efs:
        if any(ef in engine.curve for engine in engines):
            cells = [f'{e.recall(ef):.4f} | {e.qps(ef):,.0f}' if ef in e.curve else '- | -' for e in engines]
            lines.append(f'| {ef} | ' + ' | '.join(cells) + ' |')
    return '\n'.join(lines) + '\n'


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
    paths = [p for p in [install_peers(a.engines, os.path.join(a.out, 'peers'))] if p]
    os.makedirs(a.out, exist_ok=True)
    if os.getloadavg()[0] > 0.5:
        say(f'warning: the load average is {os.getloadavg()[0]:.1f}: something else is running, the figures will spread')
    texts = [f'{machine()}; M {a.m}, ef_construction {a.efc}, {a.threads} search thread(s), {a.rounds} rounds; ratios to '
             f'the first engine: median (smallest-largest) over the rounds.\n']
    for folder in a.data:
        name, result, text = measure(folder, a, paths)
        with open(os.path.join(a.out, name + '.json'), 'w') as file:
            json.dump(result, file, indent=1)
        texts.append(text)
    text = '\n'.join(texts)
    with open(os.path.join(a.out, 'result.md'), 'w') as file:
        file.write(text)
    print(text)


if __name__ == '__main__':
    main()
