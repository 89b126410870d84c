"""One build of a Python module `hnswlib` as a process: worker.py FOLDER SCRIPT, FOLDER holding the module.

Reads pickled (step, arguments) from stdin, calls that function of SCRIPT with the module first, writes a pickled
(worked, result) after its length. Only builds.py talks to it. All builds name their module hnswlib, hence one a process.
"""
import importlib
import os
import pickle
import sys
import traceback

folder, script = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
replies = os.fdopen(os.dup(1), 'wb')
os.dup2(2, 1)  # what C++ prints must not get between the replies
sys.path[:1] = [folder, os.path.dirname(script)]
import hnswlib  # noqa: E402

assert os.path.dirname(hnswlib.__file__) == folder, hnswlib.__file__
steps = importlib.import_module(os.path.splitext(os.path.basename(script))[0])
while True:
    try:
        step, args, kwargs = pickle.load(sys.stdin.buffer)
    except EOFError:
        break
    try:
        reply = (True, getattr(steps, step)(hnswlib, *args, **kwargs))
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[1:]
        where = ' < '.join(f'{os.path.basename(f.filename)}:{f.lineno}' for f in reversed(where))
        reply = (False, f'{type(error).__name__}: {error} [{where}]')
    text = pickle.dumps(reply, protocol=5)
    replies.write(len(text).to_bytes(8, 'little') + text)
    replies.flush()
