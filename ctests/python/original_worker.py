"""One original package as a process: original_worker.py FOLDER, FOLDER holding the module hnswlib.

Reads pickled (index number, method, arguments) from stdin, writes a pickled (worked, result) for each to stdout.
Only originals.py talks to it.
"""
import os
import pickle
import sys

replies = os.fdopen(os.dup(1), 'wb')
os.dup2(2, 1)  # what C++ prints must not get between the replies
sys.path.insert(0, sys.argv[1])
import hnswlib  # noqa: E402

assert os.path.dirname(hnswlib.__file__) == os.path.abspath(sys.argv[1]), hnswlib.__file__
indexes = {}
while True:
    try:
        number, method, args, kwargs = pickle.load(sys.stdin.buffer)
    except EOFError:
        break
    try:
        if method == 'new':
            indexes[number], result = hnswlib.Index(*args, **kwargs), None
        elif method == 'drop':
            result = indexes.pop(number) and None
        elif method == 'read':
            result = getattr(indexes[number], *args)
        elif method in ('mark_deleted', 'unmark_deleted'):
            for label in args[0]:
                getattr(indexes[number], method)(label)
            result = None
        else:
            result = getattr(indexes[number], method)(*args, **kwargs)
        reply = (True, result)
    except Exception as error:
        reply = (False, f'{type(error).__name__}: {error}')
    pickle.dump(reply, replies)
    replies.flush()
