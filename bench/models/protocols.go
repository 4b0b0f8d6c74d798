// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"strconv"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protowire"
)

// protocol is a way to ask a server of models.
type protocol struct {
	name string
	// request makes the bytes of a request, and the length of its JSON if more follows.
	request func(rows [][]float64) (body []byte, jsonLength int)
	path    string // empty for gRPC
	// answers reads the predictions.
	answers func(body []byte) ([]float64, error)
	lacks   string // the server that has no such protocol
}

var protocols = []protocol{
	{"V1", v1, "/v1/models/m:predict", v1Answers, mlserver},
	{"V2", v2, "/v2/models/m/infer", v2Answers, ""},
	{"V2 binary", v2Binary, "/v2/models/m/infer", v2Answers, mlserver},
	{"gRPC", v2Proto, "", protoAnswers, ""},
}

// ask sends a request and returns the answer's body.
func (s *server) ask(ctx context.Context, p *protocol, body []byte, jsonLength int) ([]byte, error) {
	if p.path == "" {
		var out []byte
		const most = 1 << 26
		err := s.grpc.Invoke(ctx, "/inference.GRPCInferenceService/ModelInfer", &body, &out, grpc.ForceCodec(codec{}), grpc.MaxCallRecvMsgSize(most))
		return out, err
	}
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+s.http+p.path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	q.Header.Set("Content-Type", "application/json")
	if jsonLength > 0 {
		q.Header.Set("Content-Type", "application/octet-stream")
		q.Header.Set("Inference-Header-Content-Length", strconv.Itoa(jsonLength))
	}
	a, err := s.client.Do(q)
	if err != nil {
		return nil, err
	}
	defer a.Body.Close()
	out, err := io.ReadAll(a.Body)
	if err == nil && a.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", a.Status, lastLines(string(out)))
	}
	return out, err
}

func v1(rows [][]float64) ([]byte, int) {
	body, err := json.Marshal(map[string]any{"instances": rows})
	if err != nil {
		panic(err) // our rows hold numbers
	}
	return body, 0
}

func v1Answers(body []byte) ([]float64, error) {
	var a struct{ Predictions []float64 }
	return a.Predictions, json.Unmarshal(body, &a)
}

// tensor is the JSON of the only input of a request.
func tensor(rows [][]float64, more map[string]any) []byte {
	input := map[string]any{"name": "input-0", "shape": []int{len(rows), len(rows[0])}, "datatype": "FP64"}
	maps.Copy(input, more)
	body, err := json.Marshal(map[string]any{"inputs": []any{input}})
	if err != nil {
		panic(err) // our rows hold numbers
	}
	return body
}

func v2(rows [][]float64) ([]byte, int) {
	var data []float64
	for _, row := range rows {
		data = append(data, row...)
	}
	return tensor(rows, map[string]any{"data": data}), 0
}

func v2Binary(rows [][]float64) ([]byte, int) {
	data := littleEndian(rows)
	body := tensor(rows, map[string]any{"parameters": map[string]any{"binary_data_size": len(data)}})
	return append(body, data...), len(body)
}

func littleEndian(rows [][]float64) []byte {
	var data []byte
	for _, row := range rows {
		for _, v := range row {
			data = binary.LittleEndian.AppendUint64(data, math.Float64bits(v))
		}
	}
	return data
}

func v2Answers(body []byte) ([]float64, error) {
	var a struct{ Outputs []struct{ Data []float64 } }
	if err := json.Unmarshal(body, &a); err != nil {
		return nil, err
	}
	if len(a.Outputs) != 1 {
		return nil, fmt.Errorf("%d outputs", len(a.Outputs))
	}
	return a.Outputs[0].Data, nil
}

// v2Proto is a ModelInferRequest with raw contents.
func v2Proto(rows [][]float64) ([]byte, int) {
	field := func(to []byte, number protowire.Number, value []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(to, number, protowire.BytesType), value)
	}
	shape := protowire.AppendVarint(protowire.AppendVarint(nil, uint64(len(rows))), uint64(len(rows[0])))
	input := field(field(field(nil, 1, []byte("input-0")), 2, []byte("FP64")), 3, shape)
	return field(field(field(nil, 1, []byte("m")), 5, input), 7, littleEndian(rows)), 0
}

// protoAnswers reads the only output of a ModelInferResponse, whose integers may lie in
// its contents or beside it.
func protoAnswers(body []byte) ([]float64, error) {
	var out []float64
	for raw := lastField(body, 6); len(raw) >= 8; raw = raw[8:] {
		out = append(out, float64(int64(binary.LittleEndian.Uint64(raw))))
	}
	for packed := lastField(lastField(lastField(body, 5), 5), 3); len(packed) > 0; {
		v, n := protowire.ConsumeVarint(packed)
		if n < 0 {
			return nil, protowire.ParseError(n)
		}
		out, packed = append(out, float64(int64(v))), packed[n:]
	}
	return out, nil
}

// lastField returns the bytes of the last field of a number.
func lastField(message []byte, number protowire.Number) []byte {
	var found []byte
	for len(message) > 0 {
		num, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return nil
		}
		size := protowire.ConsumeFieldValue(num, kind, message[n:])
		if size < 0 {
			return nil
		}
		if num == number && kind == protowire.BytesType {
			found, _ = protowire.ConsumeBytes(message[n:])
		}
		message = message[n+size:]
	}
	return found
}

// codec passes the bytes of messages on.
type codec struct{}

func (codec) Marshal(v any) ([]byte, error)      { return *v.(*[]byte), nil }
func (codec) Unmarshal(data []byte, v any) error { *v.(*[]byte) = bytes.Clone(data); return nil }
func (codec) Name() string                       { return "proto" }
