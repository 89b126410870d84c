#!/usr/bin/env python3
"""Compares include/hnswlib with the original headers: run.py [--sequences N] [--first SEED] [--show SEED] [PART ...].

Parts, all by default:
  sequences  random sequences on hnswlib 0.8.0's classes (sequences.cpp), compiled with both, outputs compared
  chroma     the same for chroma-hnswlib 0.7.1 and its directories (chroma.cpp)
  headers    every header, alone and in any order, with every compiler and language version (headers.py)
  surface    every public name, in programs that use it (surface_*.cpp)
  together   both libraries in one process, and one library in many translation units (together.py)
  buffers    chroma-hnswlib 0.8.2's HnswData, which has no published original (buffers.cpp)

--show prints both outputs of one sequence side by side from the first difference on, with the graph after each step.
HNX_LIB names the library, HNX_INCLUDE the folder of hnx.h and hnswlib/, HNX_ORIGINALS that of the originals (fetch.sh).
Ends with 1 if something differed, with 77 if the originals cannot be had.
"""
import argparse
import concurrent.futures
import os
import signal
import subprocess
import sys
import tempfile
import time

import compare
import programs

CHUNK = 40  # sequences for one run of a program
SECONDS = 300  # a run that takes longer has hung


class Totals:
    def __init__(self):
        self.passed, self.failed, self.notes = 0, 0, []

    def good(self, count=1):
        self.passed += count

    def bad(self, text):
        self.failed += 1
        if self.failed <= 30:
            print(f'FAILED {text}', flush=True)

    def note(self, text):
        self.notes.append(text)


