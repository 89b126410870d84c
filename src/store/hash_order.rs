//! A set of ids that is iterated in the order of libstdc++'s `std::unordered_set<unsigned>`.
//!
//! hnswlib iterates such sets where their order shows: the first of `deleted_elements` is the slot that a new vector
//! takes, and the candidates of `updatePoint` are offered in set order, which decides between equal distances. To
//! build the same graphs this is the same structure: one list through all nodes, buckets that point to the node
//! before their first, an identity hash, the library's growth policy and primes (GCC 12, hashtable.h and
//! hashtable-aux.cc; the behaviour has been the same since GCC 4.9).

/// Bucket counts below 14, by the count asked for.
const SMALL: [u32; 14] = [1, 2, 2, 3, 5, 5, 7, 7, 11, 11, 11, 11, 13, 13];

/// Bucket counts from 14 on.
#[rustfmt::skip]
const PRIMES: &[u32] = &[
    17,19,23,29,31,37,41,43,47,53,59,61,
    67,71,73,79,83,89,97,103,109,113,127,137,
    139,149,157,167,179,193,199,211,227,241,257,277,
    293,313,337,359,383,409,439,467,503,541,577,619,
    661,709,761,823,887,953,1031,1109,1193,1289,1381,1493,
    1613,1741,1879,2029,2179,2357,2549,2753,2971,3209,3469,3739,
    4027,4349,4703,5087,5503,5953,6427,6949,7517,8123,8783,9497,
    10273,11113,12011,12983,14033,15173,16411,17749,19183,20753,22447,24281,
    26267,28411,30727,33223,35933,38873,42043,45481,49201,53201,57557,62233,
    67307,72817,78779,85229,92203,99733,107897,116731,126271,136607,147793,159871,
    172933,187091,202409,218971,236897,256279,277261,299951,324503,351061,379787,410857,
    444487,480881,520241,562841,608903,658753,712697,771049,834181,902483,976369,1056323,
    1142821,1236397,1337629,1447153,1565659,1693859,1832561,1982627,2144977,2320627,2510653,2716249,
    2938679,3179303,3439651,3721303,4026031,4355707,4712381,5098259,5515729,5967347,6456007,6984629,
    7556579,8175383,8844859,9569143,10352717,11200489,12117689,13109983,14183539,15345007,16601593,17961079,
    19431899,21023161,22744717,24607243,26622317,28802401,31160981,33712729,36473443,39460231,42691603,46187573,
    49969847,54061849,58488943,63278561,68460391,74066549,80131819,86693767,93793069,101473717,109783337,118773397,
    128499677,139022417,150406843,162723577,176048909,190465427,206062531,222936881,241193053,260944219,282312799,305431229,
    330442829,357502601,386778277,418451333,452718089,489790921,529899637,573292817,620239453,671030513,725980837,785430967,
    849749479,919334987,994618837,1076067617,1164186217,1259520799,1362662261,1474249943,1594975441,1725587117,1866894511,2019773507,
    2185171673,2364114217,2557710269,2767159799,2993761039,3238918481,3504151727,3791104843,4101556399,4294967291,
];

const NONE: u32 = u32::MAX;
/// The list's head: the node before the first one.
const HEAD: u32 = u32::MAX - 1;

#[derive(Clone, Copy)]
struct Node {
    id: u32,
    next: u32,
}

/// The set.
pub(crate) struct HashOrder {
    nodes: Vec<Node>,
    unused: Vec<u32>,
    /// Node before the first node of each bucket; NONE for an empty bucket.
    buckets: Vec<u32>,
    first: u32,
    len: usize,
    /// Elements that fit before the next growth; 0 before the first insertion.
    next_resize: usize,
}

impl Default for HashOrder {
    fn default() -> Self {
        Self { nodes: Vec::new(), unused: Vec::new(), buckets: vec![NONE], first: NONE, len: 0, next_resize: 0 }
    }
}

