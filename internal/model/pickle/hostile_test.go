// SPDX-License-Identifier: Apache-2.0

package pickle_test

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/ulikunitz/xz/lzma"

	"github.com/serin-dev/serin/internal/model/budget"
	"github.com/serin-dev/serin/internal/model/pickle"
	"github.com/serin-dev/serin/internal/testkit/hostile"
	"github.com/serin-dev/serin/internal/testkit/opcodes"
)

// Small files that once took minutes, gigabytes or the process.
func TestFilesThatOnceBrokeTheReaderAreRefusedInOneSentence(t *testing.T) {
	want := map[string]string{
		"B1-object-dtype-with-fields.pkl": "byte 640: a dtype of kind O has fields",
		"B2-dtype-shrunk.pkl":             "byte 665: a dtype is given a state twice",
		"T1-quadratic-20k.joblib":         "reading the file takes more work than any model of its size needs",
		"X2-xz-8-blocks-4GiB.joblib":      "decompress xz: the dictionary is larger than 67108864 bytes",
		"X5-xz-two-streams.joblib":        "decompress xz: the dictionary is larger than 67108864 bytes",
	}
	files, err := filepath.Glob("testdata/hostile/*")
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, file := range files {
		_, err := parse(read(t, file), budget.DefaultLimits)
		got[filepath.Base(file)] = message(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("errors (-want +got):\n%s", diff)
	}
}

func deflated(tb testing.TB, content string) []byte {
	tb.Helper()
	var b bytes.Buffer
	w, err := zlib.NewWriterLevel(&b, zlib.BestCompression)
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := w.Write([]byte(content)); err != nil {
		tb.Fatal(err)
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

const pickle2 = "\x80\x02"

const megabyte = 1 << 20

// hungry holds files of a few kilobytes for which a loader that pays for what
// is stored would take gigabytes or minutes: each mentions something large, or
// something free, again and again.
func hungry(tb testing.TB) map[string][]byte {
	tb.Helper()
	long := strings.Repeat("x", megabyte)
	put := func(value, key string) string { return value + "q" + key + "0" }
	again := func(s string) string { return strings.Repeat(s, 2*megabyte/len(s)) }
	files := map[string]string{
		"empty arrays":               put("cnumpy.core.multiarray\n_reconstruct\n", "\x01") + put("(cnumpy\nndarray\n(K\x00tC\x01bt", "\x02") + "(" + again("h\x01h\x02R") + "l.",
		"empty lists":                "(" + again("]") + "l.",
		"empty dicts":                "(" + again("}") + "l.",
		"dicts of one entry":         put(opcodes.Text("k"), "\x01") + "(" + again("}h\x01Ns") + "l.",
		"objects":                    put("csklearn.svm._classes\nSVC\n", "\x01") + "(" + again("h\x01)\x81") + "l.",
		"dtypes":                     put("cnumpy\ndtype\n", "\x01") + put(opcodes.Text("f8")+"\x85", "\x02") + "(" + again("h\x01h\x02R") + "l.",
		"marks":                      again("("),
		"memos":                      "N" + again("\x94"),
		"a long key set again":       put(opcodes.Text(long), "\x01") + "}" + again("h\x01Ns") + ".",
		"a long dtype made again":    put("cnumpy\ndtype\n", "\x01") + put(opcodes.Text("f"+strings.Repeat("0", megabyte)+"8")+"\x85", "\x02") + "(" + again("h\x01h\x02R") + "l.",
		"a long text encoded again":  put("c_codecs\nencode\n", "\x01") + put(opcodes.Text(long)+opcodes.Text("latin1")+"\x86", "\x02") + "(" + again("h\x01h\x02R") + "l.",
		"a long scalar made again":   put("cnumpy.core.multiarray\nscalar\n", "\x01") + put(opcodes.Dtype("U262144")+opcodes.Bytes(strings.Repeat("x\x00\x00\x00", megabyte/4))+"\x86", "\x02") + "(" + again("h\x01h\x02R") + "l.",
		"a large state given again":  put("}("+numbered(50_000)+"u", "\x01") + "csklearn.svm._classes\nSVC\n)\x81" + again("h\x01b") + ".",
		"a long label mentioned":     put(opcodes.Text(long), "\x01") + opcodes.Object("sklearn.tree._classes.DecisionTreeClassifier", opcodes.Text("classes_"), opcodes.Array(opcodes.Dtype("O"), "("+strings.Repeat("h\x01", 100_000)+"l", 100_000)) + ".",
		"a long column name":         put(opcodes.Text(long), "\x01") + opcodes.Object("sklearn.preprocessing._data.StandardScaler", opcodes.Text("n_features_in_")+"J\xa0\x86\x01\x00", opcodes.Text("feature_names_in_"), opcodes.Array(opcodes.Dtype("O"), "("+strings.Repeat("h\x01", 100_000)+"l", 100_000)) + ".",
		"steps without an estimator": pipelineOf("h\x00"+strings.Repeat("h\x00", 500_000), "N"),
		"steps that pass through":    pipelineOf("h\x00"+strings.Repeat("h\x00", 500_000), opcodes.Text("passthrough")),
		"a large unfitted estimator": put("csklearn.preprocessing._data\nStandardScaler\n)\x81}("+numbered(50_000)+opcodes.Text("with_mean")+"\x89"+opcodes.Text("n_features_in_")+"K\x04u"+"b", "\x01") + put(opcodes.Text("a")+"h\x01\x86", "\x02") + opcodes.Object("sklearn.pipeline.Pipeline", opcodes.Text("steps"), "]("+again("h\x02")+"e") + ".",
		"columns of no rows":         opcodes.Object("sklearn.linear_model._logistic.LogisticRegression", opcodes.Text("coef_"), strings.Replace(opcodes.Array(opcodes.Dtype("f8"), opcodes.Bytes(""), 1<<31-1, 0), opcodes.Dtype("f8")+"\x89", opcodes.Dtype("f8")+"\x88", 1)) + ".",
		"a tree mentioned again":     forestOf(again("h\x01")),
	}
	out := map[string][]byte{}
	for name, file := range files {
		out[name] = deflated(tb, pickle2+file)
	}
	out["streams of xz"] = bytes.Repeat(xzOf(lzmaChunk(tb)+"\x00", 64<<20), 20_000)
	out["blocks of xz with states"] = xzOf(strings.Repeat(lzmaChunk(tb), 100_000)+"\x00", 64<<20)
	out["members of gzip"] = bytes.Repeat(gzippedBytes(tb, ""), 200_000)
	// Few, because the library's pool of buffers keeps only some of them under the race detector.
	out["frames of lz4"] = bytes.Repeat([]byte("\x04\x22\x4d\x18\x60\x70\x73\x00\x00\x00\x00"), 100)
	out["streams of bzip2"] = bytes.Repeat([]byte("BZh9\x17\x72\x45\x38\x50\x90\x00\x00\x00\x00"), 200_000)
	return out
}

// numbered sets many attributes, none of which fitting makes.
func numbered(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(opcodes.Text(fmt.Sprintf("a%d", i)) + "N")
	}
	return b.String()
}

// pipelineOf is a pipeline of pipelines: the inner ones have these steps, each
// ("a", value), and the outer mentions the inner a thousand times.
func pipelineOf(steps, value string) string {
	const pipeline = "csklearn.pipeline\nPipeline\n)\x81}"
	return opcodes.Text("a") + value + "\x86q\x000" + opcodes.Text("a") + pipeline + opcodes.Text("steps") + "](" + steps + "esb\x86q\x010" +
		pipeline + opcodes.Text("steps") + "](" + strings.Repeat("h\x01", 1000) + "esb."
}

func forestOf(members string) string {
	const classes = 1000
	leaves := strings.Repeat("\x00", 8*classes)
	field := "(" + opcodes.Dtype("i8") + "K\x00t"
	nodes := opcodes.NewArray + "(K\x01(K\x01t" + opcodes.Dtype("V8") + "(K\x03" + opcodes.Text("|") + "NN}(" +
		opcodes.Text("left_child") + field + opcodes.Text("right_child") + field + opcodes.Text("feature") + field + opcodes.Text("threshold") + field +
		"uK\x08J\xff\xff\xff\xffK\x00tb\x89" + opcodes.Bytes(strings.Repeat("\xff", 8)) + "tb"
	tree := "csklearn.tree._tree\nTree\n(K\x04" + opcodes.Array(opcodes.Dtype("i8"), opcodes.Bytes("12345678"), 1) + "K\x01t\x81}(" +
		opcodes.Text("nodes") + nodes + opcodes.Text("values") + opcodes.Array(opcodes.Dtype("f8"), opcodes.Bytes(leaves), 1, 1, classes) + "ub"
	return opcodes.Object("sklearn.tree._classes.DecisionTreeClassifier", opcodes.Text("tree_"), tree) + "q\x010" +
		opcodes.Object("sklearn.ensemble._forest.RandomForestClassifier",
			opcodes.Text("classes_"), opcodes.Array(opcodes.Dtype("i8"), opcodes.Bytes(leaves), classes), opcodes.Text("estimators_"), "]("+members+"e") + "."
}

func gzippedBytes(tb testing.TB, content string) []byte {
	tb.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(content)); err != nil {
		tb.Fatal(err)
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

// lzmaChunk is a compressed chunk that begins with a new state. It is not the last.
func lzmaChunk(tb testing.TB) string {
	tb.Helper()
	var b bytes.Buffer
	w, err := lzma.NewWriter2(&b)
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := w.Write(make([]byte, 100)); err != nil {
		tb.Fatal(err)
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return strings.TrimSuffix(b.String(), "\x00")
}

// xzOf is a stream of one block that asks for a dictionary of that size.
func xzOf(chunks string, dictionary int64) []byte {
	return xzStream(0, xzBlockOf(chunks, dictionary, nil))
}

// xzStream puts blocks into a stream.
func xzStream(check byte, blocks ...string) []byte {
	out := binary.LittleEndian.AppendUint32([]byte(pickle.XZHeader+"\x00"+string(check)), crc32.ChecksumIEEE([]byte{0, check}))
	index := binary.AppendUvarint([]byte{0}, uint64(len(blocks)))
	for _, b := range blocks {
		out = append(out, b...)
		n, size := pickle.WalkChunks([]byte(b[12:]))
		index = binary.AppendUvarint(index, uint64(len(b)-(-n&3)))
		index = binary.AppendUvarint(index, uint64(size))
	}
	index = append(index, make([]byte, -len(index)&3)...)
	index = binary.LittleEndian.AppendUint32(index, crc32.ChecksumIEEE(index))
	out = append(out, index...)
	tail := append(binary.LittleEndian.AppendUint32(nil, uint32(len(index)/4-1)), 0, check)
	out = binary.LittleEndian.AppendUint32(out, crc32.ChecksumIEEE(tail))
	return append(append(out, tail...), pickle.XZFooter...)
}

func xzBlockOf(chunks string, dictionary int64, check []byte) string {
	code := byte(0)
	for size := int64(4096); size < dictionary && code < 40; code++ {
		if size = int64(2|(code+1)&1) << ((code+1)/2 + 11); size >= dictionary {
			break
		}
	}
	header := []byte{2, 0, pickle.LZMA2Filter, 1, code, 0, 0, 0}
	header = binary.LittleEndian.AppendUint32(header, crc32.ChecksumIEEE(header))
	return string(header) + chunks + strings.Repeat("\x00", -len(chunks)&3) + string(check)
}

// The time is generous, for the race detector on a busy machine: without it
// each file takes milliseconds.
func TestCostlyFilesAreRefusedWithinBounds(t *testing.T) {
	for name, file := range hungry(t) {
		t.Run(name, func(t *testing.T) {
			hostile.Bounded(t, 512*megabyte, 2*time.Minute, func() {
				if _, err := parse(file, budget.DefaultLimits); err == nil {
					t.Errorf("%d bytes were accepted", len(file))
				}
			})
		})
	}
}

func TestLoadingStopsWhenToldTo(t *testing.T) {
	enough := errors.New("enough")
	for name, file := range hungry(t) {
		limits := budget.DefaultLimits
		asked := 0
		limits.Stop = func() error { asked++; return enough }
		if _, err := parse(file, limits); !errors.Is(err, enough) || asked != 1 {
			t.Errorf("%s: asked %d times: %v", name, asked, err)
		}
	}
}

// The peak is bounded by what is allocated at all.
func TestLoadingTakesLittleMoreMemoryThanTheFile(t *testing.T) {
	const rows, features = 4096 + 3, 1 << 10
	zeros, fractions := strings.Repeat("\x00", rows), strings.Repeat("?", 8*rows*features) // 0.00048 each
	numbers := func(shape ...int) string {
		size := 8
		for _, n := range shape {
			size *= n
		}
		return opcodes.Array(opcodes.Dtype("f8"), opcodes.Bytes(fractions[:size]), shape...)
	}
	small := func(n int) string { return opcodes.Array(opcodes.Dtype("u1"), opcodes.Bytes(zeros[:n]), n) }
	neighbours := func(metric string) string {
		return opcodes.Object("sklearn.neighbors._classification.KNeighborsClassifier",
			opcodes.Text("_fit_X"), numbers(rows, features), opcodes.Text("_fit_method"), opcodes.Text("brute"),
			opcodes.Text("effective_metric_"), opcodes.Text(metric), opcodes.Text("effective_metric_params_"), "}", opcodes.Text("n_neighbors"), "K\x05",
			opcodes.Text("_y"), small(rows), opcodes.Text("classes_"), small(1))
	}
	for name, file := range map[string]string{
		"coefficients": opcodes.Object("sklearn.linear_model._logistic.LogisticRegression",
			opcodes.Text("coef_"), numbers(rows, features), opcodes.Text("intercept_"), numbers(rows), opcodes.Text("classes_"), small(rows)),
		"neighbours":                          neighbours("euclidean"),
		"neighbours by the sum of the values": neighbours("manhattan"),
		"neighbours by their angle":           neighbours("cosine"),
	} {
		t.Run(name, func(t *testing.T) {
			file := []byte(pickle2 + file + ".")
			hostile.Bounded(t, uint64(len(file))*13/10+2*megabyte, time.Minute, func() {
				if _, err := parse(file, budget.DefaultLimits); err != nil {
					t.Error(err)
				}
			})
		})
	}
}
