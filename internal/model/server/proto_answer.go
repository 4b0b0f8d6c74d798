// SPDX-License-Identifier: Apache-2.0

package server

import (
	"encoding/binary"

	"google.golang.org/protobuf/encoding/protowire"
)

// The answers of inference.GRPCInferenceService.

// appendContents writes the binary form of values as InferTensorContents.
func appendContents(dst []byte, d *datatype, raw []byte) []byte {
	number, kind := d.contentsOf()
	switch {
	case d.kind == texts:
		for len(raw) > 0 {
			n := 4 + binary.LittleEndian.Uint32(raw)
			dst = protowire.AppendBytes(protowire.AppendTag(dst, number, kind), raw[4:n])
			raw = raw[n:]
		}
		return dst
	case kind != protowire.VarintType || d.kind == truths: // the same bytes
		return protowire.AppendBytes(protowire.AppendTag(dst, number, protowire.BytesType), raw)
	}
	size := 0
	for i := 0; i < len(raw); i += d.size {
		size += protowire.SizeVarint(d.extend(d.load(raw[i:])))
	}
	dst = protowire.AppendVarint(protowire.AppendTag(dst, number, protowire.BytesType), uint64(size))
	for i := 0; i < len(raw); i += d.size {
		dst = protowire.AppendVarint(dst, d.extend(d.load(raw[i:])))
	}
	return dst
}

// appendMetadata writes a ModelMetadataResponse.
func (s *Server) appendMetadata(dst []byte) []byte {
	dst = appendField(appendField(dst, 1, s.name), 2, s.tensors.version)
	inputs, outputs := s.signatures()
	for _, input := range inputs {
		dst = protowire.AppendBytes(protowire.AppendTag(dst, 4, protowire.BytesType), appendSignature(nil, input))
	}
	for _, output := range outputs {
		dst = protowire.AppendBytes(protowire.AppendTag(dst, 5, protowire.BytesType), appendSignature(nil, output))
	}
	return dst
}

// appendField writes a string field, unless it is empty.
func appendField(dst []byte, number protowire.Number, s string) []byte {
	if s == "" {
		return dst
	}
	return protowire.AppendString(protowire.AppendTag(dst, number, protowire.BytesType), s)
}

// appendBool writes a bool field.
func appendBool(dst []byte, number protowire.Number, v bool) []byte {
	if !v {
		return dst
	}
	return protowire.AppendVarint(protowire.AppendTag(dst, number, protowire.VarintType), 1)
}

// appendSignature writes the name, datatype and shape of a tensor.
func appendSignature(dst []byte, s signature) []byte {
	dst = appendField(appendField(dst, 1, s.Name), 2, s.Datatype)
	for _, d := range s.Shape {
		dst = protowire.AppendVarint(protowire.AppendTag(dst, 3, protowire.VarintType), uint64(d))
	}
	return dst
}

// appendResponse writes a ModelInferResponse with the result of b.
func (s *Server) appendResponse(dst []byte, b *batch, c call) []byte {
	d := datatypeFor(b.result.Output.Type)
	shape := []int64{int64(b.result.Rows)}
	if !b.result.Output.Flat {
		shape = append(shape, int64(b.result.Output.Width))
	}
	b.raw = appendRaw(b.raw[:0], &b.result, b.tensors.raw)
	dst = appendField(appendField(appendField(dst, 1, s.name), 2, s.tensors.version), 3, c.id)
	output := appendSignature(nil, signature{outputName, d.name, shape})
	if c.binary {
		size := protowire.AppendVarint(protowire.AppendTag(nil, 2, protowire.VarintType), uint64(len(b.raw)))
		parameter := protowire.AppendBytes(protowire.AppendTag(appendField(nil, 1, "binary_data_size"), 2, protowire.BytesType), size)
		output = protowire.AppendBytes(protowire.AppendTag(output, 4, protowire.BytesType), parameter)
		dst = protowire.AppendBytes(protowire.AppendTag(dst, 5, protowire.BytesType), output)
		return protowire.AppendBytes(protowire.AppendTag(dst, 6, protowire.BytesType), b.raw)
	}
	contents := appendContents(nil, d, b.raw)
	output = protowire.AppendBytes(protowire.AppendTag(output, 5, protowire.BytesType), contents)
	return protowire.AppendBytes(protowire.AppendTag(dst, 5, protowire.BytesType), output)
}
