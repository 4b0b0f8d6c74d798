// SPDX-License-Identifier: Apache-2.0

package server

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

// The messages of inference.GRPCInferenceService: a message and its fields, numbered from 1, in each line.
const messages = `
ServerLiveRequest
ServerLiveResponse bool live
ServerReadyRequest
ServerReadyResponse bool ready
ServerMetadataRequest
ServerMetadataResponse string name, string version, string* extensions
ModelReadyRequest string name, string version
ModelReadyResponse bool ready
ModelMetadataRequest string name, string version
Signature string name, string datatype, int64* shape
ModelMetadataResponse string name, string* versions, string platform, Signature* inputs, Signature* outputs
RepositoryModelLoadRequest string model_name
RepositoryModelLoadResponse string model_name, bool isLoaded
RepositoryModelUnloadRequest string model_name
RepositoryModelUnloadResponse string model_name, bool isUnloaded
Value bool? bool_param, int64? int64_param, string? string_param
Parameter string key, Value value
Contents bool* bool_contents, int32* int_contents, int64* int64_contents, uint32* uint_contents, uint64* uint64_contents, float* fp32_contents, double* fp64_contents, bytes* bytes_contents
Tensor string name, string datatype, int64* shape, Parameter* parameters, Contents contents
RequestedOutput string name, Parameter* parameters
ModelInferRequest string model_name, string model_version, string id, Parameter* parameters, Tensor* inputs, RequestedOutput* outputs, bytes* raw_input_contents
ModelInferResponse string model_name, string model_version, string id, Parameter* parameters, Tensor* outputs, bytes* raw_output_contents
`

var inference = sync.OnceValue(func() protoreflect.MessageDescriptors {
	file := &descriptorpb.FileDescriptorProto{Name: new("inference.proto"), Package: new("inference"), Syntax: new("proto3")}
	for line := range strings.Lines(strings.TrimSpace(messages)) {
		name, list, _ := strings.Cut(strings.TrimSpace(line), " ")
		message := &descriptorpb.DescriptorProto{Name: &name}
		for i, each := range strings.Split(list, ", ") {
			if list != "" {
				message.Field = append(message.Field, fieldOf(each, int32(i+1), message))
			}
		}
		file.MessageType = append(file.MessageType, message)
	}
	built, err := protodesc.NewFile(file, nil)
	if err != nil {
		panic(err)
	}
	return built.Messages()
})

// fieldOf reads "TYPE NAME". After the type, * means repeated, and ? that it is known whether there is one.
func fieldOf(text string, number int32, of *descriptorpb.DescriptorProto) *descriptorpb.FieldDescriptorProto {
	typ, name, _ := strings.Cut(text, " ")
	f := &descriptorpb.FieldDescriptorProto{Name: &name, Number: &number, Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum()}
	if strings.HasSuffix(typ, "*") {
		f.Label = descriptorpb.FieldDescriptorProto_LABEL_REPEATED.Enum()
	}
	if strings.HasSuffix(typ, "?") {
		f.Proto3Optional, f.OneofIndex = new(true), new(int32(len(of.OneofDecl)))
		of.OneofDecl = append(of.OneofDecl, &descriptorpb.OneofDescriptorProto{Name: new("_" + name)})
	}
	typ = strings.TrimRight(typ, "*?")
	if kind, ok := descriptorpb.FieldDescriptorProto_Type_value["TYPE_"+strings.ToUpper(typ)]; ok {
		f.Type = descriptorpb.FieldDescriptorProto_Type(kind).Enum()
		return f
	}
	f.Type, f.TypeName = descriptorpb.FieldDescriptorProto_TYPE_MESSAGE.Enum(), new(".inference."+typ)
	return f
}

func messageOf(t *testing.T, name string) *dynamicpb.Message {
	t.Helper()
	d := inference().ByName(protoreflect.Name(name))
	if d == nil {
		t.Fatalf("there is no message %s", name)
	}
	return dynamicpb.NewMessage(d)
}

// encodeMessage makes a message of its JSON.
func encodeMessage(t *testing.T, name, text string) []byte {
	t.Helper()
	m := messageOf(t, name)
	if err := protojson.Unmarshal([]byte(text), m); err != nil {
		t.Fatal(fmt.Errorf("%s: %w", text, err))
	}
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// decodeMessage makes JSON of a message.
func decodeMessage(t *testing.T, name string, data []byte) string {
	t.Helper()
	m := messageOf(t, name)
	if err := proto.Unmarshal(data, m); err != nil {
		t.Fatal(err)
	}
	if unknown := m.GetUnknown(); len(unknown) > 0 {
		t.Errorf("%s has unknown fields %q", name, unknown)
	}
	text, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
