// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"fmt"
	"io"
	"math"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// progress logs how much of a model was fetched: at most one line per second, and none for a model
// that takes less than one.
type progress struct {
	log     io.Writer
	subject string
	total   int64 // -1 when unknown
	files   int
	most    int64 // bytes that a model may hold

	done, hits atomic.Int64

	once  sync.Once
	quit  chan struct{}
	ended chan struct{}
}

func newProgress(log io.Writer, subject string, objects []object, most int64) *progress {
	p := &progress{log: log, subject: subject, files: len(objects), most: most, quit: make(chan struct{}), ended: make(chan struct{})}
	for _, o := range objects {
		if o.size < 0 || p.total < 0 {
			p.total = -1
			break
		}
		p.total += min(o.size, math.MaxInt64-p.total)
	}
	go p.report()
	return p
}

// tooLarge is the error of a model of more than so many bytes.
type tooLarge int64

func (e tooLarge) Error() string {
	return "the model is larger than " + size(int64(e)) + ", the most that may be fetched here: see --max-size of serin-fetch"
}

// add counts bytes that arrived, and returns an error if they are too many: not every object states
// its size in advance.
func (p *progress) add(n int64) error {
	if p.done.Add(n) > p.most {
		return permanent(p.subject, tooLarge(p.most).Error())
	}
	return nil
}

// cached counts an object that was not downloaded.
func (p *progress) cached(blob string) error {
	info, err := os.Stat(blob)
	if err != nil {
		return err
	}
	p.hits.Add(1)
	return p.add(info.Size())
}

func (p *progress) report() {
	defer close(p.ended)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	var last int64
	for {
		select {
		case <-p.quit:
			return
		case <-tick.C:
		}
		if done := p.done.Load(); done != last {
			say(p.log, "%s: %s of %s, %s/s", p.subject, size(done), size(p.total), size(done-last))
			last = done
		}
	}
}

// stop ends the logging and waits for it. It may be called twice.
func (p *progress) stop() {
	p.once.Do(func() { close(p.quit) })
	<-p.ended
}

func (p *progress) summary(took time.Duration) {
	files := "files"
	if p.files == 1 {
		files = "file"
	}
	say(p.log, "fetched %s: %d %s, %s, in %.2f s, %d from the cache",
		p.subject, p.files, files, size(p.done.Load()), took.Seconds(), p.hits.Load())
}

// say writes a line to the log. It ignores errors: a broken log stops no fetch.
func say(log io.Writer, format string, args ...any) { _, _ = fmt.Fprintf(log, format+"\n", args...) }

// size formats a number of bytes.
func size(n int64) string {
	switch {
	case n < 0:
		return "unknown size"
	case n < 1<<10:
		return fmt.Sprintf("%d B", n)
	case n < 1<<20:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	case n < 1<<30:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
}
