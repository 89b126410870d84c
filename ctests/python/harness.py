"""Cases, skips and their report: `@case` marks a test function, run(module) runs those of a module.

run.py reads the lines: "> case" begins one, "= passed failed skipped" ends a module."""
import sys
import time
import traceback

CASES = []


class Skip(Exception):
    """This case cannot run here, and why."""


def case(*parameters, quick=False):
    """@case marks a function as a test; @case(a, b, quick=True) as one to be called with (a, b), in quick runs too."""
    def mark(function):
        label = '_'.join([function.__name__, *map(str, parameters)])
        CASES.append((label, function, parameters, quick))
        return function
    if len(parameters) == 1 and callable(parameters[0]):
        function, parameters = parameters[0], ()
        return mark(function)
    return mark


def run(module, quick=False, only=None):
    """Runs the cases, a line each; ends the process with the number of failures as a truth value."""
    passed = failed = skipped = 0
    for label, function, parameters, in_quick in CASES:
        if quick and not in_quick or only and only not in label:
            continue
        started = time.monotonic()
        print(f'> {module}.{label}', flush=True)
        try:
            note = function(*parameters)
            passed += 1
            line = f'ok    {module}.{label}' + (f': {note}' if note else '')
        except Skip as reason:
            skipped += 1
            line = f'skip  {module}.{label}: {reason}'
        except Exception as error:
            failed += 1
            where = traceback.extract_tb(error.__traceback__)
            where = ' < '.join(f'{f.filename.rsplit("/", 1)[-1]}:{f.lineno}' for f in reversed(where[1:]))
            line = f'FAIL  {module}.{label}: {type(error).__name__}: {error} [{where}]'
        print(f'{line} ({time.monotonic() - started:.1f} s)', flush=True)
    print(f'= {passed} {failed} {skipped}', flush=True)
    sys.exit(failed > 0)
