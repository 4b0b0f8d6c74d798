// SPDX-License-Identifier: Apache-2.0

package sklearn

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"encoding/binary"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-dev/serin/internal/model/budget"
	"github.com/serin-dev/serin/internal/model/frame"
)

// newest holds the fixtures of the newest scikit-learn.
const newest = "testdata/sklearn-1.9.1/"

// malicious lists pickles that would run a command in Python, one for each way
// of asking.
var malicious = map[string]string{
	"GLOBAL and REDUCE":              "cos\nsystem\n(S'touch /tmp/pwned'\ntR.",
	"STACK_GLOBAL and REDUCE":        "\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x02id\x85R.",
	"INST":                           "(S'id'\nios\nsystem\n.",
	"OBJ":                            "(cos\nsystem\nS'id'\no.",
	"NEWOBJ":                         "\x80\x02csubprocess\nPopen\nU\x02id\x85\x81.",
	"builtins.eval":                  "cbuiltins\neval\n(S'1'\ntR.",
	"builtins.getattr":               "\x80\x04\x8c\x08builtins\x8c\x07getattr\x93.",
	"a name with dots":               "\x80\x04\x8c\x07sklearn\x8c\x0fos.system.thing\x93.",
	"numpy's own exec":               "cnumpy.testing._private.utils\nrunstring\n(S'1'\ntR.",
	"inside an estimator":            "\x80\x04\x8c\x14sklearn.svm._classes\x8c\x03SVC\x93)\x81}\x8c\x06kernelcposix\nsystem\nsb.",
	"a state for an unknown class":   "\x80\x02c__main__\nX\n)\x81}b.",
	"a subclass of a known class":    "ccopy_reg\n_reconstructor\n(cevil\nSVC\nc__builtin__\nobject\nNtR.",
	"a call of a class to mention":   "cnumpy\nndarray\n)R.",
	"a call of a value":              "])R.",
	"an instance made by a function": "ccopy_reg\n_reconstructor\n(c_codecs\nencode\nc__builtin__\nobject\nNtR.",
}

