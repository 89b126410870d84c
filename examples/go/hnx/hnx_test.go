package hnx

import (
	"encoding/binary"
	"errors"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"
)

// HNX_EXCHANGE names a folder that ctests/bindings/run.py has filled; HNX_WRITE one to write to.

const rows, dim, k = 2000, 128, 10

func readBytes(t testing.TB, name string, most int) (values []float32) {
	data, err := os.ReadFile(filepath.Join("..", "..", "data", name))
	if err != nil {
		t.Fatal(err)
	}
	length := int(binary.LittleEndian.Uint32(data))
	for ; len(data) > 0 && len(values) < most*length; data = data[4+length:] {
		for _, b := range data[4 : 4+length] {
			values = append(values, float32(b))
		}
	}
	return values
}

var (
	once          sync.Once
	base, queries []float32
	labels        []uint64
)

func prepare(t testing.TB) {
	once.Do(func() {
		base, queries = readBytes(t, "sift15k.bvecs", rows), readBytes(t, "sift15k-query.bvecs", 50)
		for row := 0; row < rows; row++ {
			labels = append(labels, uint64(3*row+1))
		}
	})
}

func live(row int) bool { return row%10 != 0 }

// nearest gives the labels of the k nearest rows that are wanted, by all distances.
func nearest(wanted func(row int) bool) (found [][]uint64) {
	for at := 0; at < len(queries); at += dim {
		var order []int
		distance := make([]float64, rows)
		for row := 0; row < rows; row++ {
			for i := 0; i < dim; i++ {
				d := float64(queries[at+i] - base[row*dim+i])
				distance[row] += d * d
			}
			if wanted(row) {
				order = append(order, row)
			}
		}
		sort.SliceStable(order, func(a, b int) bool { return distance[order[a]] < distance[order[b]] })
		var near []uint64
		for _, row := range order[:k] {
			near = append(near, labels[row])
		}
		found = append(found, near)
	}
	return found
}

