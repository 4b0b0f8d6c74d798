// SPDX-License-Identifier: Apache-2.0

package python

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/serin-dev/serin/internal/model/budget"
	"github.com/serin-dev/serin/internal/model/pickle"
)

// packages are the names on PyPI of the modules that need no file of requirements. Others
// are not guessed: whoever owns a name that looks right could run code here. It is empty for
// Python's own modules and those that come with others.
var packages = map[string]string{
	"sklearn": "scikit-learn", "xgboost": "xgboost", "lightgbm": "lightgbm", "pandas": "pandas", "scipy": "", "numpy": "", "joblib": "",
	"builtins": "", "__builtin__": "", "copyreg": "", "copy_reg": "", "_codecs": "", "collections": "", "functools": "", "operator": "", "datetime": "",
	"decimal": "", "re": "", "math": "", "types": "", "uuid": "", "pathlib": "",
}

// needs returns the requirements of a model that has no file of them: the version of
// scikit-learn that is in the model's file. That is read, and not executed.
func needs(dir string, f folder) (string, error) {
	const example = "scikit-learn==1.7.2\npandas"
	var none error
	switch f.kind {
	case pickled:
	case skops:
		return "", missing("a .skops file names no versions", example+"\nskops")
	case mlflow:
		return "", missing("MLflow did not save it", "mlflow\nscikit-learn==1.7.2")
	default:
		return "", missing("model.py may need anything", "numpy\nscikit-learn==1.7.2")
	}
	file, err := os.Open(filepath.Join(dir, f.file))
	if err != nil {
		return "", err
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil {
		return "", err
	}
	value, _, err := pickle.Read(file, info.Size(), budget.DefaultLimits)
	if err != nil {
		return "", missing(fmt.Sprintf("Serin cannot read the versions from %s (%v)", f.file, err), example)
	}
	found := &mentions{modules: map[string]bool{}, seen: map[any]bool{}}
	found.walk(value)
	if found.version == "" {
		none = fmt.Errorf("%s names no version of scikit-learn", f.file)
	}
	var list, unknown []string
	for _, m := range slices.Sorted(maps.Keys(found.modules)) {
		name, known := packages[m]
		switch {
		case m == "sklearn" && found.version != "":
			list = append(list, "scikit-learn=="+found.version)
		case name != "":
			list = append(list, name)
		case !known && !beside(dir, m):
			unknown = append(unknown, m)
		}
	}
	if !found.modules["pandas"] {
		list = append(list, "pandas") // for rows with named columns
	}
	list = append(list, numpyFor(found)...)
	if len(unknown) > 0 {
		none = fmt.Errorf("%s needs the modules %s (a module of yours must lie beside the model, and the package of another is not guessed)", f.file, strings.Join(unknown, ", "))
	}
	if none != nil {
		return "", missing(none.Error(), strings.Join(append(list, unknown...), "\n"))
	}
	return strings.Join(list, "\n") + "\n", nil
}

func missing(why, example string) error {
	return fmt.Errorf("there is no requirements.txt beside the model, and %s: write one, such as %q", why, example)
}

// beside reports whether a module lies beside the model.
func beside(dir, module string) bool {
	for _, name := range []string{module + ".py", module} {
		if _, err := os.Stat(filepath.Join(dir, name)); !errors.Is(err, fs.ErrNotExist) {
			return true
		}
	}
	return false
}

// numpyFor returns the bound for numpy: scikit-learn before 1.4.2 takes any, and works with 1 only.
func numpyFor(m *mentions) []string {
	parts := strings.SplitN(m.version, ".", 3)
	if len(parts) < 2 || m.numpy2 {
		return nil
	}
	if minor, err := strconv.Atoi(parts[1]); err == nil && parts[0] == "1" && minor < 5 {
		return []string{"numpy<2"}
	}
	return nil
}

// mentions are what a file names.
type mentions struct {
	modules map[string]bool // the first parts of their names
	version string          // of scikit-learn
	numpy2  bool
	seen    map[any]bool
}

func (m *mentions) walk(v any) {
	switch v := v.(type) {
	case *pickle.Global:
		top, _, _ := strings.Cut(v.Module, ".")
		m.modules[top] = true
		m.numpy2 = m.numpy2 || strings.HasPrefix(v.Module, "numpy._core")
	case *pickle.Object:
		if m.again(v) || v.Class == nil {
			return
		}
		m.walk(v.Class)
		if version, ok := v.State.Entries["_sklearn_version"].(string); ok && strings.HasPrefix(v.Class.Module, "sklearn.") && plainVersion(version) {
			m.version = version
		}
		m.entries(v.State.Entries)
		m.entries(v.Items.Entries)
		m.all(v.Args)
		m.all(v.List.Items)
		m.walk(v.Raw)
	case *pickle.Dict:
		if !m.again(v) {
			m.entries(v.Entries)
		}
	case *pickle.List:
		if !m.again(v) {
			m.all(v.Items)
		}
	case *pickle.Set:
		if !m.again(v) {
			m.all(v.Items)
		}
	case pickle.Tuple:
		m.all(v)
	case *pickle.Array:
		if !m.again(v) {
			m.all(v.Objects)
		}
	}
}

func (m *mentions) again(v any) bool {
	was := m.seen[v]
	m.seen[v] = true
	return was
}

func (m *mentions) all(values []any) {
	for _, v := range values {
		m.walk(v)
	}
}

func (m *mentions) entries(values map[string]any) {
	for _, v := range values {
		m.walk(v)
	}
}

// plainVersion reports whether a version that a file has may stand in a line of requirements.
func plainVersion(s string) bool {
	for _, c := range s {
		if c != '.' && (c < '0' || c > '9') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return s != "" && len(s) < 20
}
