"""What a measurement says: speeds at a recall, ratios, tables in Markdown. Reads the JSON that bench.py writes."""
import math

import numpy as np

RECALLS = (0.90, 0.95, 0.99)


def is_peer(engine):
    return not engine['engine'].startswith('libhnx')


def speed_at(engine, recall, round_):
    """Queries per second at a recall in one round: the log of the speed over the logit of recall, on the engine's own curve
    and never beyond its ends. None where it does not reach so far."""
    def logit(r):
        r = min(max(r, 1e-6), 1 - 1e-6)
        return math.log(r / (1 - r))
    points = sorted((point['recall'], point['qps'][round_]) for point in engine['curve'])
    best = None
    for (r0, q0), (r1, q1) in zip(points, points[1:]):
        if r0 <= recall <= r1 and r1 > r0:
            t = (logit(recall) - logit(r0)) / (logit(r1) - logit(r0))
            best = max(best or 0, math.exp(math.log(q0) * (1 - t) + math.log(q1) * t))
    return best


def speeds(engine, recall):
    """One for each round."""
    return [speed_at(engine, recall, i) for i in range(len(engine['curve'][0]['qps']) if engine['curve'] else 0)]


def median(values):
    values = [v for v in values if v is not None]
    return float(np.median(values)) if values else None


def number(value, digits=0):
    return '-' if value is None else f'{value:,.{digits}f}'


def ratio(values, others):
    """values / others, round by round: median (smallest-largest)."""
    each = [v / o for v, o in zip(values, others) if v and o]
    return f'{np.median(each):.2f} ({min(each):.2f}-{max(each):.2f})' if each else '-'


def table(head, rows):
    return '\n'.join('| ' + ' | '.join(cells) + ' |' for cells in (head, ['---'] * len(head), *rows)) + '\n'


def speed_table(result):
    first, rows = result['engines'][0], []
    for engine in result['engines']:
        row = [engine['title']]
        for r in RECALLS:
            ours = speeds(engine, r)
            row += [number(median(ours)), '1' if engine is first else ratio(ours, speeds(first, r))]
        rows.append(row)
    head = ['engine'] + [cell for r in RECALLS for cell in (f'queries/s at {r:.2f}', 'ratio')]
    return table(head, rows)


def findings(result):
    """The noise; for each recall the fastest of the others, and each mode of libhnx against it."""
    first, lines = result['engines'][0], []
    for again in (e for e in result['engines'][1:] if e['engine'] == first['engine']):
        each = (f'{ratio(speeds(again, r), speeds(first, r))} at {r:.2f}' for r in RECALLS)
        lines.append(f'* Noise: {first["title"]} to itself, in another process: ' + ', '.join(each) + '.')
    for r in RECALLS:
        peers = [e for e in result['engines'] if is_peer(e) and not e['title'].endswith('again') and median(speeds(e, r))]
        if peers:
            best = max(peers, key=lambda e: median(speeds(e, r)))
            ours = [f'{e["title"]} {ratio(speeds(e, r), speeds(best, r))}' for e in result['engines'] if not is_peer(e)]
            lines.append(f'* Best peer at {r:.2f}: {best["title"]}, {number(median(speeds(best, r)))} queries/s. To it: '
                         + '; '.join(ours) + '.')
    return '\n'.join(lines) + '\n'


def cost_table(result):
    first, rows = result['engines'][0], []
    vectors = result['rows'] * result['dim'] * 4
    threads = sorted(first['adds_per_second'], key=int)
    for engine in result['engines']:
        row = [engine['title']]
        for t in threads:
            rates = engine['adds_per_second'][t]
            row += [number(median(rates)), '1' if engine is first else ratio(rates, first['adds_per_second'][t])]
        row += [number(engine['bytes'] / 1e6, 1), f'{engine["bytes"] / vectors:.2f}',
                number(median(engine['load_seconds']), 3)]
        mixed = engine['mixed']
        row += [number(median([m['adds'] for m in mixed])), number(median([m['queries'] for m in mixed])),
                ('at once' if mixed[0]['together'] else 'in turns') if mixed else '-']
        rows.append(row)
    head = ['engine'] + [cell for t in threads for cell in (f'adds/s, {t} thread' + 's' * (t != '1'), 'ratio')]
    return table(head + ['memory, MB', 'to the vectors', 'load, s', 'mixed: adds/s', 'queries/s', ''], rows)


def curve_table(result):
    engines = result['engines']
    efs = sorted({point['ef'] for engine in engines for point in engine['curve']})
    rows = []
    for ef in efs:
        points = [next((p for p in engine['curve'] if p['ef'] == ef), None) for engine in engines]
        rows.append([str(ef)] + [f'{p["recall"]:.4f}: {number(median(p["qps"]))}' if p else '-' for p in points])
    return table(['ef'] + [engine['title'] for engine in engines], rows)


def text(result):
    parts = [f'### {result["data"]}: {result["rows"]:,} x {result["dim"]}, {result["metric"]}\n',
             f'{result["machine"]}; M {result["m"]}, ef_construction {result["ef_construction"]}, {result["threads"]} search '
             f'thread(s), {result["queries"]} queries that nothing was tuned on, {result["rounds"]} rounds. Ratios are to the '
             'first engine, round by round: median (smallest-largest).\n',
             speed_table(result), findings(result), cost_table(result)]
    remarks = [f'* {title}: {reason}' for title, reason in result['remarks']]
    parts += ['\n'.join(['What could not be run:', '', *remarks]) + '\n'] if remarks else []
    return '\n'.join([*parts, 'Recall@10 and queries per second at each ef:\n', curve_table(result)])