func assertNear(t testing.TB, result *Result, expected [][]uint64) {
	t.Helper()
	hits := 0
	for query, near := range expected {
		for _, label := range result.Labels[query*k : query*k+k] {
			for _, other := range near {
				if label == other {
					hits++
				}
			}
		}
	}
	if recall := float64(hits) / float64(k*len(expected)); recall < 0.99 {
		t.Fatalf("recall %v", recall)
	}
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func build(t testing.TB, options Options, threads int) *Index {
	prepare(t)
	options.Dim = dim
	index := must(New(options))
	ok(t, index.Add(base, labels, &AddOptions{Threads: threads}))
	ok(t, index.SetEf(200))
	t.Cleanup(func() { index.Close() })
	return index
}

func deleteSome(t testing.TB, index *Index) {
	for row, label := range labels {
		if !live(row) {
			ok(t, index.MarkDeleted(label))
		}
	}
}

func TestExactNeighbours(t *testing.T) {
	index := build(t, Options{MaxElements: rows}, 0)
	result := must(index.Query(queries, k, nil))
	assertNear(t, result, nearest(func(int) bool { return true }))
	for query := 0; query < 50; query++ {
		row := (result.Labels[query*k] - 1) / 3
		var d float64
		for i := 0; i < dim; i++ {
			x := float64(queries[query*dim+i] - base[int(row)*dim+i])
			d += x * x
		}
		if float64(result.Distances[query*k]) != d || result.Counts[query] != k {
			t.Fatalf("query %d: %v, %v", query, result.Distances[query*k], d)
		}
	}
	into := &Result{K: k, Labels: make([]uint64, 50*k)}
	ok(t, index.QueryInto(into, queries, &QueryOptions{Ef: 200, Threads: 1}))
	if !reflect.DeepEqual(into.Labels, result.Labels) {
		t.Fatal("QueryInto differs")
	}
}

func TestFilters(t *testing.T) {
	index := build(t, Options{}, 0)
	var odd, even []uint64
	for _, label := range labels {
		if label%2 == 1 {
			odd = append(odd, label)
		} else {
			even = append(even, label)
		}
	}
	expected := nearest(func(row int) bool { return labels[row]%2 == 1 })
	isOdd := func(label uint64) bool { return label%2 == 1 }
	for _, options := range []QueryOptions{{Only: odd}, {Except: even}, {Filter: isOdd}, {Except: even[:5], Filter: isOdd}} {
		options.Ef = 200
		assertNear(t, must(index.Query(queries, k, &options)), expected)
	}
	few := must(index.Query(queries[:dim], k, &QueryOptions{Only: []uint64{1, 4, 5}}))
	if few.Counts[0] != 2 || few.Labels[2] != math.MaxUint64 || !math.IsInf(float64(few.Distances[9]), 1) {
		t.Fatal(few)
	}
	if none := must(index.Query(queries[:dim], k, &QueryOptions{Only: []uint64{}})); none.Counts[0] != 0 {
		t.Fatal(none)
	}
	if _, err := index.Query(queries, k, &QueryOptions{Only: odd, Except: even}); !errors.Is(err, ErrInvalidArgument) || !strings.Contains(err.Error(), "Only and Except") {
		t.Fatal(err)
	}
}

func TestExactness(t *testing.T) {
	index := build(t, Options{Metric: Cosine}, 0)
	if stats := must(index.Stats()); stats.Exactness != ExactnessGuided || stats.CodeBytes < rows*dim {
		t.Fatal(stats)
	}
	exact := must(index.Query(queries, k, &QueryOptions{Exactness: ExactnessF32}))
	certified := must(index.Query(queries, k, &QueryOptions{Exactness: ExactnessCertified}))
	if !reflect.DeepEqual(exact, certified) {
		t.Fatal("certified answers differ")
	}
	ok(t, index.SetExactness(ExactnessF32))
	if stats := must(index.Stats()); stats.Exactness != ExactnessF32 || stats.CodeBytes != 0 {
		t.Fatal(stats)
	}
	if !reflect.DeepEqual(exact, must(index.Query(queries, k, nil))) {
		t.Fatal("answers of the index's exactness differ")
	}
}

func TestCodesBeside(t *testing.T) {
	folder := t.TempDir()
	path, others := filepath.Join(folder, "file"), filepath.Join(folder, "another")
	index, another := build(t, Options{}, 0), build(t, Options{M: 8}, 0)
	ok(t, index.Save(path, FormatHnswlib))
	ok(t, index.SaveCodes(path))
	ok(t, another.Save(others, FormatHnswlib))
	if err := index.SaveCodes(others); !errors.Is(err, ErrConflict) || !strings.Contains(err.Error(), others) {
		t.Fatal(err)
	}
	guided := &QueryOptions{Ef: 200, Exactness: ExactnessGuided}
	expected := must(index.Query(queries, k, guided))
	for _, readOnly := range []bool{false, true} {
		mapped := must(Load(path, LoadOptions{Dim: dim, Mmap: true, ReadOnly: readOnly}))
		if stats := must(mapped.Stats()); stats.Exactness != ExactnessGuided || stats.CodeBytes == 0 {
			t.Fatal(stats)
		}
		if !reflect.DeepEqual(expected, must(mapped.Query(queries, k, guided))) {
			t.Fatal("guided answers of the mapped index differ")
		}
		mapped.Close()
	}
}

func TestVerifyAndSalvage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "persisted")
	index := build(t, Options{PersistPath: path}, 0)
	deleteSome(t, index)
	must(index.Persist())
	ok(t, index.Close())
	if found := must(Verify(path)); found != (Verified{rows, rows}) {
		t.Fatal(found)
	}
	file := must(os.OpenFile(filepath.Join(path, "data_level0.bin"), os.O_RDWR, 0))
	must(file.WriteAt([]byte("damage"), 1000))
	ok(t, file.Close())
	if _, err := Verify(path); !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), path+": data_level0.bin: record") {
		t.Fatal(err)
	}
	if _, err := Verify("absent"); !errors.Is(err, ErrNotFound) {
		t.Fatal(err)
	}
	ok(t, os.Remove(filepath.Join(path, "link_lists.bin")))
	salvaged, found, err := Salvage(path, SalvageOptions{Dim: dim})
	ok(t, err)
	defer salvaged.Close()
	stats := must(salvaged.Stats())
	if found.Damage&DamageLists == 0 || found.Kept < rows-1 || stats.Count != int(found.Kept) || stats.Deleted != int(found.Deleted) {
		t.Fatal(found, stats)
	}
	assertNear(t, must(salvaged.Query(queries, k, &QueryOptions{Ef: 200})), nearest(live))
	if _, _, err := Salvage("absent", SalvageOptions{Dim: dim}); !errors.Is(err, ErrNotFound) {
		t.Fatal(err)
	}
}