impl HashOrder {
    /// Makes the set as good as new; memory is kept.
    pub(crate) fn reset(&mut self) {
        self.nodes.clear();
        self.unused.clear();
        self.buckets.clear();
        self.buckets.push(NONE);
        (self.first, self.len, self.next_resize) = (NONE, 0, 0);
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    fn bucket(&self, id: u32) -> usize {
        id as usize % self.buckets.len()
    }

    fn next(&self, node: u32) -> u32 {
        if node == HEAD {
            self.first
        } else {
            self.nodes[node as usize].next
        }
    }

    fn set_next(&mut self, node: u32, next: u32) {
        if node == HEAD {
            self.first = next;
        } else {
            self.nodes[node as usize].next = next;
        }
    }

    /// The node before `id`, if `id` is in the set.
    fn before(&self, id: u32) -> Option<u32> {
        let bucket = self.bucket(id);
        let mut before = self.buckets[bucket];
        if before == NONE {
            return None;
        }
        loop {
            let node = self.next(before);
            if node == NONE || self.bucket(self.nodes[node as usize].id) != bucket {
                return None;
            }
            if self.nodes[node as usize].id == id {
                return Some(before);
            }
            before = node;
        }
    }

    pub(crate) fn contains(&self, id: u32) -> bool {
        self.before(id).is_some()
    }

    /// The first id in iteration order.
    pub(crate) fn first(&self) -> Option<u32> {
        self.iter().next()
    }

    /// Ids in iteration order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        let mut node = self.first;
        std::iter::from_fn(move || {
            let Node { id, next } = *self.nodes.get(node as usize)?; // NONE is beyond the end
            node = next;
            Some(id)
        })
    }

    /// Inserts `id`; false if it is there already.
    pub(crate) fn insert(&mut self, id: u32) -> bool {
        if self.contains(id) {
            return false;
        }
        self.grow_for_one();
        let node = Node { id, next: NONE };
        let at = match self.unused.pop() {
            Some(at) => {
                self.nodes[at as usize] = node;
                at
            }
            None => {
                self.nodes.push(node);
                self.nodes.len() as u32 - 1
            }
        };
        self.link(at);
        self.len += 1;
        true
    }

    /// `_M_insert_bucket_begin`: behind the node before the bucket, or at the head of the list.
    fn link(&mut self, at: u32) {
        let bucket = self.bucket(self.nodes[at as usize].id);
        let before = self.buckets[bucket];
        if before != NONE {
            let next = self.next(before);
            self.set_next(at, next);
            self.set_next(before, at);
            return;
        }
        let next = self.first;
        self.set_next(at, next);
        self.first = at;
        if next != NONE {
            let other = self.bucket(self.nodes[next as usize].id);
            self.buckets[other] = at;
        }
        self.buckets[bucket] = HEAD;
    }

    /// Removes `id`; false if it is not there.
    pub(crate) fn remove(&mut self, id: u32) -> bool {
        let Some(before) = self.before(id) else { return false };
        let at = self.next(before);
        let (bucket, next) = (self.bucket(id), self.next(at));
        let next_bucket = (next != NONE).then(|| self.bucket(self.nodes[next as usize].id));
        if next_bucket != Some(bucket) {
            // The last of its bucket leaves: the bucket behind hangs on the node before now.
            if let Some(other) = next_bucket {
                self.buckets[other] = before;
            }
            if self.buckets[bucket] == before {
                self.buckets[bucket] = NONE;
            }
        }
        self.set_next(before, next);
        self.unused.push(at);
        self.len -= 1;
        true
    }

    /// `_Prime_rehash_policy::_M_need_rehash` for one insertion, maximum load 1.
    fn grow_for_one(&mut self) {
        if self.len < self.next_resize {
            return;
        }
        let least = (self.len + 1).max(if self.next_resize == 0 { 11 } else { 0 });
        if least < self.buckets.len() {
            self.next_resize = self.buckets.len();
            return;
        }
        let wanted = (least + 1).max(2 * self.buckets.len());
        let count = match SMALL.get(wanted) {
            Some(&count) => count,
            None => PRIMES.iter().copied().find(|&p| p as usize >= wanted).unwrap_or(u32::MAX),
        };
        self.next_resize = count as usize;
        // `_M_rehash_aux`: nodes are linked anew in iteration order.
        let mut node = self.first;
        self.buckets.clear();
        self.buckets.resize(count as usize, NONE);
        self.first = NONE;
        while node != NONE {
            let next = self.nodes[node as usize].next;
            self.link(node);
            node = next;
        }
    }
}

#[cfg(test)]
mod tests;
