#!/usr/bin/env python3
"""Tests of the Python binding: test_hnx.py [-v]. HNX_EXCHANGE names a folder that ctests/bindings/run.py has filled,
HNX_ORIGINALS that of the original packages (ctests/python/originals.sh).
"""
import copy
import gc
import os
import pickle
import sys
import tempfile
import threading
import unittest

import numpy as np

import hnx

HERE = os.path.dirname(os.path.abspath(__file__))
EXCHANGE, ORIGINALS = os.environ.get('HNX_EXCHANGE'), os.environ.get('HNX_ORIGINALS')
ROWS, DIM, K = 2000, 128, 10


def read(path, kind, rows=-1):
    raw = np.fromfile(path, np.uint8)
    length = int(raw[:4].view(np.int32)[0])
    return raw.reshape(-1, 4 + length * np.dtype(kind).itemsize)[:rows, 4:].copy().view(kind)


BASE = read(os.path.join(HERE, '..', 'data', 'sift15k.bvecs'), np.uint8, ROWS).astype(np.float32)
QUERIES = read(os.path.join(HERE, '..', 'data', 'sift15k-query.bvecs'), np.uint8, 50).astype(np.float32)
LABELS = 3 * np.arange(ROWS, dtype=np.uint64) + 1
LIVE = np.arange(ROWS) % 10 != 0


def nearest(wanted=np.ones(ROWS, bool), space='l2'):
    """The labels of the K nearest rows among the wanted ones, and their distances, in float64."""
    base, queries = BASE.astype(np.float64), QUERIES.astype(np.float64)
    if space == 'cosine':
        base, queries = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (base, queries))
    dot = queries @ base.T
    d = (queries**2).sum(1)[:, None] + (base**2).sum(1) - 2 * dot if space == 'l2' else 1 - dot
    d = np.where(wanted, d, np.inf)
    order = np.argsort(d, axis=1, kind='stable')[:, :K]
    return LABELS[order], np.take_along_axis(d, order, 1)


def build(space='l2', threads=1, max_elements=ROWS, **options):
    """The index that all bindings build and write."""
    index = hnx.Index(space, DIM)
    index.init_index(max_elements, **options)
    index.add_items(BASE, LABELS, num_threads=threads)
    index.set_ef(200)
    return index


def delete_some(index):
    for label in LABELS[~LIVE]:
        index.mark_deleted(label)


def write(folder):
    """What the other bindings read."""
    with build(persist_path=os.path.join(folder, 'python-persisted')) as index:
        delete_some(index)
        index.save_index(os.path.join(folder, 'python.hnswlib'))
        index.save_index(os.path.join(folder, 'python.chroma'), format='chroma')
        index.persist_dirty()


