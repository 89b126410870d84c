#!/usr/bin/env python3
"""declarations.py accepts right declarations and notices each kind of wrong one."""

import pathlib
import tempfile
import unittest

import declarations

RIGHT = {
    ".py": """
from ctypes import *
HNX_METRIC_IP = 1
class hnx_add_options(Structure):
    _fields_ = [('struct_size', c_size_t), ('threads', c_uint32), ('flags', c_uint32)]
FUNCTIONS = {'hnx_set_ef': (c_int32, [c_void_p, c_size_t]), 'hnx_normalize': (c_float, [c_void_p, c_size_t, c_void_p])}
""",
    ".mjs": """
export const HNX = { HNX_METRIC_IP: 1 };  // HNX_METRIC_L2: 7
koffi.struct('hnx_add_options', { struct_size: 'size_t', threads: 'uint32_t', flags: 'uint32_t' });
export const setEf = lib.func('int32_t hnx_set_ef(hnx_index *index, size_t ef)');
export const normalize = lib.func('float hnx_normalize(const float *vector, size_t dim, _Out_ float *out)');
""",
    ".java": """
interface Abi extends Library {
    int HNX_METRIC_IP = 1; // HNX_METRIC_L2 = 7
    @Structure.FieldOrder({"struct_size", "threads", "flags"})
    class hnx_add_options extends Structure {
        public long struct_size;
        public int threads, flags;
    }
    int hnx_set_ef(Pointer index, long ef);
    float hnx_normalize(float[] vector, long dim, float[] out);
}
""",
}
# What is replaced by what in each of them, and what has to be said.
WRONG = {
    ".py": [("HNX_METRIC_IP = 1", "HNX_METRIC_IP = 2", "HNX_METRIC_IP is 1"),
            ("'threads', c_uint32", "'threads', c_uint64", "hnx_add_options.threads"),
            ("'threads'", "'cores'", "fields"),
            ("[c_void_p, c_size_t])", "[c_void_p])", "2 arguments, not 1"),
            ("c_float, [", "c_double, [", "hnx_normalize() returns"),
            ("c_size_t, c_void_p", "c_int64, c_void_p", "argument 1"),
            ("'hnx_set_ef'", "'hnx_set_ev'", "hnx_set_ev() does not exist")],
    ".mjs": [("HNX_METRIC_IP: 1", "HNX_METRIC_IP: 2", "HNX_METRIC_IP is 1"),
             ("threads: 'uint32_t'", "threads: 'uint64_t'", "hnx_add_options.threads"),
             ("threads: 'uint32_t', flags", "flags: 'uint32_t', threads", "fields"),
             (", size_t ef", "", "2 arguments, not 1"),
             ("float hnx_normalize", "double hnx_normalize", "hnx_normalize() returns"),
             ("size_t dim", "size_t *dim", "argument 1"),
             ("hnx_set_ef", "hnx_set_ev", "hnx_set_ev() does not exist")],
    ".java": [("HNX_METRIC_IP = 1", "HNX_METRIC_IP = 2", "HNX_METRIC_IP is 1"),
              ("public int threads", "public long threads", "hnx_add_options.threads"),
              ("threads, flags;", "flags, threads;", "fields"),
              (", long ef", "", "2 arguments, not 1"),
              ("float hnx_normalize", "double hnx_normalize", "hnx_normalize() returns"),
              ("long dim", "int dim", "argument 1"),
              ("hnx_set_ef", "hnx_set_ev", "hnx_set_ev() does not exist")],
}


class Declarations(unittest.TestCase):
    def check(self, suffix, text):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / f"abi{suffix}"
            path.write_text(text)
            found = declarations.READERS[suffix](path)
        self.assertEqual((len(found.functions), len(found.structs), len(found.constants)), (2, 1, 1), suffix)
        return declarations.compare(found, declarations.description())

    def test_right_ones_are_accepted(self):
        for suffix, text in RIGHT.items():
            self.assertEqual(self.check(suffix, text), [], suffix)

    def test_each_wrong_one_is_named(self):
        for suffix, changes in WRONG.items():
            for old, new, said in changes:
                self.assertIn(old, RIGHT[suffix])
                wrong = self.check(suffix, RIGHT[suffix].replace(old, new, 1))
                self.assertTrue(any(said in sentence for sentence in wrong), (suffix, new, wrong))


if __name__ == "__main__":
    unittest.main()
