// SPDX-License-Identifier: Apache-2.0

package pickle

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Global is a class or function that a file names. It is nothing but the name,
// unless it is one of the few that make plain values.
type Global struct {
	Module, Name string
	// call makes a plain value of arguments. It is nil for all names but those below.
	call func(m *machine, args Tuple) (any, error)
}

// plain has the names that make plain values: "module name", one entry for each
// module in which a version of Python, numpy or joblib has it. They are written in
// Go, below, in array.go and in dtype.go. Every other name is inert.
var plain = func() map[string]*Global {
	t := map[string]*Global{}
	add := func(name string, call func(*machine, Tuple) (any, error), modules ...string) {
		for _, module := range modules {
			t[module+" "+name] = &Global{module, name, call}
		}
	}
	add("bytes", newBytes, "__builtin__", "builtins")
	add("bytearray", newBytes, "__builtin__", "builtins")
	add("set", newSet, "__builtin__", "builtins")
	add("frozenset", newSet, "__builtin__", "builtins")
	add("OrderedDict", newDict, "collections")
	add("_reconstructor", reconstructObject, "copy_reg", "copyreg")
	add("encode", encodeBytes, "_codecs")
	add("dtype", newDtype, "numpy")
	add("_reconstruct", reconstructArray, "numpy.core.multiarray", "numpy._core.multiarray")
	add("scalar", newScalar, "numpy.core.multiarray", "numpy._core.multiarray")
	add("_frombuffer", arrayFromBuffer, "numpy.core.numeric", "numpy._core.numeric")
	return t
}()

// find returns what a name stands for.
func (m *machine) find(module, name string) (*Global, error) {
	if g, ok := plain[module+" "+name]; ok {
		return g, nil
	}
	if err := m.budget.Alloc(globalCost); err != nil {
		return nil, err
	}
	return &Global{Module: module, Name: name}, nil
}

// Is reports whether the global is a name of a module.
func (g *Global) Is(module, name string) bool { return g.Module == module && g.Name == name }

// Public is the name in the documentation of its package: the file's
// sklearn.svm._classes.SVC is scikit-learn's sklearn.svm.SVC.
func (g *Global) Public() string {
	parts := strings.Split(g.Module, ".")
	if i := slices.IndexFunc(parts, func(s string) bool { return strings.HasPrefix(s, "_") }); i > 0 && parts[0] == "sklearn" {
		parts = parts[:i]
	}
	return Quote(strings.Join(append(parts, g.Name), "."))
}

// Quote keeps a text from a file short and printable: the message may end in a
// terminal, a log or a status field.
func Quote(name string) string {
	const longest = 100
	clean := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, name[:min(len(name), 4*longest)])
	if len(clean) > longest {
		return clean[:longest] + "..."
	}
	return clean
}

// newBytes is bytes() and bytearray(), of nothing, bytes or Latin-1 text.
func newBytes(m *machine, args Tuple) (any, error) {
	if b, ok := at[Bytes](args, 0); ok && len(args) == 1 {
		return b, nil
	}
	if len(args) == 0 {
		return Bytes(nil), nil
	}
	return encodeBytes(m, args)
}

// encodeBytes decodes the bytes of protocols 0 to 2, which store them as Latin-1
// text.
func encodeBytes(m *machine, args Tuple) (any, error) {
	text, ok := at[string](args, 0)
	if encoding, _ := at[string](args, 1); !ok || encoding != "latin1" && encoding != "latin-1" {
		return nil, errors.New("bytes are not Latin-1 text")
	}
	if err := m.budget.Alloc(len(text)); err != nil {
		return nil, err
	}
	b := make(Bytes, 0, len(text))
	for _, r := range text {
		if r > 0xff {
			return nil, errors.New("bytes are not Latin-1 text")
		}
		b = append(b, byte(r))
	}
	return b, nil
}

// newSet is set() and frozenset(), of nothing or a list.
func newSet(m *machine, args Tuple) (any, error) {
	l, ok := at[*List](args, 0)
	if !ok {
		return &Set{}, nil
	}
	return &Set{slices.Clone(l.Items)}, m.budget.Alloc(slotCost * len(l.Items))
}

// newDict is OrderedDict(), of nothing or a list of pairs.
func newDict(m *machine, args Tuple) (any, error) {
	d := &Dict{}
	l, _ := at[*List](args, 0)
	if l == nil {
		return d, nil
	}
	for _, item := range l.Items {
		var key, value any
		switch pair := item.(type) {
		case Tuple:
			key, value = arg(pair, 0), arg(pair, 1)
		case *List:
			key, value = arg(pair.Items, 0), arg(pair.Items, 1)
		}
		if err := m.setItem(d, key, value); err != nil {
			return nil, err
		}
	}
	return d, m.budget.Work(len(l.Items))
}

// reconstructObject makes an instance, as protocols 0 and 1 do.
func reconstructObject(_ *machine, args Tuple) (any, error) {
	class, ok := at[*Global](args, 0)
	if !ok {
		return nil, fmt.Errorf("an instance is made of %s", Describe(arg(args, 0)))
	}
	return &Object{Class: class}, nil
}

func arg(args Tuple, i int) any {
	if i < len(args) {
		return args[i]
	}
	return nil
}

// at returns argument i if it is there and a T.
func at[T any](args Tuple, i int) (T, bool) {
	v, ok := arg(args, i).(T)
	return v, ok
}