class Answers(unittest.TestCase):
    def assert_near(self, found, expected, least=0.99):
        hits = np.mean([len(np.intersect1d(a, b)) / K for a, b in zip(found, expected)])
        self.assertGreaterEqual(hits, least)

    def test_exact_neighbours(self):
        for space in 'l2', 'ip', 'cosine':
            with build(space, threads=2) as index:
                labels, distances = index.knn_query(QUERIES, k=K)
                expected, exact = nearest(space=space)
                self.assert_near(labels, expected, 0.99 if space != 'ip' else 0.9)
                self.assertEqual((labels.dtype, distances.dtype), (np.uint64, np.float32))
                same = labels == expected
                np.testing.assert_allclose(distances[same], exact[same], rtol=1e-4, atol=1e-4)

    def test_filters(self):
        odd = LABELS % 2 == 1
        with build() as index:
            expected = nearest(odd)[0]
            for wanted in (lambda label: label % 2 == 1, LABELS[odd], LABELS[odd].tolist(), set(LABELS[odd].tolist())):
                labels, _ = index.knn_query(QUERIES, K, filter=wanted)
                self.assertTrue((labels % 2 == 1).all())
                self.assert_near(labels, expected)
            self.assertEqual(index.query(QUERIES[:1], K, filter=[1, 4, 5])[2].tolist(), [2])
            self.assertEqual(index.query(QUERIES[:1], K, filter=[])[2].tolist(), [0])
            with self.assertRaisesRegex(RuntimeError, 'contiguous 2D array'):
                index.knn_query(QUERIES, K, filter=lambda _: False)

    def test_exactness(self):
        with build('cosine') as index:
            stats = index.stats()
            self.assertEqual(stats['exactness'], hnx.index.EXACTNESS['guided'])
            self.assertGreaterEqual(stats['code_bytes'], ROWS * DIM)
            expected, _ = nearest(space='cosine')
            found = {name: index.knn_query(QUERIES, K, exactness=name) for name in hnx.index.EXACTNESS}
            for labels, _ in found.values():
                self.assert_near(labels, expected)
            for a, b in zip(found['f32'], found['certified']):
                np.testing.assert_array_equal(a, b)
            index.set_exactness('f32')
            self.assertEqual((index.stats()['exactness'], index.stats()['code_bytes']), (hnx.index.EXACTNESS['f32'], 0))
            for a, b in zip(found['f32'], index.knn_query(QUERIES, K)):
                np.testing.assert_array_equal(a, b)
            with self.assertRaisesRegex(KeyError, 'f64'):
                index.query(QUERIES, exactness='f64')

    def test_filter_that_raises(self):
        with build() as index:
            def wanted(label):
                raise KeyError('mine')
            with self.assertRaisesRegex(KeyError, 'mine'):
                index.knn_query(QUERIES, K, filter=wanted)
            self.assert_near(index.knn_query(QUERIES, K)[0], nearest()[0])

    def test_deleted_are_not_found(self):
        with build() as index:
            delete_some(index)
            self.assert_near(index.knn_query(QUERIES, K)[0], nearest(LIVE)[0])
            self.assertEqual(index.get_deleted_count(), (~LIVE).sum())
            self.assertEqual(index.get_ids_list(), LABELS.tolist())
            index.unmark_deleted(LABELS[0])
            self.assertEqual(index.get_deleted_count(), (~LIVE).sum() - 1)

    def test_persist_and_reopen(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, 'persisted')
            with build(persist_path=path) as index:
                self.assertEqual(index.persist_dirty()[1], ROWS)
                delete_some(index)
                before = index.knn_query(QUERIES, K)
                self.assertEqual(index.persist_dirty()[1], (~LIVE).sum())
            for options in {}, {'mmap': True}, {'read_only': True}:
                with hnx.Index('l2', DIM) as index:
                    index.load_index(path, **options)
                    index.set_ef(200)
                    for a, b in zip(before, index.knn_query(QUERIES, K)):
                        np.testing.assert_array_equal(a, b)
                    if options.get('read_only'):
                        with self.assertRaisesRegex(hnx.Error, 'HNX_ERR_READ_ONLY'):
                            index.mark_deleted(1)

    def test_codes_beside(self):
        with tempfile.TemporaryDirectory() as folder, build() as index, build(M=8) as another:
            path, others = os.path.join(folder, 'file'), os.path.join(folder, 'another')
            index.save_index(path)
            index.save_codes(path)
            another.save_index(others)
            with self.assertRaisesRegex(hnx.Error, f'HNX_ERR_CONFLICT: {others} '):
                index.save_codes(others)
            expected = index.knn_query(QUERIES, K, exactness='guided')
            for read_only in False, True:
                with hnx.Index('l2', DIM) as mapped:
                    mapped.load_index(path, mmap=True, read_only=read_only)
                    mapped.set_ef(200)
                    stats = mapped.stats()
                    self.assertEqual(stats['exactness'], hnx.index.EXACTNESS['guided'])
                    self.assertGreater(stats['code_bytes'], 0)
                    self.assertGreaterEqual(stats['vector_bytes'], ROWS * DIM * 4)
                    self.assertLessEqual(stats['vector_bytes'] + stats['link_bytes'] + stats['label_bytes'],
                                         stats['record_bytes'] + stats['other_bytes'])
                    for a, b in zip(expected, mapped.knn_query(QUERIES, K, exactness='guided')):
                        np.testing.assert_array_equal(a, b)

    def test_verify_and_salvage(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, 'persisted')
            with build(persist_path=path) as index:
                delete_some(index)
                index.persist_dirty()
            self.assertEqual(hnx.verify(path), (ROWS, ROWS))
            with open(os.path.join(path, 'data_level0.bin'), 'r+b') as file:
                file.seek(1000)
                file.write(b'damage')
            with self.assertRaisesRegex(hnx.Error, f'HNX_ERR_CORRUPT: {path}: data_level0.bin: record'):
                hnx.verify(path)
            with self.assertRaisesRegex(hnx.Error, 'HNX_ERR_NOT_FOUND.*absent'):
                hnx.verify('absent')
            os.remove(os.path.join(path, 'link_lists.bin'))
            index, found = hnx.salvage(path, 'l2', DIM)
            self.assertEqual((found['damage'] & hnx.abi.HNX_DAMAGE_LISTS, found['kept'], found['deleted']),
                             (hnx.abi.HNX_DAMAGE_LISTS, index.get_current_count(), index.get_deleted_count()))
            self.assertGreaterEqual(found['kept'], ROWS - 1)
            index.set_ef(200)
            self.assert_near(index.knn_query(QUERIES, K)[0], nearest(LIVE)[0])
            self.assertLessEqual(set(index.get_ids_list()), set(LABELS.tolist()))
            with self.assertRaisesRegex(hnx.Error, 'HNX_ERR_NOT_FOUND'):
                hnx.salvage('absent', 'l2', DIM)

    @unittest.skipUnless(EXCHANGE, 'HNX_EXCHANGE is not set')
    def test_files_of_others(self):
        expected, names = nearest(LIVE)[0], sorted(os.listdir(EXCHANGE))
        self.assertGreater(len(names), 2)
        for name in names:
            with self.subTest(name), hnx.Index('l2', DIM) as index:
                index.load_index(os.path.join(EXCHANGE, name))
                index.set_ef(200)
                self.assertEqual((index.get_current_count(), index.get_deleted_count()), (ROWS, (~LIVE).sum()))
                self.assert_near(index.knn_query(QUERIES, K)[0], expected)
                np.testing.assert_array_equal(index.get_items(LABELS[LIVE]), BASE[LIVE])


