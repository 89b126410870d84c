"""libhnx for Python: `import hnx as hnswlib`, and a script written for hnswlib 0.8.0 runs on libhnx.

Needs NumPy and the shared library: the one HNX_LIB names, else the one built in this tree, else the system's.
"""
from .brute_force import BFIndex
from .handle import Error, cpu_name, version
from .index import Index, salvage, verify

__all__ = ['BFIndex', 'Error', 'Index', 'cpu_name', 'salvage', 'verify', 'version']
