// The life of an index, in Go: cd examples/go && go run ./example [DATA-FOLDER]
package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"libhnx.example/hnx"
)

// read gives the rows of a .bvecs (width 1) or .ivecs (width 4) file: an int32 length, then that many values.
func read(path string, width int) (values []float32, dim int) {
	data, err := os.ReadFile(path)
	if err != nil {
		log.Fatal(err)
	}
	dim = int(binary.LittleEndian.Uint32(data))
	for len(data) > 0 {
		row := data[4 : 4+dim*width]
		for i := 0; i < len(row); i += width {
			if width == 1 {
				values = append(values, float32(row[i]))
			} else {
				values = append(values, float32(binary.LittleEndian.Uint32(row[i:])))
			}
		}
		data = data[4+dim*width:]
	}
	return values, dim
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func recall(result *hnx.Result, truth []float32, perQuery int) float64 {
	hits := 0
	for cell, label := range result.Labels {
		for _, near := range truth[cell/result.K*perQuery:][:result.K] {
			if uint64(near) == label {
				hits++
			}
		}
	}
	return float64(hits) / float64(len(result.Labels))
}

func main() {
	data := filepath.Join("..", "data")
	if len(os.Args) > 1 {
		data = os.Args[1]
	}
	base, dim := read(filepath.Join(data, "sift15k.bvecs"), 1)
	queries, _ := read(filepath.Join(data, "sift15k-query.bvecs"), 1)
	truth, perQuery := read(filepath.Join(data, "sift15k-groundtruth.ivecs"), 4)
	fmt.Printf("libhnx %s, CPU level %s: %d vectors of %d floats\n", hnx.Version(), hnx.CPUName(), len(base)/dim, dim)

	folder, err := os.MkdirTemp("", "hnx-go-")
	check(err)
	defer os.RemoveAll(folder)
	directory := filepath.Join(folder, "index")

	// Init, and add a batch. Zero means default; the capacity grows on demand.
	index, err := hnx.New(hnx.Options{Metric: hnx.L2, Dim: dim, PersistPath: directory})
	check(err)
	defer index.Close()
	labels := make([]uint64, len(base)/dim)
	for i := range labels {
		labels[i] = uint64(i)
	}
	check(index.Add(base, labels, nil))

	// Query.
	options := &hnx.QueryOptions{Ef: 80}
	found, err := index.Query(queries, 10, options)
	check(err)
	fmt.Printf("recall@10 %.4f\n", recall(found, truth, perQuery))

	// Filters: by the labels that may be found, or by a function.
	var odd []uint64
	for label := 1; label < len(labels); label += 2 {
		odd = append(odd, uint64(label))
	}
	listed, err := index.Query(queries[:20*dim], 10, &hnx.QueryOptions{Ef: 80, Only: odd})
	check(err)
	asked, err := index.Query(queries[:20*dim], 10, &hnx.QueryOptions{Ef: 80, Filter: func(label uint64) bool { return label%2 == 1 }})
	check(err)
	fmt.Printf("odd labels only, by list: %v, by function: %v\n", listed.Labels[:3], asked.Labels[:3])

	// Delete.
	gone := map[uint64]bool{}
	for cell := 0; cell < len(found.Labels); cell += found.K {
		if label := found.Labels[cell]; !gone[label] {
			check(index.MarkDeleted(label))
			gone[label] = true
		}
	}
	found, err = index.Query(queries, 10, options)
	check(err)
	again := 0
	for _, label := range found.Labels {
		if gone[label] {
			again++
		}
	}
	fmt.Printf("deleted %d, of them found: %d\n", len(gone), again)

	// Persist what changed, close, reopen.
	persisted, err := index.Persist()
	check(err)
	fmt.Printf("persisted %d: %d records, %d bytes\n", persisted.Generation, persisted.Records, persisted.Bytes)
	check(index.Close())
	index, err = hnx.Load(directory, hnx.LoadOptions{Metric: hnx.L2, Dim: dim})
	check(err)
	defer index.Close()
	reopened, err := index.Query(queries, 10, options)
	check(err)
	fmt.Printf("reopened, same answers: %v\n", fmt.Sprint(found.Labels) == fmt.Sprint(reopened.Labels))

	// An error.
	if err := index.MarkDeleted(123456789); errors.Is(err, hnx.ErrNotFound) {
		fmt.Println("caught:", err)
	}
}