class Hnswlib(unittest.TestCase):
    """What a script written for hnswlib 0.8.0 relies on."""

    def test_defaults(self):
        index = hnx.Index(space='l2', dim=3)
        self.assertEqual((index.space, index.dim, index.ef, index.max_elements, index.element_count, index.M,
                          index.ef_construction), ('l2', 3, 10, 0, 0, 0, 0))
        index.init_index(max_elements=5)
        self.assertEqual((index.M, index.ef_construction, index.ef, index.max_elements), (16, 200, 10, 5))
        index.ef = 70
        self.assertEqual(index.stats()['ef'], 70)
        index.add_items([[1, 2, 3], [4, 5, 6]])  # ids 0 and 1
        index.add_items([7, 8, 9])
        self.assertEqual(index.get_ids_list(), [0, 1, 2])
        self.assertEqual(index.knn_query([1, 2, 3])[0].tolist(), [[0]])
        self.assertEqual(index.get_items([1], 'list'), [[4.0, 5.0, 6.0]])
        self.assertEqual(index.get_items().shape, (0,))
        self.assertEqual(index.get_items([2, 0]).tolist(), [[7, 8, 9], [1, 2, 3]])
        self.assertEqual(index.knn_query(np.zeros((0, 3), np.float32), 2)[0].shape, (0, 2))
        index.resize_index(6)
        self.assertEqual(index.get_max_elements(), 6)
        index.add_items(np.eye(3), ids=[10, 2**64 - 2, 12])
        self.assertEqual(index.get_ids_list()[4], 2**64 - 2)

    def test_errors(self):
        with self.assertRaisesRegex(RuntimeError, 'Space name must be one of l2, ip, or cosine.'):
            hnx.Index('l1', 3)
        index = hnx.Index('l2', 3)
        with self.assertRaisesRegex(RuntimeError, 'not initiated'):
            index.knn_query([1, 2, 3])
        index.init_index(3)
        with self.assertRaisesRegex(RuntimeError, 'The index is already initiated.'):
            index.init_index(3)
        index.add_items(np.eye(3))
        cases = [
            (RuntimeError, 'Wrong dimensionality of the vectors', lambda: index.add_items([[1, 2]])),
            (RuntimeError, 'Wrong dimensionality of the vectors', lambda: index.knn_query([[1, 2]])),
            (RuntimeError, 'wrong shape', lambda: index.add_items(np.zeros((1, 1, 3)))),
            (RuntimeError, 'does not match', lambda: index.add_items(np.eye(3), [1])),
            (RuntimeError, 'exceeds the specified limit', lambda: index.add_items([1, 1, 1], 9)),
            (RuntimeError, 'row 0.*not finite|finite', lambda: index.add_items([1, np.nan, 1], 0)),
            (RuntimeError, 'contiguous 2D array', lambda: index.knn_query([1, 2, 3], k=4)),
            (RuntimeError, 'contiguous 2D array', lambda: index.knn_query([1, 2, 3], k=2**62)),
            (RuntimeError, 'Label not found', lambda: index.mark_deleted(77)),
            (RuntimeError, 'Label not found', lambda: index.get_items([0, 77])),
            (RuntimeError, 'undelete element is not deleted', lambda: index.unmark_deleted(1)),
            (RuntimeError, 'Cannot resize', lambda: index.resize_index(2)),
            (RuntimeError, 'Cannot open file', lambda: hnx.Index('l2', 3).load_index('/absent')),
            (ValueError, 'return_type', lambda: index.get_items([0], 'tuple')),
            (ValueError, 'accepts a list', lambda: index.get_items(0)),
            (ValueError, '', lambda: index.add_items([['a', 'b', 'c']])),
            (TypeError, '', lambda: index.mark_deleted(-1)),
            (TypeError, '', lambda: index.mark_deleted(2**64)),
            (TypeError, '', lambda: index.mark_deleted('1')),
            (TypeError, '', lambda: index.knn_query([1, 2, 3], k=-1)),
            (TypeError, '', lambda: index.knn_query([1, 2, 3], k=1.5)),
        ]
        for kind, text, call in cases:
            with self.subTest(text), self.assertRaisesRegex(kind, text):
                call()
        index.mark_deleted(1)
        with self.assertRaisesRegex(RuntimeError, 'already deleted'):
            index.mark_deleted(1)
        with self.assertRaises(hnx.Error) as caught:
            index.mark_deleted(1)
        again = pickle.loads(pickle.dumps(caught.exception))
        self.assertEqual((again.name, str(again)), ('HNX_ERR_ALREADY_DELETED', str(caught.exception)))

    def test_replace_deleted(self):
        with build(allow_replace_deleted=True) as index:
            delete_some(index)
            index.add_items(QUERIES, np.arange(100000, 100050), replace_deleted=True)
            self.assertEqual((index.get_current_count(), index.get_deleted_count()), (ROWS, 150))
            self.assertEqual(index.knn_query(QUERIES, 1)[0].reshape(-1).tolist(), list(range(100000, 100050)))

    def test_any_array(self):
        with build() as index:
            expected = index.knn_query(QUERIES, K)[0]
            for queries in (QUERIES.tolist(), QUERIES.astype(np.float64), QUERIES.astype(np.uint8), np.asfortranarray(QUERIES),
                            np.repeat(QUERIES, 2, axis=0)[::2], QUERIES.astype('>f4')):
                np.testing.assert_array_equal(index.knn_query(queries, K)[0], expected)
            frozen = QUERIES.copy()
            frozen.flags.writeable = False
            np.testing.assert_array_equal(index.knn_query(frozen, K)[0], expected)

    def test_pickles(self):
        for space, grows in (('l2', False), ('cosine', True)):
            index = hnx.Index(space, DIM)
            index.init_index(0 if grows else ROWS)
            index.add_items(BASE, LABELS)
            delete_some(index)
            index.set_ef(150)
            for other in (pickle.loads(pickle.dumps(index)), copy.deepcopy(index), hnx.Index(index), hnx.Index(index=index)):
                self.assertEqual((other.ef, other.space, other.max_elements), (150, space, index.max_elements))
                for a, b in zip(index.knn_query(QUERIES, K), other.knn_query(QUERIES, K)):
                    np.testing.assert_array_equal(a, b)
                np.testing.assert_array_equal(index.get_items(LABELS[1:5]), other.get_items(LABELS[1:5]))
                self.assertEqual(other.get_deleted_count(), (~LIVE).sum())
                if grows:
                    other.add_items(BASE, LABELS + 1)
                else:
                    with self.assertRaisesRegex(RuntimeError, 'exceeds'):
                        other.add_items(BASE[0], 2)
        empty = pickle.loads(pickle.dumps(hnx.Index('ip', 7)))
        self.assertEqual((empty.space, empty.dim), ('ip', 7))
        empty.init_index(4)