def output(program, first, last, *words):
    """What a program printed, and how it ended ('' when well)."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as errors:
        process = subprocess.Popen([program, str(first), str(last), folder, *words], stdout=subprocess.PIPE, stderr=errors)
        try:
            text, _ = process.communicate(timeout=SECONDS)
            code = process.returncode
            end = '' if code == 0 else f'ended by {signal.Signals(-code).name}' if code < 0 else f'ended with {code}'
        except subprocess.TimeoutExpired:
            process.kill()
            text, _ = process.communicate()
            end = f'hung for {SECONDS} s'
        errors.seek(0)
        said = errors.read().decode(errors='replace').strip().splitlines()[-3:]
    return text.decode(errors='replace'), ' | '.join([end] + said) if end else ''


def outputs(program, first, last, *words):
    """{seed: (lines, how it ended)}; goes on behind a sequence that ended the program."""
    found = {}
    while first <= last:
        text, end = output(program, first, last, *words)
        for seed, (lines, complete) in compare.sequences(text).items():
            found[seed] = lines, '' if complete else end or 'ended early'
        last_seen = max(compare.sequences(text), default=first)
        first = last_seen + 1
    return found


def chunk_of(pair, first, last):
    """[(seed, None or the difference, whether the host had to measure)] of some sequences."""
    one, other = (outputs(program, first, last) for program in pair)
    results = []
    for seed in range(first, last + 1):
        a, b = one.get(seed, ([], 'not run')), other.get(seed, ([], 'not run'))
        difference, measured = verdict(a, b), False
        if difference and a[0] and a[0][0].endswith(' soft') and not a[1] and not b[1]:
            # Rounding may have led it elsewhere. With the host's own distances both must go the same way.
            measured = True
            a, b = (outputs(program, seed, seed, 'host').get(seed, ([], 'not run')) for program in pair)
            difference = verdict(a, b)
        results.append((seed, difference, measured))
    return results


def verdict(a, b):
    (lines_a, end_a), (lines_b, end_b) = a, b
    if end_a:
        return f'the original {end_a}, after: {lines_a[-1] if lines_a else "nothing"}'
    if end_b:
        return f'libhnx {end_b}, after: {lines_b[-1] if lines_b else "nothing"}'
    found = compare.first_difference(lines_a, lines_b)
    if found:
        number, x, y = found
        return f'{lines_a[0]}\n  original, line {number}: {x[:600]}\n  libhnx,   line {number}: {y[:600]}'
    return None


def compare_program(totals, name, upstream, options):
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        original, ours = pool.submit(programs.original, name, upstream), pool.submit(programs.ours, name)
    pair = original.result(), ours.result()
    if options.show is not None:
        return show(pair, options.show)
    ranges = [(first, min(first + CHUNK, options.first + options.sequences) - 1)
              for first in range(options.first, options.first + options.sequences, CHUNK)]
    measured = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for results in pool.map(lambda ends: chunk_of(pair, *ends), ranges):
            for seed, difference, by_host in results:
                measured += by_host
                if difference:
                    totals.bad(f'{name} {seed}: {difference}\n  run.py --show {seed} {name}')
                else:
                    totals.good()
    totals.note(f'{name}: {options.sequences} sequences, {measured} of them with distances measured by the host after '
                'rounding led elsewhere')


def show(pair, seed):
    a, b = (outputs(program, seed, seed, 'verbose').get(seed, ([], 'not run')) for program in pair)
    found = compare.first_difference(a[0], b[0]) if a[0] and b[0] else None
    at = found[0] if found else max(min(len(a[0]), len(b[0])) - 5, 0)
    print(f'{a[0][0] if a[0] else ""}\nfirst difference at line {at}' if found else 'no difference')
    for number in range(max(at - 12, 0), min(at + 12, max(len(a[0]), len(b[0])))):
        x, y = (lines[number] if number < len(lines) else '' for lines in (a[0], b[0]))
        print(f'{number} both:     {x}' if x == y else f'{number} original: {x}\n{number} libhnx:   {y}')
    print('ends:', a[1] or 'well', '|', b[1] or 'well')


def cases(totals, module):
    """Runs the cases of a module, pairs of name and function; what they throw is a failure."""
    def result(named):
        try:
            named[1]()
        except (AssertionError, OSError, subprocess.SubprocessError) as error:
            return f'{module.__name__} {named[0]}: {error}'
        return None

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for failure in pool.map(result, module.cases()):
            if failure:
                totals.bad(failure)
            else:
                totals.good()


def run_part(totals, part, options):
    if part == 'sequences':
        return compare_program(totals, 'sequences', programs.HNSWLIB, options)
    if part == 'chroma':
        return compare_program(totals, 'chroma', programs.CHROMA, options)
    cases(totals, __import__(part))


PARTS = ('headers', 'surface', 'together', 'buffers', 'sequences', 'chroma')


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--sequences', type=int, default=1000, help='of each program')
    parser.add_argument('--first', type=int, default=1)
    parser.add_argument('--show', type=int)
    parser.add_argument('parts', nargs='*')
    options = parser.parse_args()
    unknown = set(options.parts) - set(PARTS)
    if unknown:
        parser.error(f'no such part: {", ".join(unknown)}; there are: {", ".join(PARTS)}')
    fetched = subprocess.run([os.path.join(programs.HERE, 'fetch.sh'), programs.ORIGINALS])
    if fetched.returncode != 0:  # a machine without network may test the rest; CI may not
        return 1 if os.environ.get('CI') else fetched.returncode
    totals = Totals()
    for part in options.parts or PARTS:
        started, before = time.monotonic(), (totals.passed, totals.failed)
        run_part(totals, part, options)
        passed, failed = totals.passed - before[0], totals.failed - before[1]
        if options.show is None:
            print(f'{part}: {passed} passed, {failed} failed, {time.monotonic() - started:.0f} s', flush=True)
    for note in totals.notes:
        print(note)
    if options.show is None:
        print(f'conformance: {totals.passed} passed, {totals.failed} failed, 0 skipped')
    return 1 if totals.failed else 0


if __name__ == '__main__':
    sys.exit(main())
