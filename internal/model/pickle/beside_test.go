// SPDX-License-Identifier: Apache-2.0

package pickle_test

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-dev/serin/internal/model/budget"
	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/pickle"
	"github.com/serin-dev/serin/internal/testkit/opcodes"
)

// withAttribute adds an attribute to the last estimator of a pickle.
func withAttribute(t *testing.T, file, name, value string) []byte {
	t.Helper()
	data, err := pickle.Decompress(read(t, models+file), budget.New(budget.DefaultLimits, 1<<20))
	if err != nil {
		t.Fatal(err)
	}
	ops := pickle.OpsOf(data)
	end := ops[len(ops)-1:]
	return append(bytes.Join(ops[:len(ops)-1], nil), append([]byte("}"+opcodes.Text(name)+value+"sb"), end[0]...)...)
}

func TestValuesThatNoEstimatorReadsDoNotMatter(t *testing.T) {
	for name, value := range map[string]string{
		"a call":          "cos\nsystem\n(" + opcodes.Text("id") + "tR",
		"routing":         "csklearn.utils._metadata_requests\nMetadataRequest\n)\x81}" + opcodes.Text("owner") + opcodes.Text("x") + "sb",
		"dates":           opcodes.Array(opcodes.Dtype("M8"), opcodes.Bytes("12345678"), 1),
		"complex numbers": opcodes.Array(opcodes.Dtype("c16"), opcodes.Bytes("1234567812345678"), 1),
	} {
		m, err := parse(withAttribute(t, "/svc-rbf.joblib", "extra", value), budget.DefaultLimits)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := m.Predict(nil, frame.Predict, &frame.Result{}, frame.Dense(1, 4, []float64{1, 2, 3, 4})); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		_, err = parse(withAttribute(t, "/svc-rbf.joblib", "support_vectors_", value), budget.DefaultLimits)
		if err == nil {
			t.Errorf("%s: was read as an array of numbers", name)
		}
	}
}

func TestAllUnsupportedEstimatorsAreListed(t *testing.T) {
	step := func(estimator string) string { return opcodes.Text("a") + estimator + "\x86" }
	saved := opcodes.Text("_sklearn_version") + opcodes.Text("1.9.1")
	custom := opcodes.Object("__main__.Mine", opcodes.Text("a"), "K\x05")
	other := opcodes.Object("sklearn.gaussian_process._gpc.GaussianProcessClassifier", saved,
		opcodes.Text("estimator"), opcodes.Object("sklearn.semi_supervised._label_propagation.LabelSpreading", saved),
		opcodes.Text("scores"), "]("+opcodes.Array(opcodes.Dtype("M8"), opcodes.Bytes("12345678"), 1)+"csome\nlosses\n)\x81}"+opcodes.Text("x")+"K\x05sbe",
		opcodes.Text("best_estimator_"), opcodes.Object("sklearn.svm._classes.SVC", saved))
	file := pickle2 + opcodes.Object("sklearn.pipeline.Pipeline", opcodes.Text("steps"), "]("+
		step(custom)+step(opcodes.Object("sklearn.preprocessing._data.StandardScaler", saved))+step(custom)+step(other)+"e") + "."
	_, err := parse([]byte(file), budget.DefaultLimits)
	want := "__main__.Mine, sklearn.gaussian_process.GaussianProcessClassifier, sklearn.semi_supervised.LabelSpreading are not supported: your own Python can serve this model, if you trust the file: set runtime: serin-python (docs/howto/your-own-python.md)"
	if diff := cmp.Diff(want, message(err)); diff != "" {
		t.Errorf("error (-want +got):\n%s", diff)
	}
}
