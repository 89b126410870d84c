#!/usr/bin/env python3
"""Cuts a slice out of a folder of .bvecs vectors and computes its exact neighbours (squared L2), with nothing but Python.

    make_slice.py SOURCE OUT [--base 15000] [--queries 200] [--neighbours 20]

SOURCE holds base.bvecs and query.bvecs, or files with the names written here. Rows are taken evenly spread, so that
every photograph of the source is in the slice. OUT receives

    sift15k.bvecs               the base vectors
    sift15k-query.bvecs         the queries
    sift15k-groundtruth.ivecs   per query the row numbers of its nearest base vectors, nearest first, ties by row number

Each row of a file is an int32 length followed by that many values (uint8 or int32), little-endian.
"""
import argparse
import heapq
import os
import struct
from operator import mul

NAMES = ("sift15k.bvecs", "sift15k-query.bvecs")
ALIASES = ("base.bvecs", "query.bvecs")


def read_rows(folder, which):
    """The rows of a .bvecs file, as bytes without their length."""
    for name in (NAMES[which], ALIASES[which]):
        path = os.path.join(folder, name)
        if os.path.exists(path):
            break
    with open(path, "rb") as file:
        data = file.read()
    (dim,) = struct.unpack_from("<i", data)
    if len(data) % (dim + 4):
        raise SystemExit(f"{path}: not rows of {dim} bytes")
    return [data[at + 4 : at + 4 + dim] for at in range(0, len(data), dim + 4)]


def spread(rows, count):
    """`count` of the rows, evenly spread."""
    if not 0 < count <= len(rows):
        raise SystemExit(f"{count} rows of {len(rows)} cannot be taken")
    return [rows[i * len(rows) // count] for i in range(count)]


def write_rows(path, rows, code):
    with open(path, "wb") as file:
        for row in rows:
            file.write(struct.pack(f"<i{len(row)}{code}", len(row), *row))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source")
    parser.add_argument("out")
    parser.add_argument("--base", type=int, default=15000)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--neighbours", type=int, default=20)
    a = parser.parse_args()

    base = spread(read_rows(a.source, 0), a.base)
    queries = spread(read_rows(a.source, 1), a.queries)
    squares = [sum(map(mul, row, row)) for row in base]
    nearest = []
    for query in queries:
        # |b - q|^2 without the constant |q|^2, in whole numbers: nothing is rounded.
        scores = ((square - 2 * sum(map(mul, row, query)), i) for i, (row, square) in enumerate(zip(base, squares)))
        nearest.append([i for _, i in heapq.nsmallest(a.neighbours, scores)])

    os.makedirs(a.out, exist_ok=True)
    write_rows(os.path.join(a.out, NAMES[0]), base, "B")
    write_rows(os.path.join(a.out, NAMES[1]), queries, "B")
    write_rows(os.path.join(a.out, "sift15k-groundtruth.ivecs"), nearest, "i")
    print(f"{a.out}: {len(base)} vectors, {len(queries)} queries, {a.neighbours} exact neighbours each")


if __name__ == "__main__":
    main()
