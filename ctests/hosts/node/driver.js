// Goes through the whole JavaScript interface of one build of hnswlib-node and prints what it saw as JSON:
//
//   node driver.js PACKAGE FOLDER            every case; index files go to FOLDER
//   node driver.js PACKAGE FOLDER read       opens the files that another build wrote there, goes on with them
//   node driver.js PACKAGE FOLDER CASE ...   these cases only
//
// Both builds must print the same. What the original gets wrong is in the cases whose names end in Fixed; those are not
// run by default.
'use strict'
const fs = require('fs')
const path = require('path')

const [, , folderOfPackage, folder, ...only] = process.argv
const { BruteforceSearch, HierarchicalNSW, L2Space, InnerProductSpace } = require(path.resolve(folderOfPackage))
const SPACES = ['l2', 'ip', 'cosine']

// A small generator, so that every run sees the same numbers.
function numbers (seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

// Small integers: all sums are exact in f32, whatever their order. They tie all the time.
function integers (seed, count, dim) {
  const next = numbers(seed)
  return Array.from({ length: count }, () => Array.from({ length: dim }, () => Math.floor(next() * 17) - 8))
}

function floats (seed, count, dim) {
  const next = numbers(seed)
  return Array.from({ length: count }, () => Array.from({ length: dim }, () => Math.fround(next() * 4 - 2)))
}

function attempt (f) {
  try {
    const result = f()
    return result === undefined ? 'undefined' : result
  } catch (error) {
    return `${error.name}: ${error.message}`
  }
}

async function attemptLater (f) {
  try {
    return await f()
  } catch (error) {
    return `${error.name}: ${error.message}`
  }
}

function graph (space, dim, capacity, points, options = [], ef = 30) {
  const index = new HierarchicalNSW(space, dim)
  index.initIndex(capacity, ...options)
  points.forEach((point, label) => index.addPoint(point, label))
  index.setEf(ef)
  return index
}

function brute (space, dim, capacity, points) {
  const index = new BruteforceSearch(space, dim)
  index.initIndex(capacity)
  points.forEach((point, label) => index.addPoint(point, label))
  return index
}

function asked (index, queries, k, filter) {
  return queries.map(q => attempt(() => filter ? index.searchKnn(q, k, filter) : index.searchKnn(q, k)))
}

function state (index) {
  return [index.getMaxElements(), index.getCurrentCount(), index.getNumDimensions(), attempt(() => index.getEf()), attempt(() => index.getIdsList())]
}

const wrong = [undefined, null, 3, 'text', true, {}, [], () => 1, NaN, -1, 1.5, Symbol('s')]

const cases = {
  surface () {
    return Object.entries({ BruteforceSearch, HierarchicalNSW, L2Space, InnerProductSpace })
      .map(([name, f]) => [name, Object.getOwnPropertyNames(f.prototype).sort()])
  },

  constructors () {
    const seen = []
    for (const Class of [BruteforceSearch, HierarchicalNSW]) {
      seen.push(attempt(() => Class('l2', 3)), attempt(() => new Class()), attempt(() => new Class('l2')),
        attempt(() => new Class('l2', 3, 4)), attempt(() => new Class('cos', 3)))
      for (const value of wrong) {
        seen.push(attempt(() => typeof new Class(value, 3)), attempt(() => typeof new Class('l2', value === -1 ? '1' : value)))
      }
    }
    for (const Class of [L2Space, InnerProductSpace]) {
      seen.push(attempt(() => Class(3)), attempt(() => new Class()), attempt(() => new Class(3, 4)))
      for (const value of wrong) seen.push(attempt(() => typeof new Class(value === -1 ? '1' : value)))
      seen.push(new Class(7).getNumDimensions())
    }
    return seen
  },

  spacesExactly () {
    const seen = []
    for (const Class of [L2Space, InnerProductSpace]) {
      for (let dim = 1; dim <= 300; dim++) {
        const space = new Class(dim)
        const [a, b] = integers(dim, 2, dim)
        seen.push(space.distance(a, b), space.distance(a, a))
      }
    }
    return seen
  },

  spaces () {
    const seen = []
    for (const Class of [L2Space, InnerProductSpace]) {
      for (let dim = 1; dim <= 300; dim++) {
        const space = new Class(dim)
        const [a, b] = floats(dim, 2, dim)
        seen.push(space.distance(a, b))
      }
      const space = new Class(3)
      seen.push(attempt(() => space.distance()), attempt(() => space.distance([1, 2, 3])), attempt(() => space.distance([1, 2], [1, 2, 3])),
        attempt(() => space.distance([1, 2, 3], [1, 2])), attempt(() => space.distance('text', [1, 2, 3])),
        attempt(() => space.distance([1, 2, 3], 'text')), attempt(() => space.distance([1, 2, 3], [1, 2, 3], [1, 2, 3])))
    }
    return seen
  },

  // Methods before initIndex, with too few arguments and with wrong ones.
  argumentsOfAll () {
    const seen = []
    for (const Class of [BruteforceSearch, HierarchicalNSW]) {
      const methods = Object.getOwnPropertyNames(Class.prototype).filter(m => m !== 'constructor').sort()
      const fresh = new Class('l2', 3)
      for (const method of methods) {
        if (/^(read|write)Index$/.test(method)) continue // these go to another thread; see promises
        seen.push([method, attempt(() => fresh[method]())])
        for (const value of wrong) {
          if (method === 'initIndex' && typeof value === 'number') continue
          seen.push([method, String(value), attempt(() => fresh[method](value))])
          seen.push([method, String(value), attempt(() => fresh[method]([1, 2, 3], typeof value === 'number' ? '1' : value))])
          seen.push([method, String(value), attempt(() => fresh[method]([1, 2, 3], 1, value === true ? 'true' : value))])
        }
      }
      const index = new Class('l2', 3)
      index.initIndex(5)
      index.addPoint([1, 2, 3], 0)
      index.addPoint([3, 2, 1], 1)
      for (const method of methods) {
        if (/Index/.test(method)) continue
        seen.push([method, attempt(() => index[method]())])
        for (const value of [null, 'text', {}, true, [1], [1, 2, 3, 4]]) {
          seen.push([method, String(value), attempt(() => index[method](value))])
          seen.push([method, String(value), attempt(() => index[method](value, 1))])
          seen.push([method, String(value), attempt(() => index[method]([1, 2, 3], Array.isArray(value) ? 'x' : value))])
          seen.push([method, String(value), attempt(() => index[method]([1, 2, 3], 1, value === true ? 3 : value))])
        }
      }
      seen.push(state(index), asked(index, [[1, 2, 3]], 1))
    }
    return seen
  },

  initIndex () {
    const seen = []
    const options = [[10], [10, 4], [10, 4, 20], [10, 4, 20, 7], [10, 4, 20, 7, true], [{ maxElements: 10 }], [{ maxElements: 10, m: 4 }],
      [{ maxElements: 10, m: 4, efConstruction: 20, randomSeed: 7, allowReplaceDeleted: true }], [{}], [{ maxElements: '1' }],
      [{ maxElements: 10, m: '4' }], [{ maxElements: 10, efConstruction: null }], [{ maxElements: 10, randomSeed: true }],
      [{ maxElements: 10, allowReplaceDeleted: 1 }], [10, '4'], [10, 4, '20'], [10, 4, 20, '7'], [10, 4, 20, 7, 1], [undefined], [10, undefined, 5]]
    for (const o of options) {
      const index = new HierarchicalNSW('l2', 3)
      seen.push([attempt(() => index.initIndex(...o)), state(index)])
      if (index.getMaxElements() > 0) {
        integers(4, 10, 3).forEach((point, label) => index.addPoint(point, label))
        index.markDelete(3)
        seen.push(attempt(() => index.addPoint([1, 1, 1], 77, true)), asked(index, integers(5, 6, 3), 4))
        index.initIndex(5) // anew
        seen.push(state(index), asked(index, [[1, 2, 3]], 2))
      }
    }
    return seen
  },

  searches () {
    const seen = []
    for (const space of SPACES) {
      for (const dim of [1, 2, 3, 4, 7, 16, 33, 100]) {
        const points = space === 'cosine' ? floats(dim, 400, dim) : integers(dim, 400, dim)
        const queries = space === 'cosine' ? floats(dim + 1000, 20, dim) : integers(dim + 1000, 20, dim)
        if (space === 'cosine' && dim === 1) continue // all distances are 0 or 2 but for rounding
        const index = graph(space, dim, 400, points, [6, 60, dim])
        seen.push(asked(index, queries, 1), asked(index, queries, 10), asked(index, queries, 10, label => label % 3 === 0))
        index.setEf(400)
        seen.push(index.getEf(), asked(index, queries, 30), asked(index, queries, 0))
        const exact = brute(space, dim, 400, points)
        seen.push(asked(exact, queries, 1), asked(exact, queries, 10), asked(exact, queries, 400))
        seen.push(attempt(() => index.searchKnn(queries[0], 401)), attempt(() => exact.searchKnn(queries[0], 401)))
        seen.push([0, 1, 399, 400, 2 ** 32].map(label => attempt(() => index.getPoint(label))))
      }
    }
    return seen
  },

  changes () {
    const seen = []
    for (const space of ['l2', 'ip']) {
      const points = integers(31, 600, 8)
      const queries = integers(32, 30, 8)
      const index = graph(space, 8, 400, points.slice(0, 400), [5, 40, 3, true])
      const look = () => seen.push(state(index), asked(index, queries, 8), asked(index, queries, 3, label => label % 2 === 1))
      look()
      seen.push(attempt(() => index.addPoint(points[0], 400)), attempt(() => index.markDelete(400)), attempt(() => index.unmarkDelete(3)))
      points.slice(400, 450).forEach((point, n) => index.addPoint(point, n * 3)) // updates
      look()
      for (let label = 0; label < 200; label += 2) index.markDelete(label)
      seen.push(attempt(() => index.markDelete(2)), attempt(() => index.getPoint(2)), attempt(() => index.addPoint(points[1], 2)))
      look()
      for (let label = 0; label < 100; label += 4) index.unmarkDelete(label)
      look()
      points.slice(450, 500).forEach((point, n) => index.addPoint(point, 1000 + n, true))
      look()
      seen.push(attempt(() => index.resizeIndex(10)), attempt(() => index.resizeIndex(399)))
      index.resizeIndex(500)
      points.slice(500).forEach((point, n) => seen.push(attempt(() => index.addPoint(point, 2000 + n))))
      look()
      for (const label of [5, 1003, 2050, 10 ** 6, 2 ** 32 - 1]) seen.push(attempt(() => index.getPoint(label)))
      const plain = graph(space, 8, 20, points.slice(0, 10))
      plain.markDelete(4)
      seen.push(attempt(() => plain.addPoint(points[20], 20, true)), attempt(() => plain.addPoint(points[20], 4)), attempt(() => plain.getPoint(4)))
      const big = graph(space, 8, 4000, integers(33, 4000, 8), [4, 10])
      seen.push(big.getIdsList())
    }
    return seen
  },

  bruteChanges () {
    const seen = []
    for (const space of SPACES) {
      const points = space === 'cosine' ? floats(41, 60, 5) : integers(41, 60, 5)
      const index = brute(space, 5, 40, points.slice(0, 40))
      seen.push(attempt(() => index.addPoint(points[40], 40)), asked(index, points, 7))
      for (let label = 0; label < 30; label += 3) index.removePoint(label)
      seen.push(index.getCurrentCount(), asked(index, points, 7))
      index.removePoint(12345)
      index.addPoint(points[50], 5) // overwrites
      index.addPoint(points[51], 100)
      seen.push(index.getCurrentCount(), asked(index, points, 7))
      seen.push(asked(index, points, 7, label => label < 2 ** 31))
    }
    return seen
  },

  // What filters are asked and may answer. (Where one throws, the addon itself ends the process.)
  filters () {
    const points = integers(51, 100, 4)
    const seen = []
    for (const index of [graph('l2', 4, 100, points), brute('l2', 4, 100, points)]) {
      for (const answer of [true, 1, 'yes', {}, []]) seen.push(asked(index, points.slice(0, 5), 3, () => answer))
      if (index instanceof HierarchicalNSW) {
        for (const answer of [false, 0, '', null, undefined, NaN]) seen.push(asked(index, points.slice(0, 5), 3, () => answer))
      }
      const labels = []
      index.searchKnn(points[0], 2, label => labels.push(label))
      seen.push(labels)
      seen.push(asked(index, points.slice(0, 5), 4, label => index.searchKnn(points[label], 2).neighbors[1] % 2 === 0 || label < 4))
    }
    return seen
  },

  async promises () {
    const seen = []
    for (const [Class, name] of [[HierarchicalNSW, 'graph'], [BruteforceSearch, 'brute']]) {
      const points = integers(61, 300, 6)
      const file = path.join(folder, `${name}-async`)
      const fresh = new Class('l2', 6)
      seen.push(await attemptLater(() => fresh.writeIndex(file)), attempt(() => fresh.writeIndexSync(file)), fs.existsSync(file))
      for (const value of [undefined, 3, null, {}]) {
        for (const method of ['readIndex', 'writeIndex', 'readIndexSync', 'writeIndexSync']) {
          seen.push([method, await attemptLater(() => value === undefined ? fresh[method]() : fresh[method](value))])
        }
      }
      const index = name === 'graph' ? graph('l2', 6, 310, points, [7, 50, 9, true]) : brute('l2', 6, 310, points)
      seen.push(await index.writeIndex(file), fs.statSync(file).size)
      const other = new Class('l2', 6)
      seen.push(await other.readIndex(file), other.getCurrentCount(), other.getMaxElements(), asked(other, points, 4))
      seen.push(await other.readIndex(file), asked(other, points.slice(0, 9), 4)) // over a live one
      seen.push(attempt(() => other.readIndexSync(file) === null), asked(other, points.slice(0, 9), 4))
      const missing = new Class('l2', 6)
      for (const method of ['readIndex', 'readIndexSync']) {
        const text = await attemptLater(() => missing[method](path.join(folder, 'missing')))
        seen.push(String(text).replace(folder, 'FOLDER'))
      }
      seen.push(attempt(() => missing.searchKnn(points[0], 1)))
      if (name === 'graph') {
        const damaged = path.join(folder, 'damaged')
        fs.writeFileSync(damaged, fs.readFileSync(file).subarray(0, -5))
        for (const method of ['readIndex', 'readIndexSync']) {
          const broken = new Class('l2', 6) // with an index in it, the addon would free that twice
          seen.push(await attemptLater(() => broken[method](damaged)))
          if (method === 'readIndex') {
            broken.initIndex(5)
            broken.addPoint(points[0], 1)
            seen.push(asked(broken, points.slice(0, 2), 1))
          }
          if (method === 'readIndexSync') seen.push(state(broken))
        }
        const replacing = new Class('l2', 6)
        await replacing.readIndex(file, true)
        replacing.markDelete(8)
        replacing.addPoint(points[8], 1234, true)
        const not = new Class('l2', 6)
        not.readIndexSync(file)
        not.markDelete(8)
        seen.push(state(replacing), asked(replacing, points.slice(0, 12), 2), attempt(() => not.addPoint(points[8], 1234, true)))
        seen.push(await attemptLater(() => not.readIndex(file, 'text')), attempt(() => not.readIndexSync(file, 'text')))
      }
    }
    return seen
  },

  // Several saves and loads at once, each object with its own file.
  async manyPromises () {
    const points = integers(71, 500, 5)
    const indexes = Array.from({ length: 12 }, (_, n) => n % 2 ? brute('l2', 5, 500, points.slice(n)) : graph('l2', 5, 500, points.slice(n), [4, 20, n]))
    await Promise.all(indexes.map((index, n) => index.writeIndex(path.join(folder, `many-${n}`))))
    const others = indexes.map((_, n) => n % 2 ? new BruteforceSearch('l2', 5) : new HierarchicalNSW('l2', 5))
    const answers = await Promise.all(others.map((index, n) => index.readIndex(path.join(folder, `many-${n}`))))
    return [answers, others.map(index => [index.getCurrentCount(), asked(index, points.slice(0, 20), 3)]),
      indexes.map((_, n) => fs.statSync(path.join(folder, `many-${n}`)).size)]
  },

  // Files for the other build: see read.
  write () {
    const sizes = []
    for (const space of SPACES) {
      const points = space === 'cosine' ? floats(81, 300, 7) : integers(81, 300, 7)
      const index = graph(space, 7, 320, points, [5, 50, 2, true])
      for (let label = 0; label < 40; label++) index.markDelete(label)
      for (let label = 0; label < 10; label++) index.addPoint(points[label + 50], 500 + label, true)
      index.writeIndexSync(path.join(folder, `graph-${space}`))
      brute(space, 7, 320, points).writeIndexSync(path.join(folder, `brute-${space}`))
      graph(space, 7, 9, []).writeIndexSync(path.join(folder, `empty-${space}`))
      for (const kind of ['graph', 'brute', 'empty']) sizes.push(fs.statSync(path.join(folder, `${kind}-${space}`)).size)
    }
    return sizes
  },

  async read () {
    const seen = []
    for (const space of SPACES) {
      const points = space === 'cosine' ? floats(82, 60, 7) : integers(82, 60, 7)
      const index = new HierarchicalNSW(space, 7)
      await index.readIndex(path.join(folder, `graph-${space}`), true)
      const look = () => seen.push(state(index), asked(index, points, 5), asked(index, points, 5, label => label % 2 === 0))
      look()
      seen.push([0, 45, 500, 505, 299].map(label => attempt(() => index.getPoint(label))))
      for (let label = 100; label < 130; label++) index.addPoint(points[label - 100], label)
      for (let label = 200; label < 220; label++) index.markDelete(label)
      for (let label = 600; label < 630; label++) index.addPoint(points[label - 600], label, true)
      index.resizeIndex(400)
      for (let label = 700; label < 760; label++) index.addPoint(points[label - 700], label)
      look()
      const exact = new BruteforceSearch(space, 7)
      exact.readIndexSync(path.join(folder, `brute-${space}`))
      seen.push(exact.getMaxElements(), exact.getCurrentCount(), asked(exact, points, 9))
    }
    return seen
  },

  // ---- what the original gets wrong ----

  bruteFixed () {
    const points = integers(91, 30, 3)
    const index = brute('l2', 3, 20, points.slice(0, 10))
    const check = (condition, what) => { if (!condition) throw new Error(what) }
    index.removePoint(9) // the last one
    check(index.getCurrentCount() === 9, 'count after the last one was removed')
    index.addPoint(points[9], 9)
    index.removePoint(9)
    index.removePoint(9)
    check(index.getCurrentCount() === 9, 'count after it was removed again')
    check(index.searchKnn(points[0], 9).neighbors.length === 9, 'nine neighbours')
    check(index.searchKnn(points[0], 20).neighbors.length === 9, 'no more than there are')
    check(!index.searchKnn(points[0], 9).neighbors.includes(9), 'the removed one is not found')
    const filtered = index.searchKnn(points[0], 3, label => label >= 5).neighbors
    check(filtered.length === 3 && filtered.every(label => label >= 5), `filtered: ${filtered}`)
    const file = path.join(folder, 'brute-fixed')
    index.writeIndexSync(file)
    const other = new BruteforceSearch('l2', 3)
    other.readIndexSync(file)
    other.removePoint(0)
    other.addPoint(points[20], 1)
    check(other.getCurrentCount() === 8, `labels are known after loading: ${other.getCurrentCount()}`)
    fs.writeFileSync(file, fs.readFileSync(file).subarray(0, 100))
    check(/^Error: Hnswlib Error/.test(attempt(() => new BruteforceSearch('l2', 3).readIndexSync(file))), 'a short file')
    return 'ok'
  },

  replaceFixed () {
    const points = integers(92, 40, 3)
    const index = graph('l2', 3, 30, points.slice(0, 30), [5, 40, 1, true], 30)
    const check = (condition, what) => { if (!condition) throw new Error(what) }
    index.markDelete(1)
    index.markDelete(2)
    index.addPoint(points[35], 20, true) // live: updated where it is
    check(index.getIdsList().length === 30, 'thirty labels')
    const found = index.searchKnn(points[35], 28).neighbors
    check(new Set(found).size === 28, `each once: ${found}`)
    index.addPoint(points[36], 2, true)
    check(String(index.getPoint(2)) === String(points[36]) && /Label not found/.test(attempt(() => index.getPoint(1))), 'in its own place')
    return 'ok'
  },

  async damagedFixed () {
    const file = path.join(folder, 'graph-fixed')
    graph('l2', 3, 30, integers(93, 30, 3)).writeIndexSync(file)
    const whole = fs.readFileSync(file)
    const seen = []
    for (const [at, value] of [[16, 2 ** 40], [24, 8], [56, 2 ** 50], [52, 2 ** 31], [100, 2 ** 31]]) {
      const damaged = Buffer.from(whole)
      if (value > 2 ** 32) damaged.writeBigUInt64LE(BigInt(value), at)
      else damaged.writeUInt32LE(value, at)
      fs.writeFileSync(file, damaged)
      seen.push(attempt(() => new HierarchicalNSW('l2', 3).readIndexSync(file)), await attemptLater(() => new HierarchicalNSW('l2', 3).readIndex(file)))
    }
    fs.writeFileSync(file, whole)
    seen.push(attempt(() => new HierarchicalNSW('l2', 4).readIndexSync(file)))
    for (const text of seen) if (!/^Error: Hnswlib Error/.test(text)) throw new Error(`opened: ${JSON.stringify(seen)}`)
    return 'ok'
  },

  // Saving where nothing can be saved must not end the process.
  async unwritableFixed () {
    const seen = []
    for (const index of [graph('l2', 3, 30, integers(94, 30, 3)), brute('l2', 3, 30, integers(94, 30, 3))]) {
      seen.push(await attemptLater(() => index.writeIndex(path.join(folder, 'missing', 'x'))))
      seen.push(attempt(() => index.writeIndexSync(path.join(folder, 'missing', 'x'))))
      seen.push(asked(index, [[1, 2, 3]], 1))
    }
    return seen
  },

  // Neither may an M that no graph can be built with.
  fewLinksFixed () {
    return [0, 1].map(m => {
      const index = new HierarchicalNSW('l2', 3)
      return [attempt(() => index.initIndex(10, m)), attempt(() => index.addPoint([1, 2, 3], 0)), attempt(() => index.addPoint([1, 2, 4], 1))]
    })
  }
}

async function main () {
  const names = only.length ? only : Object.keys(cases).filter(name => !/Fixed$/.test(name) && name !== 'read')
  const result = {}
  for (const name of names) {
    try {
      result[name] = await cases[name]()
    } catch (error) {
      result[name] = `did not get through: ${error.stack}`
    }
  }
  process.stdout.write(JSON.stringify(result))
}

main()
