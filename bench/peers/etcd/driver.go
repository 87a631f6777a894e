// Load driver for etcd, through its own Go client and its concurrency package: the same work, shapes
// and report as bench/load/driver.ts does for Holdfast. Not a part of the product; bench/main.ts
// builds and starts it when Debian's golang-etcd-server-dev is on the machine.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/etcd/clientv3"
	"go.etcd.io/etcd/clientv3/concurrency"
	"go.uber.org/zap"
)

var (
	endpoints   = flag.String("endpoints", "", "comma-separated host:port")
	workload    = flag.String("workload", "", "put, get, lock-cycle or hand-over")
	workers     = flag.Int("workers", 1, "concurrent workers")
	connections = flag.Int("connections", 1, "connections that the workers share")
	warmUpMs    = flag.Int("warm-up-ms", 500, "not counted")
	measureMs   = flag.Int("measure-ms", 3000, "counted")
	valueBytes  = flag.Int("value-bytes", 32, "size of a value")
	run         = fmt.Sprint(os.Getpid())
	sessionTTL  = 60
)

type report struct {
	Operations int64   `json:"operations"`
	Seconds    float64 `json:"seconds"`
	PerSecond  float64 `json:"perSecond"`
	P50Ms      float64 `json:"p50Ms"`
	P99Ms      float64 `json:"p99Ms"`
	Errors     int64   `json:"errors"`
}

func dial() []*clientv3.Client {
	clients := make([]*clientv3.Client, *connections)
	all := strings.Split(*endpoints, ",")
	for i := range clients {
		client, err := clientv3.New(clientv3.Config{
			Endpoints:   []string{all[i%len(all)]},
			DialTimeout: 5 * time.Second,
			LogConfig:   &zap.Config{Level: zap.NewAtomicLevelAt(zap.FatalLevel), Encoding: "json"},
		})
		if err != nil {
			log.Fatal(err)
		}
		clients[i] = client
	}
	return clients
}

func newSession(client *clientv3.Client) *concurrency.Session {
	session, err := concurrency.NewSession(client, concurrency.WithTTL(sessionTTL))
	if err != nil {
		log.Fatal(err)
	}
	return session
}

// One operation of worker w on its connection; sessions are made before the clock starts.
func operations(clients []*clientv3.Client) func(w int) func(ctx context.Context) error {
	value := strings.Repeat("v", *valueBytes)
	sessions := make([]*concurrency.Session, len(clients))
	if *workload == "lock-cycle" {
		for i, client := range clients {
			sessions[i] = newSession(client)
		}
	}
	return func(w int) func(ctx context.Context) error {
		client := clients[w%len(clients)]
		key := fmt.Sprintf("bench/%s/%s/%d", run, *workload, w)
		switch *workload {
		case "put":
			return func(ctx context.Context) error {
				_, err := client.Put(ctx, key, value)
				return err
			}
		case "get":
			if _, err := client.Put(context.Background(), key, value); err != nil {
				log.Fatal(err)
			}
			return func(ctx context.Context) error {
				_, err := client.Get(ctx, key)
				return err
			}
		case "lock-cycle":
			mutex := concurrency.NewMutex(sessions[w%len(clients)], key)
			return cycle(mutex)
		case "hand-over":
			return cycle(concurrency.NewMutex(newSession(client), "bench/hot/"+run))
		}
		log.Fatalf("unknown workload %q", *workload)
		return nil
	}
}

func cycle(mutex *concurrency.Mutex) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		if err := mutex.Lock(ctx); err != nil {
			return err
		}
		return mutex.Unlock(ctx)
	}
}

func percentile(sorted []float64, p float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	at := int(p * float64(len(sorted)))
	if at >= len(sorted) {
		at = len(sorted) - 1
	}
	return sorted[at]
}

func main() {
	flag.Parse()
	clients := dial()
	prepare := operations(clients)
	work := make([]func(ctx context.Context) error, *workers)
	for w := range work {
		work[w] = prepare(w)
	}
	ctx, stop := context.WithCancel(context.Background())
	var counting atomic.Bool
	var errors atomic.Int64
	latencies := make([][]float64, *workers)
	var done sync.WaitGroup
	for w := range work {
		done.Add(1)
		go func(w int) {
			defer done.Done()
			for ctx.Err() == nil {
				begun := time.Now()
				err := work[w](ctx)
				if ctx.Err() != nil {
					return
				}
				if err != nil {
					errors.Add(1)
				} else if counting.Load() {
					latencies[w] = append(latencies[w], float64(time.Since(begun).Nanoseconds())/1e6)
				}
			}
		}(w)
	}
	time.Sleep(time.Duration(*warmUpMs) * time.Millisecond)
	counting.Store(true)
	begun := time.Now()
	time.Sleep(time.Duration(*measureMs) * time.Millisecond)
	counting.Store(false)
	seconds := time.Since(begun).Seconds()
	stop()
	done.Wait()
	var all []float64
	for _, list := range latencies {
		all = append(all, list...)
	}
	sort.Float64s(all)
	json.NewEncoder(os.Stdout).Encode(report{
		Operations: int64(len(all)),
		Seconds:    seconds,
		PerSecond:  float64(len(all)) / seconds,
		P50Ms:      percentile(all, 0.50),
		P99Ms:      percentile(all, 0.99),
		Errors:     errors.Load(),
	})
}
