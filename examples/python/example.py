#!/usr/bin/env python3
"""The life of an index, in Python: python3 examples/python/example.py [DATA-FOLDER]

A script written for hnswlib changes the import below, nothing else.
"""
import os
import sys
import tempfile

import numpy as np

import hnx as hnswlib

DATA = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), '..', 'data')


def read(name, kind):
    """.bvecs and .ivecs: rows of an int32 length and that many values."""
    raw = np.fromfile(os.path.join(DATA, name), np.uint8)
    length = int(raw[:4].view(np.int32)[0])
    return raw.reshape(-1, 4 + length * np.dtype(kind).itemsize)[:, 4:].copy().view(kind)


def recall(found, truth):
    return np.mean([len(np.intersect1d(a, b)) / len(b) for a, b in zip(found, truth)])


base, queries = read('sift15k.bvecs', np.uint8), read('sift15k-query.bvecs', np.uint8)
truth = read('sift15k-groundtruth.ivecs', np.int32)[:, :10]
print(f'libhnx {hnswlib.version()}, CPU level {hnswlib.cpu_name()}: {len(base)} vectors of {base.shape[1]} floats')

with tempfile.TemporaryDirectory() as folder:
    directory = os.path.join(folder, 'index')

    # Init, and add a batch. max_elements=0 grows on demand.
    index = hnswlib.Index(space='l2', dim=base.shape[1])
    index.init_index(max_elements=0, M=16, ef_construction=200, persist_path=directory)
    index.add_items(base, np.arange(len(base)))

    # Query.
    index.set_ef(80)
    labels, distances = index.knn_query(queries, k=10)
    print(f'recall@10 {recall(labels, truth):.4f}')

    # Filters: by a function, as hnswlib's, or by the labels that may be found, which is faster.
    odd, _ = index.knn_query(queries[:20], k=10, filter=lambda label: label % 2 == 1)
    listed, _ = index.knn_query(queries[:20], k=10, filter=np.arange(1, len(base), 2))
    print(f'odd labels only: {(odd % 2 == 1).all()}, the same by list: {(odd == listed).all()}')

    # Delete.
    for label in np.unique(labels[:, 0]):
        index.mark_deleted(label)
    again, _ = index.knn_query(queries, k=10)
    print(f'deleted {index.get_deleted_count()}, of them found: {np.isin(again, labels[:, 0]).sum()}')

    # Persist what changed, close, reopen.
    print('persisted %d: %d records, %d bytes' % index.persist_dirty())
    index.close()
    index = hnswlib.Index(space='l2', dim=base.shape[1])
    index.load_index(directory)
    index.set_ef(80)
    print(f'reopened {index.element_count} records, same answers: {(index.knn_query(queries, k=10)[0] == again).all()}')

    # An error.
    try:
        index.mark_deleted(123456789)
    except RuntimeError as error:
        print(f'caught: {error}')
    index.close()
