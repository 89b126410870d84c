// See bench.c.
package main

import (
	"encoding/binary"
	"fmt"
	"log"
	"math"
	"os"
	"strconv"
	"syscall"
	"time"

	"libhnx.example/hnx"
)

func cpu() int64 {
	var usage syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return usage.Utime.Nano() + usage.Stime.Nano()
}

func main() {
	dim, _ := strconv.Atoi(os.Args[3])
	data, err := os.ReadFile(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	queries := make([]float32, len(data)/4)
	for i := range queries {
		queries[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
	}
	index, err := hnx.Load(os.Args[1], hnx.LoadOptions{Dim: dim})
	if err != nil {
		log.Fatal(err)
	}
	options := &hnx.QueryOptions{Ef: 80, Threads: 1}
	var what string
	var times int
	var sum uint64
	for {
		if n, _ := fmt.Scan(&what, &times); n != 2 {
			return
		}
		wall, used := time.Now(), cpu()
		for i := 0; i < times; i++ {
			from := queries
			if what == "single" {
				from = queries[i%1000*dim : (i%1000+1)*dim]
			}
			result, err := index.Query(from, 10, options)
			if err != nil {
				log.Fatal(err)
			}
			sum += result.Labels[0]
		}
		fmt.Println(time.Since(wall).Nanoseconds()/int64(times), (cpu()-used)/int64(times), sum)
	}
}
