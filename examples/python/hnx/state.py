"""Pickles: the dict that hnswlib 0.8.0 pickles, made of a saved file, and the other way round.

So pickles can be exchanged with hnswlib: the state of an index of either module is the argument of the other's Index().
Two keys are ours: 'lengths' of cosine vectors, 'grows' for an index that grows on demand.
"""
import os
import struct
import tempfile

import numpy as np

from . import abi

HEADER = struct.Struct('<QQQQQQiIQQQdQ')
FIELDS = ('offset_level0', 'max_elements', 'cur_element_count', 'size_data_per_element', 'label_offset', 'offset_data',
          'max_level', 'enterpoint_node', 'max_M', 'max_M0', 'M', 'mult', 'ef_construction')


def file_of(index, format='hnswlib'):
    """The bytes of save_index()."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'index')
        index.save_index(path, format=format)
        with open(path, 'rb') as file:
            return file.read()


def params_of(index):
    """The state of an index, under hnswlib's names."""
    params = {'ser_version': 1, 'space': index.space, 'dim': index.dim, 'index_inited': index._handle is not None,
              'ep_added': True, 'normalize': index.space == 'cosine', 'num_threads': index.num_threads,
              'seed': index._seed, 'ef': index.ef}
    if index._handle is None:
        return params
    stats, data = index.stats(), file_of(index, 'chroma')
    header = dict(zip(FIELDS, HEADER.unpack_from(data)))
    count, size = header['cur_element_count'], header['size_data_per_element']
    level0 = np.frombuffer(data, np.int8, count * size, HEADER.size)
    labels = level0.reshape(count, size)[:, header['label_offset']:].copy().view(np.uint64).reshape(-1)
    at = HEADER.size + count * size
    lengths = np.frombuffer(data, np.float32, count, at)
    lists, levels, at = [], np.zeros(header['max_elements'], np.int32), at + 4 * count
    list_size = 4 * header['max_M'] + 4
    for row in range(count):
        (length,) = struct.unpack_from('<I', data, at)
        levels[row] = length // list_size
        lists.append(data[at + 4:at + 4 + length])
        at += 4 + length
    return {**params, **header, 'ep_added': count > 0, 'size_links_per_element': list_size,
            'has_deletions': stats['deleted'] > 0,
            'allow_replace_deleted': bool(stats['flags'] & abi.HNX_ALLOW_REPLACE_DELETED),
            'label_lookup_external': labels, 'label_lookup_internal': np.arange(count, dtype=np.uint32),
            'element_levels': levels, 'data_level0': level0.copy(),
            'link_lists': np.frombuffer(b''.join(lists), np.int8), 'grows': index._grows,
            **({'lengths': lengths.copy()} if index.space == 'cosine' else {})}


def restore(index, params):
    """Makes `index` what `params` describes."""
    if params['ser_version'] != 1:
        raise RuntimeError(f'Unpickle Error: ser_version {params["ser_version"]}')
    index._prepare(params['space'], params['dim'])
    index.num_threads, index._seed = params['num_threads'], params['seed']
    index.set_ef(params['ef'])
    if not params['index_inited']:
        return
    levels, lists, at = np.asarray(params['element_levels']), bytes(np.asarray(params['link_lists'])), 0
    chunks = [HEADER.pack(*(params[name] for name in FIELDS)), bytes(np.asarray(params['data_level0']))]
    if 'lengths' in params:
        chunks.append(bytes(np.asarray(params['lengths'], np.float32)))
    for row in range(params['cur_element_count']):
        length = int(levels[row]) * params['size_links_per_element']
        chunks += [struct.pack('<I', length), lists[at:at + length]]
        at += length
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'index')
        with open(path, 'wb') as file:
            file.writelines(chunks)
        index.load_index(path, 0 if params.get('grows') else params['max_elements'], params.get('allow_replace_deleted', False))
