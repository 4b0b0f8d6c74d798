// SPDX-License-Identifier: Apache-2.0

// Package corpus hands out, in tests, models that scikit-learn, XGBoost and
// LightGBM saved, and what these libraries answer for rows like a client's.
//
// The scripts in the folder train write the cases, and testdata/KIND.tar.bz2 holds
// those of one kind of estimator for all versions. The package reads the archives
// and compares answers. It loads no model: that is the tests' part.
package corpus

import (
	"archive/tar"
	"bytes"
	"compress/bzip2"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"testing"
)

//go:embed testdata
var archives embed.FS

// Kinds are the kinds of estimators, by the code that answers for them.
var Kinds = []string{"linear", "svm", "trees", "bayes", "neighbours", "mlp", "cluster", "columns", "text", "meta", "odd", "files", "skops", "xgboost", "lightgbm"}

// Case is a model file and what its library answers.
type Case struct {
	Kind, Name string
	Version    string // of scikit-learn
	Library    string // and version, if another library saved the file: "xgboost 2.1.4"
	Class      string // that the case is about
	File       string // whose suffix tells the format
	Data       []byte
	Input      *Input
	Classes    [][]any           // one list for each output; empty if the model has none
	Answers    map[string]Answer // by method; none if the library refuses to answer
}

// Path names a case without its version.
func (c *Case) Path() string { return c.Kind + "/" + c.Name }

// Cases returns the cases of one kind, ordered by version and name. With -short, as
// under the race detector, it returns those of the newest scikit-learn.
func Cases(tb testing.TB, kind string) []Case {
	tb.Helper()
	data, err := archives.ReadFile("testdata/" + kind + ".tar.bz2")
	if err != nil {
		tb.Fatal(err)
	}
	files, err := unpack(data)
	if err != nil {
		tb.Fatalf("%s: %v", kind, err)
	}
	inputs := map[string]*Input{}
	var cases []Case
	last := newest(files)
	for name, data := range files {
		folder, file := path.Split(name)
		switch {
		case folder == "inputs/":
			in := &Input{}
			if err := in.parse(data); err != nil {
				tb.Fatalf("%s/%s: %v", kind, name, err)
			}
			inputs[strings.TrimSuffix(file, ".json")] = in
		case testing.Short() && path.Clean(folder) != last:
		case strings.HasSuffix(file, ".case.json"):
			c := Case{Kind: kind, Version: path.Clean(folder), Name: strings.TrimSuffix(file, ".case.json")}
			if err := c.parse(data); err != nil {
				tb.Fatalf("%s/%s: %v", kind, name, err)
			}
			c.Data = files[folder+c.File]
			cases = append(cases, c)
		}
	}
	for i := range cases {
		c := &cases[i]
		if c.Input = inputs[c.Input.Name]; c.Input == nil || c.Data == nil {
			tb.Fatalf("%s of %s lacks its input or its file", c.Path(), c.Version)
		}
	}
	slices.SortFunc(cases, func(a, b Case) int {
		if n := Compare(a.Version, b.Version); n != 0 {
			return n
		}
		return strings.Compare(a.Name, b.Name)
	})
	return cases
}

// newest returns the newest version of files in folders by version.
func newest(files map[string][]byte) string {
	last := ""
	for name := range files {
		if folder := path.Dir(name); Compare(folder, last) > 0 {
			last = folder
		}
	}
	return last
}

// Compare orders versions.
func Compare(a, b string) int {
	number := func(v string) []int {
		var n [3]int
		_, _ = fmt.Sscanf(v, "%d.%d.%d", &n[0], &n[1], &n[2]) // what is missing is 0
		return n[:]
	}
	return slices.Compare(number(a), number(b))
}

func unpack(data []byte) (map[string][]byte, error) {
	files := map[string][]byte{}
	for r := tar.NewReader(bzip2.NewReader(bytes.NewReader(data))); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			return nil, err
		}
		if files[header.Name], err = io.ReadAll(r); err != nil {
			return nil, err
		}
	}
}

// exact decodes JSON without rounding its numbers.
func exact(data []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	return d.Decode(v)
}

func (c *Case) parse(data []byte) error {
	var in struct {
		Class, File, Inputs, Library string
		Classes                      []any
		Outputs                      map[string]Answer
	}
	if err := exact(data, &in); err != nil {
		return err
	}
	c.Class, c.File, c.Library, c.Answers = in.Class, in.File, in.Library, in.Outputs
	c.Input = &Input{Name: in.Inputs}
	for _, one := range in.Classes {
		if list, ok := one.([]any); ok {
			c.Classes = append(c.Classes, plain(list, ""))
		}
	}
	if len(c.Classes) == 0 && len(in.Classes) > 0 {
		c.Classes = [][]any{plain(in.Classes, "")}
	}
	for name, a := range c.Answers {
		a.plain()
		c.Answers[name] = a
	}
	return nil
}
