// SPDX-License-Identifier: Apache-2.0

// Package server answers predictions over HTTP with one model.
//
// New finds the one model file in a folder and loads it. The port is opened
// afterwards, so a server that can be reached can predict. A protocol is a file
// (v1.go, v2.go, and grpc.go on a port of its own): it reads a request into the frame of
// a batch as the model's schema wants it, asks the model, and writes the result. Requests
// reuse the memory of batches, and share a bound on it (memory.go). When its context
// ends, the server stops accepting, finishes the requests that it has, and returns.
//
// A model that another program runs (Config.Load) may take minutes to load. The port is
// open before then, and answers 503 with what takes so long (loading.go).
//
// It refuses to start without a model, with several, or with one for which it
// cannot compute exactly what its library would. It never writes, and reads
// nothing but that folder.
package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"runtime/debug"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/serin-dev/serin/internal/model/frame"
)

const (
	// DefaultMaxBytes bounds a request and its answer, in bytes.
	DefaultMaxBytes = 1 << 30
	// readTimeout ends requests that do not arrive: they would delay the shutdown.
	readTimeout = time.Minute
	// slowestBody is the queue's default for the lowest rate of a body, in bytes per second.
	slowestBody = 240
	// idleTimeout is how long KServe's server keeps a connection.
	idleTimeout = 65 * time.Second
)

// Config is the configuration of a server.
type Config struct {
	ModelName string
	ModelDir  string
	Host      string // address to listen on; empty means all
	Port      int
	MaxBytes  int64  // of a request, and of its answer; 0 is DefaultMaxBytes
	Revision  string // the model's version in V2; empty if it has none
	GRPCPort  int
	NoGRPC    bool // do not open GRPCPort
	Docs      bool // serve a page at /docs
	Proba     bool // predict probabilities, where the model has them
	Events    Events
	// Load loads a model that is not a file which the server reads itself.
	Load func(ctx context.Context, l Loading) (frame.Model, error)
	Log  *slog.Logger
}

// Server serves one loaded model.
type Server struct {
	name     string
	model    frame.Model
	schema   frame.Schema
	method   frame.Method // that requests ask for
	output   frame.Output // of that method
	labels   [][][]byte   // of what it answers, as JSON
	tensors  answers
	docs     bool
	events   Events
	log      *slog.Logger
	metrics  *metrics
	small    sync.Pool // of batches
	large    sync.Pool
	memory   *memory
	most     int64 // bytes of a request, and of an answer
	cell     int64 // bytes of a value in an answer
	draining atomic.Bool
}

// Run loads the model, listens and serves until ctx ends. It returns an error if
// the model does not load, the port is taken, or the program of a model ends.
func Run(ctx context.Context, cfg Config) error {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	s, err := loaded(ctx, cfg, fail)
	if err != nil {
		return err
	}
	if c, ok := s.model.(io.Closer); ok {
		defer func() { _ = c.Close() }()
	}
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", net.JoinHostPort(cfg.Host, strconv.Itoa(cfg.Port)))
	if err != nil {
		return err
	}
	if err := s.Serve(ctx, ln, listenGRPC(ctx, cfg)); err != nil {
		return err
	}
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// New loads the model. Its errors are sentences for the owner of the model; if ctx
// ends before, that is the error.
func New(ctx context.Context, cfg Config) (*Server, error) {
	model, err := loadModel(ctx, cfg.ModelDir)
	if err != nil {
		return nil, err
	}
	return of(model, cfg)
}

// of returns a server of a loaded model.
func of(model frame.Model, cfg Config) (*Server, error) {
	method := frame.Predict
	if _, ok := model.Output(frame.PredictProba); ok && cfg.Proba {
		method = frame.PredictProba
	}
	out, _ := model.Output(method)
	labels, err := encodeLabels(out)
	if err != nil {
		return nil, err
	}
	for _, remark := range model.Remarks() {
		cfg.Log.Warn(remark, "model", cfg.ModelName)
	}
	debug.FreeOSMemory() // loading takes more memory than the model
	most := cmp.Or(cfg.MaxBytes, DefaultMaxBytes)
	tensors := newAnswers(cfg, out, labels)
	return &Server{
		name:    cfg.ModelName,
		model:   model,
		schema:  model.Schema(),
		method:  method,
		output:  out,
		labels:  labels,
		tensors: tensors,
		docs:    cfg.Docs,
		events:  cfg.Events,
		log:     cfg.Log,
		metrics: newMetrics(cfg.ModelName),
		memory:  memoryFor(most),
		most:    most,
		cell:    cellBytes(labels, tensors.labels, tensors.raw),
	}, nil
}

// slowly returns the time that a body may take at the lowest rate that the queue
// allows.
func (s *Server) slowly(h *fasthttp.RequestHeader) fasthttp.RequestConfig {
	length := h.ContentLength()
	if length < 0 {
		length = int(s.most) // unknown
	}
	return fasthttp.RequestConfig{ReadTimeout: readTimeout + time.Duration(length)*time.Second/slowestBody}
}

// Serve answers requests on ln, and calls on grpc if that is not nil, until ctx ends and
// all requests that had begun are answered.
func (s *Server) Serve(ctx context.Context, ln, grpc net.Listener) error {
	stop := s.serveCalls(grpc)
	defer stop()
	srv := &fasthttp.Server{
		Handler:                      s.handle,
		ErrorHandler:                 refuse,
		ExpectHandler:                s.expect,
		MaxRequestBodySize:           int(s.most),
		StreamRequestBody:            true,
		ReadTimeout:                  readTimeout,
		HeaderReceived:               s.slowly,
		IdleTimeout:                  idleTimeout,
		TCPKeepalive:                 true,
		NoDefaultServerHeader:        true,
		NoDefaultContentType:         true,
		DisablePreParseMultipartForm: true,
		CloseOnShutdown:              true,
		Logger:                       discreet{s.log},
	}
	s.log.Info("serving", "model", s.name, "class", s.model.Class(), "address", ln.Addr().String())
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()
	select {
	case err := <-served:
		return fmt.Errorf("serve on %s: %w", ln.Addr(), err)
	case <-ctx.Done():
	}
	s.log.Info("draining", "model", s.name)
	s.draining.Store(true)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		stop()
	}()
	// Not ctx, which has ended. The read timeout bounds the wait.
	err := srv.ShutdownWithContext(context.WithoutCancel(ctx))
	<-stopped
	_ = ln.Close() // Shutdown closes ln only if Serve has begun
	return errors.Join(err, <-served)
}

// discreet logs fasthttp's messages, except errors that may quote requests.
type discreet struct{ log *slog.Logger }

// Printf implements fasthttp.Logger.
func (d discreet) Printf(format string, args ...any) {
	for i, a := range args {
		if err, ok := a.(error); ok {
			if _, ok := errors.AsType[*net.OpError](err); !ok {
				args[i] = "the request is not valid HTTP/1.1"
			}
		}
	}
	d.log.Warn(fmt.Sprintf(format, args...))
}
