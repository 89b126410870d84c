#!/usr/bin/env python3
"""Compares the declarations of other languages with include/hnx.json.

    declarations.py              the files named in FILES below, those that exist
    declarations.py FILE...      these; the ending tells the language

A file of declarations keeps C's names. What is read in each language:

* Python (ctypes), by importing it: FUNCTIONS = {'hnx_x': (restype, [argtypes])}, subclasses of Structure called hnx_..,
  hnx_.._fn = CFUNCTYPE(..), HNX_.. = number.
* Node (koffi): hnx_x: ['result', ['argument', ..]], hnx_x: { field: 'type', .. }, HNX_X: number, and prototypes in quotes,
  'int32_t hnx_accept_fn(void *context, uint64_t label)', for callbacks and functions.
* Java (JNA): methods `int hnx_x(..);`, also several of one name, classes called hnx_.. with public fields, those of the class
  they extend included, in the order of @FieldOrder; interfaces hnx_.._fn with invoke(); `int HNX_X = number;`.
* Go (cgo, which reads the header itself): the constants that the file names, C.HNX_X.

A declaration may leave functions, structs and constants out, but not a status; what it has must be right: the number of
arguments, the kind and size of each, the order of fields, the value of constants. A pointer is a pointer: what it points to is not
compared, as languages have their own ways to say it.
"""

import ctypes
import importlib.util
import json
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).parents[2]
FILES = ["examples/python/hnx/abi.py", "examples/node/abi.js", "examples/java/hnx/Abi.java", "examples/go/hnx/abi.go"]

# Kind and size of C's types; signed is None where a language does not say.
SIZES = {
    "char": ("int", 1, None), "uint8_t": ("int", 1, False), "uint16_t": ("int", 2, False),
    "int32_t": ("int", 4, True), "uint32_t": ("int", 4, False), "int": ("int", 4, True),
    "int64_t": ("int", 8, True), "uint64_t": ("int", 8, False), "size_t": ("int", 8, False),
    "float": ("float", 4, None), "double": ("float", 8, None), "void": ("void", 0, None),
}
POINTER = ("pointer", 8, None)
STATUS = SIZES["int32_t"]


class Facts:
    """What a file declares: {function: [(result, [arguments]), ..]}, {struct: [(field, type)]}, {constant: value}."""

    def __init__(self):
        self.functions, self.structs, self.constants = {}, {}, {}

    def function(self, name, result, arguments):
        self.functions.setdefault(name, []).append((result, arguments))


def c_type(text):
    """A type in C's words, with or without the name of a parameter."""
    text = re.sub(r"\b(_Out_|_Inout_|_In_|const|struct|enum)\b", " ", text).strip()
    if "*" in text or re.search(r"\bhnx_\w+_fn\b", text):
        return POINTER
    words = text.split()
    if words and words[0] == "hnx_status":
        return STATUS
    if not words or words[0] not in SIZES:
        raise SystemExit(f"a type that is not understood: {text!r}")
    return SIZES[words[0]]


def description():
    api = json.loads((ROOT / "include/hnx.json").read_text())
    facts = Facts()
    for function in api["functions"] + api["callbacks"]:
        facts.function(function["name"], c_type(function["returns"]), [c_type(p["type"]) for p in function["parameters"]])
    for structure in api["structs"]:
        facts.structs[structure["name"]] = [(f["name"], c_type(f["type"])) for f in structure["fields"]]
    for constant in api["constants"] + [m for e in api["enums"] for m in e["members"]]:
        facts.constants[constant["name"]] = constant["value"]
    return facts