def brute_force(module, space='l2', rows=ROWS):
    index = module.BFIndex(space, DIM)
    index.init_index(max_elements=ROWS)
    index.add_items(BASE[:rows], LABELS[:rows])
    return index


class BruteForce(unittest.TestCase):
    def test_exact_neighbours(self):
        for space in 'l2', 'ip', 'cosine':
            index = brute_force(hnx, space)
            labels, distances = index.knn_query(QUERIES, k=K)
            expected, exact = nearest(space=space)
            np.testing.assert_allclose(distances, exact, rtol=1e-4, atol=1e-4)
            for row, (found, wanted) in enumerate(zip(labels, expected)):  # in another order where distances are equal
                self.assertEqual(len(set(found)), K)
                different = found != wanted
                np.testing.assert_allclose(distances[row][different], exact[row][different], rtol=1e-4, atol=1e-4)

    @unittest.skipUnless(ORIGINALS, 'HNX_ORIGINALS is not set')
    def test_as_the_original(self):
        sys.path.insert(0, os.path.join(ORIGINALS, 'hnswlib'))
        import hnswlib
        with tempfile.TemporaryDirectory() as folder:
            files = [os.path.join(folder, name) for name in ('ours', 'theirs')]
            indexes = [brute_force(module, rows=ROWS // 2) for module in (hnx, hnswlib)]
            for index, file in zip(indexes, files):
                index.add_items(BASE[ROWS // 2], LABELS[3])  # overwrites
                index.add_items(BASE[ROWS // 2:ROWS // 2 + 2])  # the numbers that follow
                for label in LABELS[:100:7]:
                    index.delete_vector(label)
                index.delete_vector(10**6)
                self.assertEqual((index.get_max_elements(), index.get_current_count()), (ROWS, ROWS // 2 + 2 - 15))
                index.save_index(file)
            reopened = [module.BFIndex('l2', DIM) for module in (hnx, hnswlib)]
            for index, file in zip(reopened, files[::-1]):
                index.load_index(file)
            for index in indexes + reopened:
                for k in 1, K:
                    for a, b in zip(index.knn_query(QUERIES, k, num_threads=2), indexes[1].knn_query(QUERIES, k)):
                        np.testing.assert_array_equal(a, b)
            odd = [index.knn_query(QUERIES, 1, filter=lambda label: label % 2 == 1)[0] for index in indexes[:1] + reopened[:1]]
            np.testing.assert_array_equal(*odd)
            self.assertTrue((odd[0] % 2 == 1).all())

    def test_filters(self):
        index, odd = brute_force(hnx), LABELS % 2 == 1
        expected = nearest(odd)[1]
        for wanted in (lambda label: label % 2 == 1, LABELS[odd], set(LABELS[odd].tolist())):
            np.testing.assert_array_equal(index.knn_query(QUERIES, K, filter=wanted)[1], expected)
        with self.assertRaisesRegex(RuntimeError, 'contiguous 2D array'):
            index.knn_query(QUERIES, 3, filter=[1, 4])
        self.assertEqual(index.knn_query(QUERIES, 2, filter=[1, 4])[0].shape, (50, 2))

    def test_errors(self):
        index = hnx.BFIndex('l2', 3)
        with self.assertRaisesRegex(RuntimeError, 'not initiated'):
            index.add_items([1, 2, 3])
        index.init_index(2)
        index.add_items([[1, 2, 3], [4, 5, 6]], [7, 8])
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, 'file')
            index.save_index(path)
            with open(path, 'r+b') as file:
                file.truncate(50)
            cases = [
                (RuntimeError, 'Space name must be one of l2, ip, or cosine.', lambda: hnx.BFIndex('l1', 3)),
                (RuntimeError, 'The index is already initiated.', lambda: index.init_index(3)),
                (RuntimeError, 'exceeds the specified limit', lambda: index.add_items(np.eye(3))),
                (RuntimeError, 'Wrong dimensionality', lambda: index.add_items([1, 2])),
                (RuntimeError, 'does not match', lambda: index.add_items(np.eye(3), [1])),
                (RuntimeError, 'row 1 is not finite', lambda: index.add_items([[1, 2, 3], [1, np.nan, 3]])),
                (RuntimeError, 'contiguous 2D array', lambda: index.knn_query([1, 2, 3], k=3)),
                (RuntimeError, 'Index seems to be corrupted', lambda: index.load_index(path)),
                (RuntimeError, 'Cannot open file', lambda: index.load_index('/absent')),
                (TypeError, '', lambda: index.knn_query([1, 2, 3], k=-1)),
                (TypeError, '', lambda: index.delete_vector('7')),
            ]
            for kind, text, call in cases:
                with self.subTest(text), self.assertRaisesRegex(kind, text):
                    call()
        self.assertEqual(index.knn_query([4, 5, 6], k=2)[0].tolist(), [[8, 7]])
        self.assertEqual(index.knn_query(np.zeros((0, 3)), k=2)[0].shape, (0, 2))


class Misuse(unittest.TestCase):
    def test_use_after_close(self):
        index = build()
        index.close()
        index.close()
        for call in (lambda: index.knn_query(QUERIES), lambda: index.add_items(BASE), lambda: index.mark_deleted(1),
                     lambda: index.get_ids_list(), lambda: index.save_index('/tmp/no'), lambda: index.save_codes('/tmp/no'),
                     lambda: index.set_ef(3), lambda: index.get_current_count(), lambda: pickle.dumps(index), lambda: index.persist_dirty()):
            with self.assertRaisesRegex(ValueError, 'closed'):
                call()

    def test_init_after_close(self):
        index = build()
        index.close()
        index.init_index(4)
        index.add_items(BASE[:2])
        self.assertEqual(index.get_ids_list(), [0, 1])
        with self.assertRaisesRegex(RuntimeError, 'already initiated'):
            index.init_index(4)

    def test_half_made(self):
        for _ in range(100):
            index = hnx.Index('l2', 4)
            with self.assertRaises(RuntimeError):
                index.init_index(10, M=10**9)
            with self.assertRaises(RuntimeError):
                index.load_index('/absent')
            del index
        gc.collect()

    def test_garbage_is_freed(self):
        with open('/proc/self/maps') as maps:
            before = len(maps.readlines())
        for _ in range(50):
            hnx.Index('l2', 4).init_index(10)
        gc.collect()
        with open('/proc/self/maps') as maps:
            self.assertLess(len(maps.readlines()), before + 100)

    def test_many_threads_and_close_during_use(self):
        index, failures, closed = build(max_elements=0), [], threading.Event()

        def work(number):
            rng = np.random.default_rng(number)
            try:
                while True:
                    row = int(rng.integers(ROWS))
                    labels, _, _ = index.query(BASE[row], 1)
                    if labels[0, 0] not in (LABELS[row], 10**6 + number):
                        failures.append((row, labels))
                    index.add_items(BASE[row] + 1, 10**6 + number)
            except ValueError as error:
                if 'closed' not in str(error) or not closed.is_set():
                    failures.append(error)
            except Exception as error:
                failures.append(error)

        threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        index.knn_query(np.tile(QUERIES, (20, 1)), K)
        closed.set()
        index.close()
        for thread in threads:
            thread.join(60)
        self.assertEqual(failures, [])

    def test_close_inside_a_filter(self):
        index = build()

        def wanted(label):
            index.close()
            return True
        self.assertEqual(index.query(QUERIES[0], K, filter=wanted)[2].tolist(), [K])
        with self.assertRaisesRegex(ValueError, 'closed'):
            index.query(QUERIES[0])

    def test_ids_without_ids_do_not_meet(self):
        index = hnx.Index('l2', DIM)
        index.init_index(0)
        threads = [threading.Thread(target=lambda: [index.add_items(BASE[row]) for row in range(100)]) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(sorted(index.get_ids_list()), list(range(400)))
        index.close()


if __name__ == '__main__':
    if sys.argv[1:2] == ['--write']:
        write(sys.argv[2])
    else:
        unittest.main()
