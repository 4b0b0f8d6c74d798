// SPDX-License-Identifier: Apache-2.0

package sklearn

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// global is a class or function that a file may name.
type global struct {
	name string
	// call implements a call; nil if it may not be called.
	call func(m *machine, args tuple) (any, error)
	// class reports whether it may have instances.
	class bool
}

// refusal is the error of a file that is intact but not allowed. Its message is
// shown without a prefix.
type refusal struct{ message string }

func (r *refusal) Error() string { return r.message }

// globals has every name that a file may mention, as "module name": one entry for
// each module in which a version of scikit-learn or numpy has it.
var globals = func() map[string]*global {
	t := map[string]*global{}
	add := func(name string, g global, modules ...string) {
		for _, module := range modules {
			named := g
			named.name = module + "." + name
			t[module+" "+name] = &named
		}
	}
	add("object", global{}, "__builtin__", "builtins")
	add("bytes", global{call: emptyBytes}, "__builtin__", "builtins")
	add("_reconstructor", global{call: reconstructObject}, "copy_reg", "copyreg")
	add("encode", global{call: encodeBytes}, "_codecs")

	add("ndarray", global{}, "numpy")
	add("dtype", global{call: newDtype}, "numpy")
	add("_reconstruct", global{call: reconstructArray}, "numpy.core.multiarray", "numpy._core.multiarray")
	add("scalar", global{call: newScalar}, "numpy.core.multiarray", "numpy._core.multiarray")
	add("_frombuffer", global{call: arrayFromBuffer}, "numpy.core.numeric", "numpy._core.numeric")
	add("NumpyArrayWrapper", global{class: true}, "joblib.numpy_pickle", "sklearn.externals.joblib.numpy_pickle")

	// Random states are carried along and never used.
	add("__randomstate_ctor", global{class: true}, "numpy.random._pickle")
	add("__RandomState_ctor", global{class: true}, "numpy.random")
	add("__bit_generator_ctor", global{class: true}, "numpy.random._pickle")
	add("MT19937", global{}, "numpy.random._mt19937")

	for name, e := range estimators {
		add(name, global{class: true}, e.modules...)
	}
	add("Tree", global{class: true}, "sklearn.tree._tree")
	return t
}()

func find(module, name string) (*global, error) {
	if g, ok := globals[module+" "+name]; ok {
		return g, nil
	}
	if module == "sklearn" || strings.HasPrefix(module, "sklearn.") {
		return nil, unsupported(publicName(module, name))
	}
	return nil, &refusal{fmt.Sprintf("the file asks for %s.%s, which no supported scikit-learn model needs; nothing was executed", quote(module), quote(name))}
}

func unsupported(class string) error {
	names := slices.Sorted(maps.Keys(estimators))
	return &refusal{fmt.Sprintf("%s is not supported; supported are %s", quote(class), strings.Join(names, ", "))}
}

// publicName removes private modules from a name: sklearn.svm._classes.SVC in a
// file is sklearn.svm.SVC in scikit-learn's documentation.
func publicName(module, name string) string {
	parts := slices.DeleteFunc(strings.Split(module, "."), func(s string) bool { return strings.HasPrefix(s, "_") })
	return strings.Join(append(parts, name), ".")
}

// quote keeps a name from a file short and printable: the message may end in a
// terminal, a log or a status field.
func quote(name string) string {
	const longest = 100
	clean := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, name)
	if len(clean) > longest {
		return clean[:longest] + "..."
	}
	return clean
}

func emptyBytes(_ *machine, args tuple) (any, error) {
	if len(args) > 0 {
		return nil, fmt.Errorf("bytes with %d arguments", len(args))
	}
	return raw(nil), nil
}

// encodeBytes decodes the bytes of protocols 0 to 2, which store them as Latin-1
// text.
func encodeBytes(m *machine, args tuple) (any, error) {
	text, ok := at[string](args, 0)
	if encoding, _ := at[string](args, 1); !ok || encoding != "latin1" {
		return nil, fmt.Errorf("bytes are not Latin-1 text")
	}
	if err := m.budget.alloc(len(text)); err != nil {
		return nil, err
	}
	b := make(raw, 0, len(text))
	for _, r := range text {
		if r > 0xff {
			return nil, fmt.Errorf("bytes are not Latin-1 text")
		}
		b = append(b, byte(r))
	}
	return b, nil
}

// reconstructObject makes an instance, as protocols 0 and 1 do.
func reconstructObject(_ *machine, args tuple) (any, error) {
	class, ok := at[*global](args, 0)
	if !ok || !class.class {
		return nil, &refusal{"the file makes an instance of " + describe(arg(args, 0)) + "; nothing was executed"}
	}
	return &object{class: class}, nil
}

func arg(args tuple, i int) any {
	if i < len(args) {
		return args[i]
	}
	return nil
}

// at returns argument i if it is there and a T.
func at[T any](args tuple, i int) (T, bool) {
	v, ok := arg(args, i).(T)
	return v, ok
}
