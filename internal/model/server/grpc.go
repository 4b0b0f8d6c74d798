// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
)

// gRPC on net/http's HTTP/2, for calls of one message each way. google.golang.org/grpc
// would add 4.5 MB to the 13 MB that an idle server takes, and 7 MB to the program:
// https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md.

const (
	grpcType     = "application/grpc"
	grpcService  = "/inference.GRPCInferenceService/"
	grpcPrefix   = 5 // bytes before a message: whether it is compressed, and its length
	grpcShutdown = 30 * time.Second
)

// code is a status of gRPC.
type code int

const (
	canceled         code = 1
	invalidArgument  code = 3
	deadlineExceeded code = 4
	notFound         code = 5
	exhausted        code = 8
	precondition     code = 9
	unimplemented    code = 12
	internal         code = 13
	unavailable      code = 14
)

// statusError is an error with the status of a call.
type statusError struct {
	code    code
	message string
}

func (e *statusError) Error() string { return e.message }

func statusf(c code, format string, args ...any) error {
	return &statusError{c, fmt.Sprintf(format, args...)}
}

// listenGRPC opens the port for gRPC. HTTP works without it, so another program may
// have the port.
func listenGRPC(ctx context.Context, cfg Config) net.Listener {
	if cfg.NoGRPC {
		return nil
	}
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort(cfg.Host, strconv.Itoa(cfg.GRPCPort)))
	if err != nil {
		cfg.Log.Warn("clients of gRPC get no answer", "err", err)
		return nil
	}
	return ln
}

// serveCalls answers calls on ln until the returned function is called. It waits for
// those that had begun.
func (s *Server) serveCalls(ln net.Listener) (stop func()) {
	if ln == nil {
		return func() {}
	}
	srv := &http.Server{
		Handler:           http.HandlerFunc(s.call),
		Protocols:         new(http.Protocols),
		ReadHeaderTimeout: readTimeout,
		IdleTimeout:       idleTimeout,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	srv.Protocols.SetUnencryptedHTTP2(true)
	served := make(chan struct{})
	go func() {
		defer close(served)
		if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			s.log.Warn("clients of gRPC get no more answers", "err", err)
		}
	}()
	return sync.OnceFunc(func() {
		ctx, cancel := context.WithTimeout(context.Background(), grpcShutdown)
		defer cancel()
		if srv.Shutdown(ctx) != nil {
			_ = srv.Close()
		}
		<-served
	})
}

// call answers one call.
func (s *Server) call(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost || !strings.HasPrefix(r.Header.Get("Content-Type"), grpcType) {
		w.WriteHeader(http.StatusUnsupportedMediaType)
		return
	}
	n, zipped, err := s.announced(r)
	b := s.batch(n)
	defer s.recycle(b)
	ctx, cancel := withTimeout(r.Context(), r.Header.Get("Grpc-Timeout"))
	defer cancel()
	w.Header().Set("Content-Type", grpcType)
	b.out = append(b.out[:0], make([]byte, grpcPrefix)...)
	if err == nil {
		err = s.receive(b, r.Body, n, zipped)
	}
	if err == nil {
		err = s.answerCall(ctx, strings.TrimPrefix(r.URL.Path, grpcService), b)
	}
	if err != nil {
		status := statusOf(ctx, err)
		w.Header().Set("Grpc-Accept-Encoding", "gzip")
		w.Header().Set("Grpc-Status", strconv.Itoa(int(status.code)))
		w.Header().Set("Grpc-Message", percent(status.message))
		w.WriteHeader(http.StatusOK)
		return
	}
	w.Header().Set("Trailer", "Grpc-Status")
	binary.BigEndian.PutUint32(b.out[1:], uint32(len(b.out)-grpcPrefix))
	_, _ = w.Write(b.out)
	w.Header().Set("Grpc-Status", "0")
}

// withTimeout returns a context that ends after the timeout of a call, such as 100m.
func withTimeout(ctx context.Context, timeout string) (context.Context, context.CancelFunc) {
	units := map[byte]time.Duration{'H': time.Hour, 'M': time.Minute, 'S': time.Second, 'm': time.Millisecond, 'u': time.Microsecond, 'n': time.Nanosecond}
	if timeout == "" || len(timeout) > 9 {
		return context.WithCancel(ctx)
	}
	n, err := strconv.ParseUint(timeout[:len(timeout)-1], 10, 32)
	unit := units[timeout[len(timeout)-1]]
	if err != nil || unit == 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, time.Duration(n)*unit)
}

// statusOf returns the status of an error.
func statusOf(ctx context.Context, err error) *statusError {
	if e, ok := errors.AsType[*statusError](err); ok {
		return e
	}
	if r, ok := errors.AsType[*refusal](err); ok {
		switch r.status {
		case http.StatusRequestEntityTooLarge:
			return &statusError{exhausted, r.message}
		case http.StatusServiceUnavailable:
			return &statusError{unavailable, r.message}
		}
		return &statusError{invalidArgument, r.message}
	}
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return &statusError{deadlineExceeded, "The deadline of the call passed."}
	case ctx.Err() != nil:
		return &statusError{canceled, "The client canceled the call."}
	}
	return &statusError{invalidArgument, err.Error()}
}

