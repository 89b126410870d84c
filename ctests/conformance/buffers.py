"""chroma-hnswlib 0.8.2's indexes in memory: buffers.cpp."""
import subprocess
import tempfile

import programs


def in_buffers():
    program = programs.ours('buffers')
    with tempfile.TemporaryDirectory() as folder:
        result = subprocess.run([program, folder], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300)
    assert result.returncode == 0, f'{result.returncode}: {result.stdout[-1500:]}'


def cases():
    yield 'in buffers', in_buffers
