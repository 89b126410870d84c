#!/usr/bin/env python3
"""Draws what bench.py measured, as SVG:  plots.py RESULT.json... --into FOLDER  (bench.py itself does so with --plots).

NAME-recall.svg: queries per second over recall@10, the median and the range of the rounds; NAME-cost.svg: adds per second,
memory, time to load.
"""
import argparse
import json
import os

import matplotlib

matplotlib.use('svg')
import matplotlib.pyplot as plt  # noqa: E402
import numpy as np  # noqa: E402

from report import RECALLS, is_peer, median  # noqa: E402

plt.rcParams.update({'svg.hashsalt': 'libhnx', 'svg.fonttype': 'none', 'font.size': 9, 'axes.grid': True,
                     'grid.alpha': 0.3, 'axes.spines.top': False, 'axes.spines.right': False})


def colours(engines):
    """libhnx in shades of red and thick, the others each in a colour of its own."""
    ours, peers = [e for e in engines if not is_peer(e)], [e for e in engines if is_peer(e)]
    reds, others = plt.get_cmap('Reds'), [c for i, c in enumerate(plt.get_cmap('tab20').colors) if i not in (6, 7)]
    shades = {id(e): reds(0.95 - 0.5 * i / max(1, len(ours) - 1)) for i, e in enumerate(ours)}
    return {**shades, **{id(e): others[i % len(others)] for i, e in enumerate(peers)}}


def save(figure, path):
    figure.savefig(path, bbox_inches='tight', metadata={'Date': None})
    plt.close(figure)


def recall(result, path):
    figure, axes = plt.subplots(figsize=(9, 5))
    shades, lowest = colours(result['engines']), 0.85
    for engine in result['engines']:
        points = sorted((p['recall'], p['qps']) for p in engine['curve'] if lowest <= p['recall'] < 1)
        if not points:
            continue
        x, rounds = np.array([p[0] for p in points]), np.array([p[1] for p in points])
        axes.plot(x, np.median(rounds, axis=1), marker='.', color=shades[id(engine)], label=engine['title'],
                  linewidth=1 if is_peer(engine) else 2.2, linestyle='--' if engine['title'].endswith('again') else '-')
        axes.fill_between(x, rounds.min(axis=1), rounds.max(axis=1), color=shades[id(engine)], alpha=0.12, linewidth=0)
    axes.set_xscale('logit')
    axes.set_yscale('log')
    axes.set_xlim(lowest, 0.9995)
    ticks = [0.85, *RECALLS, 0.995, 0.999]
    axes.set_xticks(ticks, [str(t) for t in ticks])
    axes.xaxis.set_minor_formatter(matplotlib.ticker.NullFormatter())
    axes.set_xlabel('recall@10')
    axes.set_ylabel(f'queries/s, {result["threads"]} thread(s)')
    axes.set_title(f'{result["data"]}: {result["rows"]:,} x {result["dim"]}, {result["metric"]}\n{result["machine"]}', fontsize=9)
    axes.legend(loc='center left', bbox_to_anchor=(1, 0.5), frameon=False)
    save(figure, path)


def cost(result, path):
    shades, engines = colours(result['engines']), result['engines'][::-1]
    threads = sorted(engines[0]['adds_per_second'], key=int)
    panels = [(f'adds/s, {t} thread(s)', [median(e['adds_per_second'][t]) for e in engines]) for t in threads]
    panels += [('memory, MB', [e['bytes'] / 1e6 for e in engines]), ('load, s', [median(e['load_seconds']) for e in engines])]
    figure, row = plt.subplots(1, len(panels), figsize=(3 * len(panels), 0.28 * len(engines) + 1), sharey=True)
    for axes, (title, values) in zip(row, panels):
        axes.barh(range(len(engines)), [v or 0 for v in values], color=[shades[id(e)] for e in engines])
        axes.set_yticks(range(len(engines)), [e['title'] for e in engines])
        axes.set_title(title, fontsize=9)
        axes.grid(axis='y', visible=False)
    save(figure, path)


def draw(result, folder):
    os.makedirs(folder, exist_ok=True)
    recall(result, os.path.join(folder, f'{result["data"]}-recall.svg'))
    cost(result, os.path.join(folder, f'{result["data"]}-cost.svg'))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('results', nargs='+', metavar='RESULT.json')
    parser.add_argument('--into', required=True, metavar='FOLDER')
    options = parser.parse_args()
    for path in options.results:
        with open(path) as file:
            draw(json.load(file), options.into)


if __name__ == '__main__':
    main()