func TestFilterThatPanics(t *testing.T) {
	index := build(t, Options{}, 0)
	for round := 0; round < 10; round++ {
		func() {
			defer func() {
				if recover() != "mine" {
					t.Error("the panic is lost")
				}
			}()
			index.Query(queries, k, &QueryOptions{Filter: func(uint64) bool { panic("mine") }})
		}()
	}
	assertNear(t, must(index.Query(queries, k, nil)), nearest(func(int) bool { return true }))
	ok(t, index.Close())
	if index.pointer != nil {
		t.Fatal("a panic keeps the index from being freed")
	}
}

func TestDeletePersistReopen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "persisted")
	index := build(t, Options{PersistPath: path}, 1)
	if done := must(index.Persist()); done.Records != rows || done.Generation != 1 {
		t.Fatal(done)
	}
	deleteSome(t, index)
	before := must(index.Query(queries, k, nil))
	assertNear(t, before, nearest(live))
	if done := must(index.Persist()); done.Records != rows/10 {
		t.Fatal(done)
	}
	if stats := must(index.Stats()); stats.Count != rows || stats.Deleted != rows/10 || stats.Dim != dim || stats.M != 16 {
		t.Fatal(stats)
	}
	all, gone := must(index.Labels(All)), must(index.Labels(Deleted))
	if !reflect.DeepEqual(all, labels) || len(gone) != rows/10 || gone[1] != labels[10] {
		t.Fatal(len(all), gone[:2])
	}
	ok(t, index.UnmarkDeleted(labels[0]))
	ok(t, index.Resize(5000))
	ok(t, index.Close())
	for _, options := range []LoadOptions{{}, {Mmap: true}, {ReadOnly: true}, {Check: CheckDeep}} {
		options.Dim = dim
		again := must(Load(path, options))
		if found := must(again.Query(queries, k, &QueryOptions{Ef: 200})); !reflect.DeepEqual(found, before) {
			t.Fatal("answers differ after reopening")
		}
		if err := again.MarkDeleted(labels[1]); options.ReadOnly != errors.Is(err, ErrReadOnly) {
			t.Fatal(err)
		}
		again.Close()
	}
}

func TestFilesOfOthers(t *testing.T) {
	folder := os.Getenv("HNX_EXCHANGE")
	if folder == "" {
		t.Skip("HNX_EXCHANGE is not set")
	}
	prepare(t)
	expected := nearest(live)
	for _, entry := range must(os.ReadDir(folder)) {
		index := must(Load(filepath.Join(folder, entry.Name()), LoadOptions{Dim: dim}))
		assertNear(t, must(index.Query(queries, k, &QueryOptions{Ef: 200})), expected)
		if got := must(index.Get(labels[1:10])); !reflect.DeepEqual(got, base[dim:10*dim]) {
			t.Fatal(entry.Name())
		}
		if stats := must(index.Stats()); stats.Count != rows || stats.Deleted != rows/10 {
			t.Fatal(entry.Name(), stats)
		}
		index.Close()
	}
}

func TestWrite(t *testing.T) {
	folder := os.Getenv("HNX_WRITE")
	if folder == "" {
		t.Skip("HNX_WRITE is not set")
	}
	index := build(t, Options{MaxElements: rows, PersistPath: filepath.Join(folder, "go-persisted")}, 1)
	deleteSome(t, index)
	ok(t, index.Save(filepath.Join(folder, "go.hnswlib"), FormatHnswlib))
	ok(t, index.Save(filepath.Join(folder, "go.chroma"), FormatChroma))
	must(index.Persist())
}

