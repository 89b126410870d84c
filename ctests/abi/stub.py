#!/usr/bin/env python3
"""A C library with the functions, types and constants of include/hnx.json and no insides, for abidw: the debugging
information of the real one is Rust's and would record the insides, too."""

import json
import pathlib

api = json.loads((pathlib.Path(__file__).parents[2] / "include/hnx.json").read_text())

print("#include <hnx.h>")
# Constants are no part of a library; as members of an enum they are recorded all the same.
print("enum hnx_constants {")
for constant in api["constants"]:
    print(f"    constant_{constant['name']} = (int)({constant['value']}),")
print("};")
print("enum hnx_statuses {")
for member in api["enums"][0]["members"]:
    print(f"    status_{member['name']} = {member['value']},")
print("};")
# Structs that functions reach by void pointers or not at all, and the enums.
print("struct hnx_all {")
print("    enum hnx_constants constants;\n    enum hnx_statuses statuses;")
for structure in api["structs"]:
    print(f"    {structure['name']} {structure['name']}_;")
for callback in api["callbacks"]:
    print(f"    {callback['name']} {callback['name']}_;")
print("};")
print("void hnx_types(struct hnx_all *all);\nvoid hnx_types(struct hnx_all *all) { (void)all; }")
for function in api["functions"]:
    parameters = ", ".join(f"{p['type']} {p['name']}" for p in function["parameters"]) or "void"
    print(f"{function['returns']} {function['name']}({parameters}) {{ __builtin_trap(); }}")