func TestHostileFilesAreRefusedByName(t *testing.T) {
	want := map[string]string{
		"GLOBAL and REDUCE":              "the file holds an os.system, not an estimator; nothing was executed",
		"STACK_GLOBAL and REDUCE":        "the file holds an os.system, not an estimator; nothing was executed",
		"INST":                           "the file holds an os.system, not an estimator; nothing was executed",
		"OBJ":                            "the file holds an os.system, not an estimator; nothing was executed",
		"NEWOBJ":                         "the file holds a subprocess.Popen, not an estimator; nothing was executed",
		"builtins.eval":                  "the file holds a builtins.eval, not an estimator; nothing was executed",
		"builtins.getattr":               "the file holds builtins.getattr, not an estimator; nothing was executed",
		"a name with dots":               "the file holds sklearn.os.system.thing, not an estimator; nothing was executed",
		"numpy's own exec":               "the file holds a numpy.testing._private.utils.runstring, not an estimator; nothing was executed",
		"inside an estimator":            "SVC: kernel is posix.system, which is not supported",
		"a state for an unknown class":   "the file holds a __main__.X, not an estimator; nothing was executed",
		"a subclass of a known class":    "the file holds an evil.SVC, not an estimator; nothing was executed",
		"a call of a class to mention":   "the file holds a numpy.ndarray, not an estimator; nothing was executed",
		"a call of a value":              "byte 2: the file calls a list",
		"an instance made by a function": "the file holds a _codecs.encode, not an estimator; nothing was executed",
	}
	for name, file := range malicious {
		t.Run(name, func(t *testing.T) {
			_, err := parse([]byte(file), budget.DefaultLimits)
			if diff := cmp.Diff(want[name], message(err)); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
}

const advice = "your own Python can serve this model, if you trust the file: set runtime: serin-python (docs/howto/your-own-python.md)"

func message(err error) string {
	if err == nil {
		return "no error"
	}
	return err.Error()
}

// pipelineOfOthers is a Pipeline whose steps are not supported.
const pipelineOfOthers = "\x80\x02csklearn.pipeline\nPipeline\n)\x81}U\x05steps](" +
	"U\x01acsklearn.preprocessing._polynomial\nSplineTransformer\n)\x81}U\x01xNsb\x86" +
	"U\x01bcsklearn.gaussian_process._gpc\nGaussianProcessClassifier\n)\x81}U\x01xNsb\x86esb."

func TestModelsBeyondTheSupportedOnesAreRefusedByName(t *testing.T) {
	want := map[string]string{
		"scaler-alone.joblib":    "the model ends in StandardScaler, which predicts nothing: save a Pipeline that ends in an estimator with predict",
		"svc-unfitted.joblib":    "the SVC was saved before it was fitted",
		"svc-precomputed.joblib": "SVC: kernel precomputed is not supported; supported are linear, poly, rbf, sigmoid",
		"two others":             "sklearn.preprocessing.SplineTransformer, sklearn.gaussian_process.GaussianProcessClassifier are not supported: " + advice,
		"dict.joblib":            "the file holds a dict, not an estimator",
	}
	files, err := filepath.Glob(newest + "refused/*.joblib")
	if err != nil {
		t.Fatal(err)
	}
	_, err = parse([]byte(pipelineOfOthers), budget.DefaultLimits)
	got := map[string]string{"two others": message(err)}
	for _, file := range files {
		_, err := parse(read(t, file), budget.DefaultLimits)
		got[filepath.Base(file)] = message(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("errors (-want +got):\n%s", diff)
	}
}

func TestFilesCutAnywhereAreErrors(t *testing.T) {
	for _, name := range []string{"pipeline-svc.joblib", "protocol0-forest-pkl.pkl", "protocol5-forest-pkl.pkl", "compress-zlib.joblib", "compress-xz.joblib", "compress-lz4.joblib", "compress-bz2.joblib"} {
		data := read(t, newest+name)
		for n := 0; n < len(data); n += 1 + len(data)/200 {
			m, err := parse(data[:n], budget.DefaultLimits)
			if err == nil && n < len(data)-64 { // checksums and padding may be missing
				t.Errorf("%s cut to %d of %d bytes: a %s, want an error", name, n, len(data), m.Class())
			}
		}
	}
}

func TestDamagedFilesGiveClearErrors(t *testing.T) {
	long := strings.Repeat("A", 4000)
	for name, test := range map[string]struct{ file, want string }{
		"an empty file":                {"", "the file is empty"},
		"a web page":                   {"<html>", "byte 0: no pickle opcode 0x3c: the file is damaged or no pickle"},
		"a file of joblib 0.9":         {"ZF0x10", "the file was written by joblib 0.9 or older: load it with a newer joblib and dump it again"},
		"a cut opcode":                 {"\x80\x04X\xff\xff\xff\x7fabc", "the file ends too early: it is truncated or damaged"},
		"no STOP":                      {"\x80\x04N", "the file ends too early: it is truncated or damaged"},
		"an empty stack":               {"\x80\x04.", "an opcode finds too few values on the stack"},
		"a missing mark":               {"\x80\x04t.", "byte 2: an opcode finds no mark on the stack"},
		"values below the mark":        {"\x80\x04N(0.", "byte 4: an opcode finds too few values on the stack"},
		"a future protocol":            {"\x80\x06N.", "byte 0: pickle protocol 6 is not supported"},
		"a missing memo":               {"\x80\x04h\x07.", "byte 2: no memo 7"},
		"an array without elements":    {"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR(I1\n(L1000000000L\ntcnumpy\ndtype\n(S'f8'\nI0\nI1\ntRI00\nS''\ntb.", "byte 120: an array of 1000000000 elements holds 0 bytes"},
		"a persistent id":              {"P1\n.", "byte 0: no pickle opcode 0x50: the file is damaged or no pickle"},
		"an extension":                 {"\x82\x01.", "byte 0: no pickle opcode 0x82: the file is damaged or no pickle"},
		"a name that is not printable": {"c\x1b[31m\n" + long + "\n.", "the file holds ?[31m." + long[:94] + "..., not an estimator; nothing was executed"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parse([]byte(test.file), budget.DefaultLimits)
			if diff := cmp.Diff(test.want, message(err)); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
}

// pipelineInItself is a Pipeline whose only step is that same Pipeline.
const pipelineInItself = "\x80\x02csklearn.pipeline\nPipeline\n)\x81q\x00}X\x05\x00\x00\x00steps]X\x01\x00\x00\x00ah\x00\x86asb."

func TestBombsEndAtTheLimits(t *testing.T) {
	limits := budget.Limits{Memory: 1 << 20}
	const tooMuch = "the model needs more memory than the 1048576 bytes that loading may take here"
	zeros := append([]byte("\x80\x03B\x00\x00\x80\x00"), make([]byte, 8<<20)...)
	var zipped, gzipped, twice bytes.Buffer
	zw := zlib.NewWriter(&zipped)
	gw := gzip.NewWriter(&gzipped)
	tw := zlib.NewWriter(&twice)
	for _, w := range []interface {
		Write([]byte) (int, error)
		Close() error
	}{zw, gw} {
		if _, err := w.Write(zeros); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := tw.Write([]byte(strings.Repeat("]", 20_000))); err != nil {
		t.Fatal(err)
	}
	if err := tw.Close(); err != nil {
		t.Fatal(err)
	}

	for name, test := range map[string]struct {
		file []byte
		want string
	}{
		"zlib":                         {zipped.Bytes(), tooMuch},
		"gzip":                         {gzipped.Bytes(), tooMuch},
		"not compressed":               {zeros, tooMuch},
		"many small lists, compressed": {twice.Bytes(), tooMuch},
		"many marks":                   {[]byte(strings.Repeat("(", 20_000)), tooMuch},
		"many memos":                   {[]byte("N" + strings.Repeat("\x94", 20_000)), tooMuch},
		"the same large text encoded again and again": {copiesOfText(), tooMuch},
		"a pipeline in itself":                        {[]byte(pipelineInItself), "estimators are nested too deeply"},
		"pipelines that double":                       {doublingPipelines(), tooMuch},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parse(test.file, limits)
			if got := message(err); !strings.HasSuffix(got, test.want) {
				t.Errorf("error %q, want %q", got, test.want)
			}
		})
	}
}

// copiesOfText asks for bytes of one text many times over.
func copiesOfText() []byte {
	file := []byte("\x80\x02c_codecs\nencode\nq\x00X")
	file = binary.LittleEndian.AppendUint32(file, 100_000)
	file = append(file, bytes.Repeat([]byte("a"), 100_000)...)
	file = append(file, "U\x06latin1\x86q\x01"...)
	return append(file, bytes.Repeat([]byte("h\x00h\x01R"), 1000)...)
}

// doublingPipelines nests ten pipelines, each holding the one before ten times.
func doublingPipelines() []byte {
	var file bytes.Buffer
	file.WriteString("\x80\x02U\x01aN\x86q\x010")
	pipeline := "csklearn.pipeline\nPipeline\n)\x81}U\x05steps](" + strings.Repeat("h\x01", 10) + "esb"
	for range 10 {
		file.WriteString("U\x01a" + pipeline + "\x86q\x010")
	}
	file.WriteString(pipeline + ".")
	return file.Bytes()
}

func TestInputsThatDoNotFitAreErrorsInScikitLearnsWords(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for name, test := range map[string]struct {
		file string
		row  []float64
		want string
	}{
		"too few features":           {"svc-rbf", []float64{1, 2, 3}, "X has 3 features, but SVC is expecting 4 features as input."},
		"too many for a pipeline":    {"pipeline-svc", []float64{1, 2, 3, 4, 5}, "X has 5 features, but StandardScaler is expecting 4 features as input."},
		"no features":                {"forest", nil, "Found array with 0 feature(s) (shape=(1, 0)) while a minimum of 1 is required by RandomForestClassifier."},
		"a missing value":            {"logistic", []float64{1, nan, 3, 4}, "Input X contains NaN."},
		"a missing value, scaled":    {"pipeline-svc", []float64{1, nan, 3, 4}, "Input X contains NaN."},
		"an infinite value":          {"svc-rbf", []float64{1, inf, 3, 4}, "Input X contains infinity or a value too large for dtype('float64')."},
		"too large for a tree":       {"tree", []float64{1, 1e39, 3, 4}, "Input X contains infinity or a value too large for dtype('float32')."},
		"missing, to a tree with it": {"tree-missing", []float64{1, 2, nan, 4}, "no error"},
	} {
		t.Run(name, func(t *testing.T) {
			m := load(t, newest+test.file+".joblib")
			err := m.Predict(nil, frame.Predict, &frame.Result{}, frame.Dense(1, len(test.row), test.row))
			if diff := cmp.Diff(test.want, message(err)); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
}

func TestProbabilitiesOfAModelWithoutThemAreAnError(t *testing.T) {
	err := load(t, newest+"svc-rbf.joblib").Predict(nil, frame.PredictProba, &frame.Result{}, frame.Dense(1, 4, make([]float64, 4)))
	if diff := cmp.Diff("this SVC has no predict_proba", message(err)); diff != "" {
		t.Error(diff)
	}
}

func TestModelsFittedOnDataFramesKnowTheirColumns(t *testing.T) {
	m := load(t, newest+"frame.joblib")
	if diff := cmp.Diff([]string{"a", "b", "c", "d"}, m.Schema().Names); diff != "" {
		t.Error(diff)
	}
}