func TestErrors(t *testing.T) {
	index := build(t, Options{MaxElements: rows}, 0)
	nan := make([]float32, 2*dim)
	nan[dim+7] = float32(math.NaN())
	type failing = func() error
	second := func(_ any, err error) error { return err }
	for name, at := range map[string]struct {
		status Status
		text   string
		call   failing
	}{
		"label":     {ErrNotFound, "77777", func() error { return index.MarkDeleted(77777) }},
		"alive":     {ErrNotDeleted, "label 1", func() error { return index.UnmarkDeleted(1) }},
		"full":      {ErrFull, "row 0", func() error { return index.Add(base[:dim], []uint64{2}, nil) }},
		"exists":    {ErrExists, "label 1", func() error { return index.Add(base[:dim], []uint64{1}, &AddOptions{InsertOnly: true}) }},
		"absent":    {ErrNotFound, "label 2", func() error { return index.Add(base[:dim], []uint64{2}, &AddOptions{UpdateOnly: true}) }},
		"nan":       {ErrInvalidArgument, "row 1", func() error { return index.Add(nan, []uint64{1, 4}, nil) }},
		"query":     {ErrInvalidArgument, "query 1", func() error { return second(index.Query(nan, k, nil)) }},
		"dim":       {ErrInvalidArgument, "129 floats", func() error { return index.Add(base[:129], []uint64{1}, nil) }},
		"labels":    {ErrInvalidArgument, "for 2 labels", func() error { return index.Add(base[:dim], []uint64{1, 2}, nil) }},
		"half":      {ErrInvalidArgument, "64 floats", func() error { return second(index.Query(queries[:64], k, nil)) }},
		"k":         {ErrInvalidArgument, "k is 0", func() error { return second(index.Query(queries, 0, nil)) }},
		"k below":   {ErrInvalidArgument, "k is -1", func() error { return second(index.Query(queries, -1, nil)) }},
		"k above":   {ErrInvalidArgument, "k is", func() error { return second(index.Query(queries, math.MaxInt, nil)) }},
		"into":      {ErrInvalidArgument, "results", func() error { return index.QueryInto(&Result{K: 3, Labels: make([]uint64, 2)}, queries[:dim], nil) }},
		"ef":        {ErrInvalidArgument, "Ef is -1", func() error { return second(index.Query(queries, k, &QueryOptions{Ef: -1})) }},
		"threads":   {ErrInvalidArgument, "Threads", func() error { return second(index.Query(queries, k, &QueryOptions{Threads: -1})) }},
		"exactness": {ErrInvalidArgument, "exactness 9", func() error { return second(index.Query(queries, k, &QueryOptions{Exactness: 9})) }},
		"get":       {ErrNotFound, "label 2", func() error { return second(index.Get([]uint64{1, 2})) }},
		"resize":    {ErrInvalidArgument, "less than", func() error { return index.Resize(3) }},
		"set ef":    {ErrInvalidArgument, "ef is 0", func() error { return index.SetEf(0) }},
		"memory":    {ErrInvalidArgument, "", func() error { return second(index.Persist()) }},
		"save":      {ErrIO, "", func() error { return index.Save("/absent/file", FormatHnswlib) }},
		"format":    {ErrInvalidArgument, "", func() error { return index.Save("/absent/file", 99) }},
		"zero byte": {ErrInvalidArgument, "zero byte", func() error { return index.Save("a\x00b", 0) }},
		"codes":     {ErrInvalidArgument, "zero byte", func() error { return index.SaveCodes("a\x00b") }},
		"load":      {ErrNotFound, "/absent", func() error { return second(Load("/absent", LoadOptions{Dim: 3})) }},
		"new":       {ErrInvalidArgument, "dim", func() error { return second(New(Options{})) }},
		"new dim":   {ErrInvalidArgument, "Dim is -4", func() error { return second(New(Options{Dim: -4})) }},
		"metric":    {ErrInvalidArgument, "metric", func() error { return second(New(Options{Dim: 4, Metric: 9})) }},
		"which":     {ErrInvalidArgument, "which", func() error { return second(index.Labels(9)) }},
	} {
		err := at.call()
		var typed *Error
		if !errors.Is(err, at.status) || !errors.As(err, &typed) || !strings.Contains(err.Error(), at.text) {
			t.Errorf("%s: %v", name, err)
		}
	}
	assertNear(t, must(index.Query(queries, k, nil)), nearest(func(int) bool { return true }))
	if none := must(index.Query(nil, k, nil)); len(none.Labels) != 0 {
		t.Fatal(none)
	}
	ok(t, index.Add(nil, nil, nil))
	if ErrCorrupt.Error() != "HNX_ERR_CORRUPT" {
		t.Fatal(ErrCorrupt)
	}
}

