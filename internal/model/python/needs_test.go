// SPDX-License-Identifier: Apache-2.0

package python

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNeedsOfAFileAreReadFromIt(t *testing.T) {
	object := func(module, name, version string) string { // a pickle of an object with that version
		return "c" + module + "\n" + name + "\n)\x81}U\x10_sklearn_versionU" + string(rune(len(version))) + version + "sb."
	}
	for name, test := range map[string]struct {
		file  string
		want  string
		fails string
	}{
		"scikit-learn":    {object("sklearn.gaussian_process._gpc", "GaussianProcessClassifier", "1.9.1"), "scikit-learn==1.9.1\npandas\n", ""},
		"an old one":      {object("sklearn.svm._classes", "SVC", "1.2.2"), "scikit-learn==1.2.2\npandas\nnumpy<2\n", ""},
		"a module beside": {object("cleaning", "Clip", "1.9.1"), "", "m.pkl names no version of scikit-learn"},
		"another package": {object("imblearn.pipeline", "Pipeline", "1.9.1"), "", `m.pkl needs the modules imblearn (a module of yours must lie beside the model, and the package of another is not guessed): write one, such as "pandas\nimblearn"`},
		"a hostile one":   {object("sklearn.svm._classes", "SVC", "1 --index-url=http://x"), "", "m.pkl names no version of scikit-learn"},
		"no pickle":       {"hello", "", "Serin cannot read the versions from m.pkl"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := files(t, map[string]string{"m.pkl": test.file, "cleaning.py": ""})
			got, err := needs(dir, folder{kind: pickled, file: "m.pkl"})
			if test.fails == "" && err != nil || test.fails != "" && (err == nil || !strings.Contains(err.Error(), test.fails)) {
				t.Errorf("%v, want %q", err, test.fails)
			}
			if diff := cmp.Diff(test.want, got); test.fails == "" && diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestEnvironmentsAreTheSameForTheSameNeeds(t *testing.T) {
	base := program{path: "/usr/bin/python3", version: "3.12.1"}
	of := func(content map[string]string, base program) string {
		dir := files(t, content)
		f, err := look(dir)
		if err != nil {
			t.Fatal(err)
		}
		return digest(f.requirements, f, dir, base)
	}
	plain := of(map[string]string{"a.pkl": "1", "requirements.txt": "numpy"}, base)
	if again := of(map[string]string{"a.pkl": "2", "requirements.txt": "numpy"}, base); again != plain {
		t.Error("another model has another environment")
	}
	seen := map[string]string{plain: "plain"}
	for what, d := range map[string]string{
		"another package":     of(map[string]string{"a.pkl": "1", "requirements.txt": "scipy"}, base),
		"another Python":      of(map[string]string{"a.pkl": "1", "requirements.txt": "numpy"}, program{path: base.path, version: "3.13.1"}),
		"wheels":              of(map[string]string{"a.pkl": "1", "requirements.txt": "numpy", "wheels/a.whl": "1"}, base),
		"a wheel of its size": of(map[string]string{"a.pkl": "1", "requirements.txt": "numpy", "wheels/a.whl": "2"}, base),
		"another wheel":       of(map[string]string{"a.pkl": "1", "requirements.txt": "numpy", "wheels/a.whl": "12"}, base),
		"a file that it has":  of(map[string]string{"a.pkl": "1", "requirements.txt": "numpy", "base.txt": "scipy"}, base),
		"a package":           of(map[string]string{"a.pkl": "1", "requirements.txt": "numpy\n ./pkg\n", "pkg/mod.py": "1"}, base),
		"another package's":   of(map[string]string{"a.pkl": "1", "requirements.txt": "numpy\n ./pkg\n", "pkg/mod.py": "2"}, base),
	} {
		if other, is := seen[d]; is {
			t.Errorf("%s is the environment of %s", what, other)
		}
		seen[d] = what
	}
}

func TestEditablePackagesAreRefused(t *testing.T) {
	cfg := Config{Dir: t.TempDir(), Environments: t.TempDir(), Log: slog.New(slog.DiscardHandler)}
	_, err := environment(t.Context(), cfg, folder{requirements: "numpy\n-e ./pkg\n"}, program{})
	if err == nil || !strings.Contains(err.Error(), "leave -e out") {
		t.Error(err)
	}
}

func TestPipsErrorsBecomeASentence(t *testing.T) {
	for said, want := range map[string]string{
		"Collecting scikit-lern\nERROR: Could not find a version that satisfies the requirement scikit-lern (from versions: none)\nERROR: No matching distribution found for scikit-lern": "pip cannot install what the model needs: No matching distribution found for scikit-lern: correct requirements.txt beside the model",
		"ERROR: Could not find a version that satisfies the requirement scikit-learn==1.0.2 (from versions: 1.5.0, 1.6.0)\nERROR: No matching distribution found for scikit-learn==1.0.2": "pip cannot install what the model needs: No matching distribution found for scikit-learn==1.0.2: correct requirements.txt beside the model, or choose another Python with the argument --python=python3.X",
		"WARNING: Retrying ... NewConnectionError ...\nERROR: No matching distribution found for numpy":                                                                                   "pip cannot install what the model needs: No matching distribution found for numpy: PyPI cannot be reached: lay a folder wheels with the packages beside the model",
	} {
		if got := verdict(strings.Split(said, "\n"), folder{requirements: "x"}); got != want {
			t.Errorf("%s\nwant %s", got, want)
		}
	}
}

func TestNoPythonSaysWhatToInstall(t *testing.T) {
	_, err := interpreter(t.Context(), "python3-that-is-not-here", "", slog.New(slog.DiscardHandler))
	if err == nil || !strings.HasPrefix(err.Error(), "there is no Python here (python3-that-is-not-here is not on the PATH): install Python 3") {
		t.Error(err)
	}
}

// A real environment takes seconds, and no network: nothing is installed.
func TestEnvironmentIsMadeOnce(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil || exec.CommandContext(t.Context(), python, "-c", "import venv, ensurepip").Run() != nil || testing.Short() {
		t.Skip("it makes a virtual environment")
	}
	base, err := interpreter(t.Context(), python, "", slog.New(slog.DiscardHandler))
	if err != nil || base.virtual {
		t.Skip(err)
	}
	dir := files(t, map[string]string{"a.pkl": "", "requirements.txt": "# nothing\n"})
	f, err := look(dir)
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{Dir: dir, Environments: filepath.Join(t.TempDir(), "python"), Progress: func(string) {}, Log: slog.New(slog.DiscardHandler)}
	made := make(chan string, 2)
	for range 2 {
		go func() {
			path, err := environment(t.Context(), cfg, f, base)
			if err != nil {
				t.Error(err)
			}
			made <- path
		}()
	}
	one, two := <-made, <-made
	if _, err := os.Stat(filepath.Join(dir, "requirements.txt")); err != nil {
		t.Error(err)
	}
	if one != two || one == "" {
		t.Errorf("%q and %q", one, two)
	}
	entries, err := os.ReadDir(cfg.Environments)
	if err != nil || len(entries) != 2 { // and its lock
		t.Errorf("%v, %v", entries, err)
	}
}

// Its Python leaves a process behind, as a server does that is killed while pip works.
func TestProcessThatOutlivesPipKeepsOthersOut(t *testing.T) {
	dir := files(t, map[string]string{"a.pkl": "", "requirements.txt": "numpy", "python3": `#!/bin/sh
mkdir -p "$3/bin"
cat > "$3/bin/python" <<'END'
#!/bin/sh
while [ ! -e "go on" ]; do sleep .01; done > /dev/null 2>&1 &
exit 1
END
chmod +x "$3/bin/python"
`})
	base := program{path: filepath.Join(dir, "python3")}
	if err := os.Chmod(base.path, 0o700); err != nil { //nolint:gosec // a program
		t.Fatal(err)
	}
	f, err := look(dir)
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{Dir: dir, Environments: filepath.Join(t.TempDir(), "python"), Progress: func(string) {}, Log: slog.New(slog.DiscardHandler)}
	if _, err := environment(t.Context(), cfg, f, base); err == nil {
		t.Error("pip failed")
	}
	ctx, cancel := context.WithCancel(t.Context())
	name := filepath.Join(cfg.Environments, digest(f.requirements, f, dir, base))
	if _, err := lock(ctx, name, func(string) { cancel() }); !errors.Is(err, context.Canceled) {
		t.Fatalf("the lock is free: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "go on"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	free, err := lock(t.Context(), name, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	_ = free.Close()
}

func TestAnActiveEnvironmentDoesNotReplaceTheRequirements(t *testing.T) {
	bin := files(t, map[string]string{"python3": "#!/bin/sh\necho $0\necho True\necho cpython 3\n"})
	if err := os.Chmod(filepath.Join(bin, "python3"), 0o700); err != nil { //nolint:gosec // a program
		t.Fatal(err)
	}
	t.Setenv("PATH", bin)
	cfg := Config{
		Program: "python3", Dir: files(t, map[string]string{"a.pkl": "", "requirements.txt": "numpy"}), Environments: t.TempDir(),
		Progress: func(string) {}, Log: slog.New(slog.DiscardHandler),
	}
	if _, err := Load(t.Context(), cfg); err == nil || !strings.HasPrefix(err.Error(), "pip cannot install") {
		t.Error(err)
	}
}
