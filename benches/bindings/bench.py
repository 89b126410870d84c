"""See bench.c."""
import os
import sys
import time

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'examples', 'python'))
import hnx  # noqa: E402

path, file, dim = sys.argv[1:]
queries = np.fromfile(file, np.float32).reshape(-1, int(dim))
index = hnx.Index('l2', int(dim))
index.load_index(path)
index.set_ef(80)
total = 0
for line in sys.stdin:
    what, times = line.split()
    wall, cpu = time.perf_counter_ns(), time.process_time_ns()
    for i in range(int(times)):
        labels, _ = index.knn_query(queries[i % 1000] if what == 'single' else queries, 10, num_threads=1)
        total += int(labels[0, 0])
    print((time.perf_counter_ns() - wall) // int(times), (time.process_time_ns() - cpu) // int(times), total, flush=True)