func TestUseAfterClose(t *testing.T) {
	index := build(t, Options{}, 0)
	ok(t, index.Close())
	ok(t, index.Close())
	second := func(_ any, err error) error { return err }
	for at, err := range []error{
		index.Add(base, labels, nil), index.MarkDeleted(1), index.UnmarkDeleted(1), index.Resize(9), index.SetEf(9),
		second(index.Query(queries, k, nil)), second(index.Get(labels)), second(index.Labels(All)), second(index.Persist()),
		second(index.Stats()), index.Save(t.TempDir(), 0), index.SaveCodes(t.TempDir()),
	} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("%d: %v", at, err)
		}
	}
}

func TestCloseDuringUse(t *testing.T) {
	prepare(t)
	for round := 0; round < 3; round++ {
		index := build(t, Options{}, 0)
		var group sync.WaitGroup
		for worker := 0; worker < 8; worker++ {
			group.Add(1)
			go func(worker int) {
				defer group.Done()
				for row := worker; ; row = (row + 7) % rows {
					vector := base[row*dim : row*dim+dim]
					result, err := index.Query(vector, 1, &QueryOptions{Threads: 1})
					if err == nil && result.Distances[0] != 0 {
						t.Errorf("row %d: %v", row, result)
					}
					if err == nil {
						err = index.Add(vector, []uint64{uint64(1000000 + worker)}, &AddOptions{Threads: 1})
					}
					if err != nil {
						if !errors.Is(err, ErrClosed) {
							t.Error(err)
						}
						return
					}
				}
			}(worker)
		}
		time.Sleep(100 * time.Millisecond)
		var closers sync.WaitGroup
		for closer := 0; closer < 3; closer++ {
			closers.Add(1)
			go func() { defer closers.Done(); index.Close() }()
		}
		closers.Wait()
		group.Wait()
		if index.pointer != nil || index.users != 0 {
			t.Fatal("not freed")
		}
	}
}

func TestCloseInsideFilter(t *testing.T) {
	index := build(t, Options{}, 0)
	result, err := index.Query(queries[:dim], k, &QueryOptions{Filter: func(uint64) bool { index.Close(); return true }})
	if err != nil || result.Counts[0] != k || index.pointer != nil {
		t.Fatal(result, err)
	}
}

// A failure's text belongs to a thread of the system: many goroutines must each get their own.
func TestTextsAreNotMixed(t *testing.T) {
	index := build(t, Options{}, 0)
	var group sync.WaitGroup
	for worker := 0; worker < 16; worker++ {
		group.Add(1)
		go func(worker uint64) {
			defer group.Done()
			for round := 0; round < 200; round++ {
				var failed *Error
				if err := index.MarkDeleted(2 + 3*worker); !errors.As(err, &failed) || !strings.Contains(failed.Text, "label "+itoa(2+3*worker)+" ") {
					t.Error(worker, err)
				}
				runtime.Gosched()
			}
		}(uint64(worker))
	}
	group.Wait()
}

func itoa(n uint64) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return itoa(n/10) + string(rune('0'+n%10))
}

func maps() int {
	data, _ := os.ReadFile("/proc/self/maps")
	return strings.Count(string(data), "\n")
}

func TestFinalizer(t *testing.T) {
	before := maps()
	for i := 0; i < 50; i++ {
		must(New(Options{Dim: 4}))
	}
	for i := 0; i < 100 && maps() > before+60; i++ {
		runtime.GC()
		time.Sleep(10 * time.Millisecond)
	}
	if maps() > before+100 {
		t.Fatalf("%d mappings before, %d now", before, maps())
	}
}