def python_facts(path):
    spec = importlib.util.spec_from_file_location("declarations_of_python", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def kind(value):
        if value is None:
            return SIZES["void"]
        if issubclass(value, ctypes._SimpleCData):  # pylint: disable=protected-access
            code = value._type_  # pylint: disable=protected-access
            if code in "zZPO":
                return POINTER
            if code in "fd":
                return ("float", ctypes.sizeof(value), None)
            return ("int", ctypes.sizeof(value), code in "bhilq")
        return POINTER

    facts = Facts()
    for name, (result, arguments) in module.FUNCTIONS.items():
        facts.function(name, kind(result), [kind(argument) for argument in arguments])
    for name, value in vars(module).items():
        if name.startswith("HNX_"):
            facts.constants[name] = value
        elif isinstance(value, type) and issubclass(value, ctypes.Structure) and name.startswith("hnx_"):
            facts.structs[name] = [(field[0], kind(field[1])) for field in value._fields_]
        elif name.startswith("hnx_") and hasattr(value, "_argtypes_"):
            facts.function(name, kind(value._restype_), [kind(argument) for argument in value._argtypes_])
    return facts


def without_comments(text):
    return re.sub(r"//[^\n]*|/\*.*?\*/", " ", text, flags=re.DOTALL)


def constants_of(text):
    found = re.findall(r"\b(HNX_\w+)\s*[:=]\s*(-?(?:0x[0-9a-fA-F]+|\d+))", text)
    return {name: int(value, 0) & 0xFFFFFFFF if value.startswith("0x") else int(value) for name, value in found}


def node_facts(path):
    text = without_comments(pathlib.Path(path).read_text())
    facts = Facts()
    for result, name, arguments in re.findall(r"['\"`]([\w\s*]+?[\s*])(hnx_\w+)\s*\(([^)]*)\)['\"`]", text):
        arguments = [a for a in (a.strip() for a in arguments.split(",")) if a not in ("", "void")]
        facts.function(name, c_type(result), [c_type(a) for a in arguments])
    for name, result, arguments in re.findall(r"\b(hnx_\w+)\s*:\s*\[\s*'([^']+)'\s*,\s*\[(.*?)\]\s*,?\s*\]", text, re.DOTALL):
        facts.function(name, c_type(result), [c_type(a) for a in re.findall(r"'([^']+)'", arguments)])
    for name, body in re.findall(r"\b(hnx_\w+)\s*:\s*\{(.*?)\}", text, re.DOTALL):
        facts.structs[name] = [(f, c_type(t)) for f, t in re.findall(r"(\w+)\s*:\s*'([^']+)'", body)]
    facts.constants = constants_of(text)
    return facts


def java_facts(path):
    text = without_comments(pathlib.Path(path).read_text())
    plain = {"int": ("int", 4, None), "long": ("int", 8, None), "byte": ("int", 1, None), "short": ("int", 2, None),
             "float": SIZES["float"], "double": SIZES["double"], "void": SIZES["void"]}

    def kind(name):
        if name in ("boolean", "char", "NativeLong", "Integer", "Long"):
            raise SystemExit(f"{path}: {name} is no type of the C ABI")
        return plain.get(name, POINTER)

    def kinds(arguments):
        return [kind(re.sub(r"\bfinal\b", "", a).split()[0]) for a in arguments.split(",") if a.strip()]

    facts, classes = Facts(), {}
    for result, name, arguments in re.findall(r"([\w.\[\]]+)\s+(hnx_\w+)\s*\(([^)]*)\)\s*;", text):
        if result not in ("return", "new", "else"):
            facts.function(name, kind(result), kinds(arguments))
    for name, result, arguments in re.findall(r"interface\s+(hnx_\w+)[^{]*\{\s*([\w.\[\]]+)\s+invoke\s*\(([^)]*)\)", text):
        facts.function(name, kind(result), kinds(arguments))
    pattern = r"(?:@(?:Structure\.)?FieldOrder\(\{([^}]*)\}\)\s*)?(?:\w+\s+)*?class\s+(\w+)\s+extends\s+(\w+)[^{]*\{(.*?)\n    \}"
    for order, name, base, body in re.findall(pattern, text, re.DOTALL):
        fields = re.findall(r"public\s+([\w.\[\]]+)\s+(\w+(?:\s*,\s*\w+)*)\s*(?:=[^;]*)?;", body)
        types = dict(classes.get(base, {}))
        types.update({f.strip(): kind(t) for t, names in fields for f in names.split(",")})
        classes[name] = types
        if name.startswith("hnx_"):
            order = re.findall(r"\"(\w+)\"", order) or list(types)
            facts.structs[name] = [(field, types.get(field, SIZES["void"])) for field in order]
            facts.structs[name] += [(f"{field}, not in FieldOrder", types[field]) for field in types if field not in order]
    facts.constants = constants_of(text)
    return facts


def go_facts(path):
    facts, expected = Facts(), description()
    for name in re.findall(r"=\s*C\.(HNX_\w+)", without_comments(pathlib.Path(path).read_text())):
        facts.constants[name] = expected.constants.get(name)
    return facts


def differs(a, b):
    return a[:2] != b[:2] or (a[2] is not None and b[2] is not None and a[2] != b[2])


def compare(found, expected):
    """What is wrong, in sentences."""
    wrong = []
    for name, variants in found.functions.items():
        if name not in expected.functions:
            wrong.append(f"{name}() does not exist")
            continue
        its_result, its_arguments = expected.functions[name][0]
        for result, arguments in variants:
            if differs(result, its_result):
                wrong.append(f"{name}() returns {its_result}, not {result}")
            if len(arguments) != len(its_arguments):
                wrong.append(f"{name}() has {len(its_arguments)} arguments, not {len(arguments)}")
            for at, (one, other) in enumerate(zip(arguments, its_arguments)):
                if differs(one, other):
                    wrong.append(f"{name}(): argument {at} is {other}, not {one}")
    for name, fields in found.structs.items():
        if name not in expected.structs:
            wrong.append(f"struct {name} does not exist")
            continue
        its = expected.structs[name]
        if [f for f, _ in fields] != [f for f, _ in its]:
            wrong.append(f"struct {name} has the fields {[f for f, _ in its]}, not {[f for f, _ in fields]}")
            continue
        for (field, one), (_, other) in zip(fields, its):
            if differs(one, other):
                wrong.append(f"{name}.{field} is {other}, not {one}")
    for name, value in found.constants.items():
        if name not in expected.constants:
            wrong.append(f"{name} does not exist")
        elif value != expected.constants[name]:
            wrong.append(f"{name} is {expected.constants[name]}, not {value}")
    return wrong


def lacking(found, expected):
    """The failures that a file does not name, in sentences."""
    failures = [name for name in expected.constants if name.startswith("HNX_ERR_")]
    return [f"{name} is missing" for name in failures if name not in found.constants]


READERS = {".py": python_facts, ".js": node_facts, ".java": java_facts, ".go": go_facts}


def main():
    files = [pathlib.Path(name) for name in sys.argv[1:]]
    if not files:
        files = [ROOT / name for name in FILES if (ROOT / name).exists()]
    expected, failed = description(), False
    for path in files:
        found = READERS[path.suffix](path)
        wrong = compare(found, expected) + lacking(found, expected)
        if not found.functions and path.suffix != ".go":
            wrong.append("no function is declared: this is no file of declarations, or not understood")
        failed |= bool(wrong)
        for sentence in wrong:
            print(f"{path}: {sentence}")
        left_out = sorted(name for name in expected.functions if name not in found.functions and not name.endswith("_fn"))
        left_out = f"; left out: {', '.join(left_out) or 'nothing'}" if found.functions else ""
        print(f"{path}: {len(found.functions)} functions, {len(found.structs)} structs, {len(found.constants)} constants"
              f"{'' if wrong else ' agree with include/hnx.json'}{left_out}")
    if not files:
        print("examples/ has no declarations of other languages")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
