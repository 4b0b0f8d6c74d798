// SPDX-License-Identifier: Apache-2.0

package pickle_test

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-dev/serin/internal/model/budget"
	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/pickle"
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
	return append(bytes.Join(ops[:len(ops)-1], nil), append([]byte("}"+text(name)+value+"sb"), end[0]...)...)
}

func TestValuesThatNoEstimatorReadsDoNotMatter(t *testing.T) {
	for name, value := range map[string]string{
		"a call":          "cos\nsystem\n(" + text("id") + "tR",
		"routing":         "csklearn.utils._metadata_requests\nMetadataRequest\n)\x81}" + text("owner") + text("x") + "sb",
		"dates":           array("M8", binaryOf("12345678"), 1),
		"complex numbers": array("c16", binaryOf("1234567812345678"), 1),
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
	step := func(estimator string) string { return text("a") + estimator + "\x86" }
	saved := text("_sklearn_version") + text("1.9.1")
	custom := estimatorOf("__main__", "Mine", text("a"), "K\x05")
	other := estimatorOf("sklearn.gaussian_process._gpc", "GaussianProcessClassifier", saved,
		text("estimator"), estimatorOf("sklearn.semi_supervised._label_propagation", "LabelSpreading", saved),
		text("scores"), "]("+array("M8", binaryOf("12345678"), 1)+"csome\nlosses\n)\x81}"+text("x")+"K\x05sbe",
		text("best_estimator_"), estimatorOf("sklearn.svm._classes", "SVC", saved))
	file := pickle2 + estimatorOf("sklearn.pipeline", "Pipeline", text("steps"), "]("+
		step(custom)+step(estimatorOf("sklearn.preprocessing._data", "StandardScaler", saved))+step(custom)+step(other)+"e") + "."
	_, err := parse([]byte(file), budget.DefaultLimits)
	want := "__main__.Mine, sklearn.gaussian_process.GaussianProcessClassifier, sklearn.semi_supervised.LabelSpreading are not supported: your own Python can serve this model, if you trust the file: set runtime: serin-python (docs/howto/your-own-python.md)"
	if diff := cmp.Diff(want, message(err)); diff != "" {
		t.Errorf("error (-want +got):\n%s", diff)
	}
}
