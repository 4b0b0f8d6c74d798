// SPDX-License-Identifier: Apache-2.0

// Package skops reads the values of .skops files: a zip with a tree of values in
// schema.json, and arrays beside it. See https://skops.readthedocs.io.
//
// The values are those of package pickle, and as inert: nothing that a file names is
// imported or called. What the package does not know becomes an object without
// attributes, and only reading it is an error.
package skops

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/serin-dev/serin/internal/model/budget"
	"github.com/serin-dev/serin/internal/model/pickle"
)

const (
	protocol = 2 // of skops
	// maxDepth bounds the nesting of values, of which an estimator in another is three.
	maxDepth  = 64
	slotCost  = 64  // of a value
	nodeCost  = 512 // of a file in the zip, or an object
	copies    = 3   // of the JSON of a value, while it is read
	stepBytes = 16  // of JSON that one step reads
)

// node is a value in schema.json.
type node struct {
	Class    string          `json:"__class__"`
	Module   string          `json:"__module__"`
	Loader   string          `json:"__loader__"`
	Content  json.RawMessage `json:"content"`
	KeyTypes struct {
		Content []keyType `json:"content"`
	} `json:"key_types"`
	Type   string          `json:"type"`
	File   string          `json:"file"`
	Shape  json.RawMessage `json:"shape"`
	Reduce struct {
		Args json.RawMessage `json:"args"`
	} `json:"__reduce__"`
	Protocol int `json:"protocol"`
}

// keyType is the type of a key of a dict.
type keyType struct {
	Class string `json:"__class__"`
}

// reader reads the values of one file.
type reader struct {
	*budget.Budget
	files map[string]*zip.File
	depth int
}

// Read returns the value of a file of size bytes, and the budget that is left for what
// is made of it. An error that is budget.ErrMemory means that a larger limits.Memory
// would do.
func Read(in io.Reader, size int64, limits budget.Limits) (any, *budget.Budget, error) {
	data, b, err := budget.Read(in, size, limits)
	if err != nil {
		return nil, nil, err
	}
	archive, err := zip.NewReader(bytes.NewReader(data), size)
	if err != nil {
		return nil, nil, errors.New("the file is no zip, as skops writes: it is damaged, or has another suffix")
	}
	if err := b.Alloc(nodeCost * len(archive.File)); err != nil {
		return nil, nil, err
	}
	r := &reader{Budget: b, files: map[string]*zip.File{}}
	for _, f := range archive.File {
		r.files[f.Name] = f
	}
	schema, err := r.file("schema.json")
	if err != nil {
		return nil, nil, err
	}
	var root node
	if err := r.decode(schema, &root); err != nil {
		return nil, nil, err
	}
	if root.Protocol != protocol {
		return nil, nil, fmt.Errorf("skops' protocol %d is not supported, only %d: save the model with a newer skops", root.Protocol, protocol)
	}
	v, err := r.value(&root)
	r.Release(len(schema))
	return v, b, err
}

// file reads a file of the zip.
func (r *reader) file(name string) ([]byte, error) {
	f := r.files[name]
	if f == nil {
		return nil, fmt.Errorf("the file has no %s: it is damaged, or no skops file", pickle.Quote(name))
	}
	const most = 1 << 40
	size := int64(min(f.UncompressedSize64, most))
	if err := r.Alloc(int(size)); err != nil {
		return nil, err
	}
	in, err := f.Open()
	if err != nil {
		return nil, errZip(name, err)
	}
	data := make([]byte, size)
	for rest := data; len(rest) > 0; {
		n, err := io.ReadFull(in, rest[:min(len(rest), 1<<20)])
		if err != nil {
			return nil, errZip(name, err)
		}
		if err := r.Poll(n); err != nil {
			return nil, err
		}
		rest = rest[n:]
	}
	switch _, err := io.ReadFull(in, make([]byte, 1)); { // which checks the sum
	case err == nil:
		return nil, errZip(name, zip.ErrFormat)
	case !errors.Is(err, io.EOF):
		return nil, errZip(name, err)
	}
	return data, errors.Join(r.Consume(int(size)), in.Close())
}

func errZip(name string, err error) error {
	return fmt.Errorf("unzip %s: %w", pickle.Quote(name), err)
}

// decode reads JSON.
func (r *reader) decode(data []byte, into any) error {
	if err := r.Work(1 + len(data)/stepBytes); err != nil {
		return err
	}
	if err := json.Unmarshal(data, into); err != nil {
		return errSchema
	}
	return nil
}

var errSchema = errors.New("schema.json is not what skops writes: the file is damaged")
