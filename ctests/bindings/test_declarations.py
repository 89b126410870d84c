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
hnx_accept_fn = CFUNCTYPE(c_int32, c_void_p, c_uint64)
class hnx_add_options(Structure):
    _fields_ = [('struct_size', c_size_t), ('threads', c_uint32), ('flags', c_uint32)]
FUNCTIONS = {'hnx_set_ef': (c_int32, [c_void_p, c_size_t]), 'hnx_normalize': (c_float, [c_void_p, c_size_t, c_void_p])}
""",
    ".js": """
const constants = { HNX_METRIC_IP: 1 };  // HNX_METRIC_L2: 7
koffi.proto('int32_t hnx_accept_fn(void *context, uint64_t label)');
const structs = {
    hnx_add_options: { struct_size: 'size_t', threads: 'uint32_t', flags: 'uint32_t' },
};
const functions = {
    hnx_set_ef: ['int32_t', ['hnx_index *', 'size_t']],
    hnx_normalize: ['float', ['const float *', 'size_t', '_Out_ float *']],
};
""",
    ".java": """
final class Abi {
    static final int HNX_METRIC_IP = 1; // HNX_METRIC_L2 = 7
    interface hnx_accept_fn extends Callback {
        int invoke(Pointer context, long label);
    }
    public abstract static class Sized extends Structure {
        public long struct_size;
    }
    @FieldOrder({"struct_size", "threads", "flags"})
    public static final class hnx_add_options extends Sized {
        public int threads;
        public int flags;
    }
    static native int hnx_set_ef(Pointer index, long ef);
    static native float hnx_normalize(float[] vector, long dim, float[] out);
    static native float hnx_normalize(Buffer vector, long dim, Buffer out);
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
            ("c_int32, c_void_p, c_uint64", "c_int64, c_void_p, c_uint64", "hnx_accept_fn() returns"),
            ("'hnx_set_ef'", "'hnx_set_ev'", "hnx_set_ev() does not exist")],
    ".js": [("HNX_METRIC_IP: 1", "HNX_METRIC_IP: 2", "HNX_METRIC_IP is 1"),
            ("threads: 'uint32_t'", "threads: 'uint64_t'", "hnx_add_options.threads"),
            ("threads: 'uint32_t', flags", "flags: 'uint32_t', threads", "fields"),
            ("'hnx_index *', 'size_t'", "'hnx_index *'", "2 arguments, not 1"),
            ("['float'", "['double'", "hnx_normalize() returns"),
            ("'size_t', '_Out_", "'size_t *', '_Out_", "argument 1"),
            ("uint64_t label", "uint32_t label", "hnx_accept_fn(): argument 1"),
            ("hnx_set_ef", "hnx_set_ev", "hnx_set_ev() does not exist")],
    ".java": [("HNX_METRIC_IP = 1", "HNX_METRIC_IP = 2", "HNX_METRIC_IP is 1"),
              ("public int threads", "public long threads", "hnx_add_options.threads"),
              ('"threads", "flags"', '"flags", "threads"', "fields"),
              ('"threads", "flags"', '"threads"', "fields"),
              ("public long struct_size", "public int struct_size", "hnx_add_options.struct_size"),
              (", long ef", "", "2 arguments, not 1"),
              ("float hnx_normalize(Buffer", "double hnx_normalize(Buffer", "hnx_normalize() returns"),
              ("long dim", "int dim", "argument 1"),
              ("long label", "int label", "hnx_accept_fn(): argument 1"),
              ("hnx_set_ef", "hnx_set_ev", "hnx_set_ev() does not exist")],
}


class Declarations(unittest.TestCase):
    def check(self, suffix, text):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / f"abi{suffix}"
            path.write_text(text)
            found = declarations.READERS[suffix](path)
        self.assertEqual((len(found.functions), len(found.structs), len(found.constants)), (3, 1, 1), suffix)
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

    def test_each_missing_status_is_named(self):
        expected = declarations.description()
        statuses = [name for name in expected.constants if name.startswith("HNX_ERR_")]
        self.assertGreaterEqual(len(statuses), 17)
        for name in declarations.FILES:
            path = declarations.ROOT / name
            lines = path.read_text().splitlines(keepends=True)
            self.assertEqual(declarations.lacking(declarations.READERS[path.suffix](path), expected), [], name)
            for status in (statuses[0], statuses[-1]):
                with tempfile.TemporaryDirectory() as folder:
                    copy = pathlib.Path(folder) / path.name
                    copy.write_text("".join(line for line in lines if status not in line))
                    wrong = declarations.lacking(declarations.READERS[path.suffix](copy), expected)
                    self.assertEqual(wrong, [f"{status} is missing"], name)


if __name__ == "__main__":
    unittest.main()