// percent encodes the message of a status.
func percent(message string) string {
	var out strings.Builder
	for i := range len(message) {
		if c := message[i]; c < ' ' || c > '~' || c == '%' {
			fmt.Fprintf(&out, "%%%02X", c)
		} else {
			out.WriteByte(c)
		}
	}
	return out.String()
}

// announced reads what comes before the message of a call: its length, and whether it is compressed.
func (s *Server) announced(r *http.Request) (length int, zipped bool, err error) {
	var prefix [grpcPrefix]byte
	if _, err := io.ReadFull(r.Body, prefix[:]); err != nil {
		return 0, false, statusf(invalidArgument, "The call has no message.")
	}
	n, zipped := int64(binary.BigEndian.Uint32(prefix[1:])), prefix[0] != 0
	switch {
	case n > s.most:
		return 0, false, s.tooLarge()
	case zipped && r.Header.Get("Grpc-Encoding") != "gzip":
		return 0, false, statusf(unimplemented, "The message's grpc-encoding is not supported: send gzip, or identity.")
	}
	return int(n), zipped, nil
}

// receive reads a message into b.body.
func (s *Server) receive(b *batch, r io.Reader, length int, zipped bool) error {
	if err := b.share.reserve(expected(int64(length), zipped)); err != nil {
		return err
	}
	b.body = b.body[:0]
	if zipped {
		return b.gunzip(io.LimitReader(r, int64(length)), s.most)
	}
	err := b.readFull(r, length)
	if _, ok := errors.AsType[*refusal](err); ok || err == nil {
		return err
	}
	return statusf(invalidArgument, "The message ends too early.")
}

// answerCall appends the answer to a method to b.out.
func (s *Server) answerCall(ctx context.Context, method string, b *batch) error {
	switch method {
	case "ServerLive":
		b.out = appendBool(b.out, 1, true)
	case "ServerReady":
		b.out = appendBool(b.out, 1, !s.draining.Load())
	case "ServerMetadata":
		b.out = appendField(appendField(appendField(b.out, 1, serverName), 2, serverVersion()), 3, extension)
	case "ModelInfer":
		return s.inferCall(ctx, b)
	case "ModelReady", "ModelMetadata", "RepositoryModelLoad", "RepositoryModelUnload":
		return s.modelCall(method, b)
	default:
		return statusf(unimplemented, "The method %s does not exist. There are ServerLive, ServerReady, ServerMetadata, ModelReady, ModelMetadata and ModelInfer of inference.GRPCInferenceService.", strings.ToValidUTF8(short(method), "?"))
	}
	return nil
}

// modelCall answers a call about a model.
func (s *Server) modelCall(method string, b *batch) error {
	name, version, err := modelMessage(b.body)
	if err == nil {
		err = s.known(name, version)
	}
	if err != nil {
		return err
	}
	switch method {
	case "ModelReady":
		b.out = appendBool(b.out, 1, !s.draining.Load())
	case "ModelMetadata":
		b.out = s.appendMetadata(b.out)
	case "RepositoryModelLoad":
		b.out = appendBool(appendField(b.out, 1, s.name), 2, true)
	default:
		return statusf(precondition, "This server does not unload its model: delete the InferenceService.")
	}
	return nil
}

// known returns the error of a model, or version, that there is not.
func (s *Server) known(name, version string) error {
	switch {
	case name != s.name:
		return statusf(notFound, "Model with name %s does not exist.", name)
	case version != "" && version != s.tensors.version:
		return statusf(notFound, "%s", s.noVersion(version))
	}
	return nil
}

// inferCall answers a prediction.
func (s *Server) inferCall(ctx context.Context, b *batch) error {
	times := stopwatch{time.Now()}
	r, err := b.inferMessage(b.body)
	if e := s.known(r.model, r.version); e != nil && (err == nil || r.model != "" && !errors.Is(err, errWire)) {
		return e // unless the message is wrong before its model
	}
	if err == nil {
		err = b.fill(r.contentType == "pd")
	}
	if err != nil {
		return err
	}
	times.lap(s.metrics.preprocess)
	if status, err := s.ask(ctx.Err, b); err != nil {
		if status == http.StatusInternalServerError && ctx.Err() == nil {
			return statusf(internal, "%s", err)
		}
		return err
	}
	times.lap(s.metrics.predict)
	if r.id == "" {
		r.id = uuid.NewString()
	}
	b.out = s.appendResponse(b.out, b, r.call)
	times.lap(s.metrics.postprocess)
	return nil
}

// modelMessage reads the name and version, of the messages that have these fields.
func modelMessage(data []byte) (name, version string, err error) {
	err = fields(data, func(f field) (err error) {
		switch f.number {
		case 1:
			name, err = f.text()
		case 2:
			version, err = f.text()
		}
		return err
	})
	return strings.Clone(name), strings.Clone(version), err
}
