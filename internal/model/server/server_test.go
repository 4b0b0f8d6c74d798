// SPDX-License-Identifier: Apache-2.0

package server

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-dev/serin/internal/testkit/eventually"
)

const (
	fixtures = "../format/sklearn/testdata/sklearn-1.9.1/"
	iris     = "../../local/models/iris-1/model.joblib"
	irisBody = `{"instances":[[6.8,2.8,4.8,1.4],[6.0,3.4,4.5,1.6]]}`
)

func TestEndpointsAnswerAsKServeDoes(t *testing.T) {
	r := start(t, iris)
	for name, test := range map[string]struct{ method, path, body, want string }{
		"alive":                    {"GET", "/", "", `200 {"status":"alive"}`},
		"the list of models":       {"GET", "/v1/models", "", `200 {"models":["m"]}`},
		"the list, with a slash":   {"GET", "/v1/models/", "", `200 {"models":["m"]}`},
		"a model, with a slash":    {"GET", "/v1/models/m/", "", `200 {"name":"m","ready":true}`},
		"a call, with slashes":     {"POST", "/v1/models/m:predict//", irisBody, `200 {"predictions":[1,1]}`},
		"V2: the list":             {"GET", "/v2/models", "", `200 {"models":["m"]}`},
		"V2: a model":              {"GET", "/v2/models/m", "", `200 {"name":"m","versions":null,"platform":"","inputs":[{"name":"input-0","datatype":"FP64","shape":[-1,4]}],"outputs":[{"name":"output-0","datatype":"INT64","shape":[-1]}]}`},
		"V2: ready":                {"GET", "/v2/models/m/ready", "", `200 {"name":"m","ready":true}`},
		"V2: a prediction":         {"POST", "/v2/models/m/infer", `{"id":"1","inputs":[{"name":"x","shape":[1,4],"datatype":"FP64","data":[6.8,2.8,4.8,1.4]}]}`, `200 {"model_name":"m","model_version":null,"id":"1","parameters":null,"outputs":[{"name":"output-0","shape":[1],"datatype":"INT64","parameters":null,"data":[1]}]}`},
		"V2: no request":           {"POST", "/v2/models/m/infer", "{}", `422 {"detail":[{"type":"missing","loc":["body","inputs"],"msg":"Field required"}],"error":"Field required: inputs"}`},
		"V2: no shape":             {"POST", "/v2/models/m/infer", `{"inputs":[{"name":"x","datatype":"FP64","data":[1]}]}`, `422 {"detail":[{"type":"missing","loc":["body","inputs",0,"shape"],"msg":"Field required"}],"error":"Field required: inputs.0.shape"}`},
		"V2: no JSON":              {"POST", "/v2/models/m/infer", `{"inputs":[]x`, `422 {"detail":[{"type":"json_invalid","loc":["body",12],"msg":"JSON decode error","ctx":{"error":"expected a comma"}}],"error":"expected a comma (byte 12)"}`},
		"V2: NaN":                  {"POST", "/v2/models/m/infer", `{"inputs":[{"name":"x","shape":[1,4],"datatype":"FP64","data":[NaN]}]}`, `422 {"detail":[{"type":"json_invalid","loc":["body",63],"msg":"JSON decode error","ctx":{"error":"NaN and Infinity are not JSON: send null, or \"nan\" or \"inf\" as a string"}}],"error":"NaN and Infinity are not JSON: send null, or \"nan\" or \"inf\" as a string (byte 63)"}`},
		"V2: another shape":        {"POST", "/v2/models/m/infer", `{"inputs":[{"name":"x","shape":[2,4],"datatype":"FP64","data":[1]}]}`, `400 {"error":"input \"x\" has 1 values, which do not fit its shape [2 4]"}`},
		"V2: a version":            {"GET", "/v2/models/m/versions/r/ready", "", `404 {"error":"Model with name m has no version r: leave the version out."}`},
		"V2: loading":              {"POST", "/v2/repository/models/m/load", "", `200 {"name":"m","load":true}`},
		"V2: unloading":            {"POST", "/v2/repository/models/m/unload", "", `400 {"error":"This server does not unload its model: delete the InferenceService."}`},
		"V2: an unknown path":      {"GET", "/v2/x", "", `404 {"detail":"Not Found"}`},
		"a ready model":            {"GET", "/v1/models/m", "", `200 {"name":"m","ready":true}`},
		"live":                     {"GET", "/v2/health/live", "", `200 {"live":true}`},
		"ready":                    {"GET", "/v2/health/ready", "", `200 {"ready":true}`},
		"a prediction":             {"POST", "/v1/models/m:predict", irisBody, `200 {"predictions":[1,1]}`},
		"an unknown model":         {"GET", "/v1/models/x", "", `404 {"error":"Model with name x does not exist."}`},
		"a prediction of one":      {"POST", "/v1/models/x:predict", irisBody, `404 {"error":"Model with name x does not exist."}`},
		"a strange name":           {"GET", "/v1/models/%22%3Cb%3E", "", `404 {"error":"Model with name \"<b> does not exist."}`},
		"an explanation":           {"POST", "/v1/models/m:explain", irisBody, `404 {"error":"This model cannot explain."}`},
		"an unknown path":          {"GET", "/v3", "", `404 {"detail":"Not Found"}`},
		"a longer path":            {"GET", "/v1/models/m/x", "", `404 {"detail":"Not Found"}`},
		"the docs, switched off":   {"GET", "/docs", "", `404 {"detail":"Not Found"}`},
		"the wrong verb":           {"POST", "/v1/models", "", `405 {"detail":"Method Not Allowed"}`},
		"the wrong verb, readying": {"POST", "/v1/models/m", "", `405 {"detail":"Method Not Allowed"}`},
		"the wrong verb, predict":  {"GET", "/v1/models/m:predict", "", `405 {"detail":"Method Not Allowed"}`},
		"no JSON":                  {"POST", "/v1/models/m:predict", "hello", `400 {"error":"Unrecognized request format: expected a value (byte 0)"}`},
		"no instances":             {"POST", "/v1/models/m:predict", "{}", `400 {"error":"'instances'"}`},
		"instances that is none":   {"POST", "/v1/models/m:predict", `{"instances":1}`, `400 {"error":"Expected \"instances\" to be a list"}`},
		"too few features":         {"POST", "/v1/models/m:predict", `{"instances":[[1,2,3]]}`, `400 {"error":"X has 3 features, but SVC is expecting 4 features as input."}`},
		"a missing value":          {"POST", "/v1/models/m:predict", `{"instances":[[1,2,3,null]]}`, `400 {"error":"Input X contains NaN."}`},
	} {
		t.Run(name, func(t *testing.T) {
			got := r.do(t, test.method, test.path, strings.NewReader(test.body))
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("%s %s (-want +got):\n%s", test.method, test.path, diff)
			}
		})
	}
}

func TestGRPCIsAnsweredWithAStatusOfItsOwn(t *testing.T) {
	r := start(t, iris)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+r.address+"/inference.GRPCInferenceService/ModelInfer", strings.NewReader("\x00\x00\x00\x00\x00"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/grpc+proto")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	got := []string{resp.Status, resp.Header.Get("Content-Type"), resp.Header.Get("Grpc-Status"), resp.Header.Get("Grpc-Message")}
	want := []string{"200 OK", "application/grpc", "12", "The model's port for gRPC is closed (--enable_grpc=false). Use HTTP: POST /v2/models/m/infer."}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("answer (-want +got):\n%s", diff)
	}
}

func TestTheContentTypeOfARequestDoesNotMatter(t *testing.T) {
	r := start(t, iris)
	for _, contentType := range []string{"", "application/json", "application/json; charset=utf-8", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain"} {
		got := r.do(t, "POST", "/v1/models/m:predict", strings.NewReader(irisBody), "Content-Type", contentType)
		if diff := cmp.Diff(`200 {"predictions":[1,1]}`, got); diff != "" {
			t.Errorf("Content-Type %q (-want +got):\n%s", contentType, diff)
		}
	}
}

func TestLabelsKeepTheirType(t *testing.T) {
	for file, want := range map[string]string{
		"svc-rbf.joblib":         `200 {"predictions":[1,1]}`,
		"svc-ovo.joblib":         `200 {"predictions":[1.0,1.0]}`,
		"svc-rbf-binary.joblib":  `200 {"predictions":[true,true]}`,
		"tree.joblib":            `200 {"predictions":["versicolor","versicolor"]}`,
		"pipeline-nested.joblib": `200 {"predictions":[1,1]}`,
	} {
		got := start(t, fixtures+file).do(t, "POST", "/v1/models/m:predict", strings.NewReader(irisBody))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", file, diff)
		}
	}
}

func TestProbabilitiesAreAnsweredWhereTheModelHasThem(t *testing.T) {
	for file, want := range map[string]string{
		"tree-one-leaf.joblib": `200 {"predictions":[[0.3333333333333333,0.3333333333333333,0.3333333333333333],[0.3333333333333333,0.3333333333333333,0.3333333333333333]]}`,
		"svc-rbf.joblib":       `200 {"predictions":[1,1]}`,
	} {
		r := start(t, fixtures+file, func(c *Config) { c.Proba = true })
		got := r.do(t, "POST", "/v1/models/m:predict", strings.NewReader(irisBody))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", file, diff)
		}
	}
}

func TestBothDemoModelsAnswerTheDemoRequest(t *testing.T) {
	for _, name := range []string{"iris-1", "iris-2"} {
		got := start(t, "../../local/models/"+name+"/model.joblib").do(t, "POST", "/v1/models/m:predict", strings.NewReader(irisBody))
		if diff := cmp.Diff(`200 {"predictions":[1,1]}`, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// XGBoost 3.0.5 answers the same. The file beside the model has the suffix of models too.
func TestAModelOfXGBoostAnswersAsItsBooster(t *testing.T) {
	dir := folder(t, "../format/xgboost/testdata/onehot.json")
	if err := os.WriteFile(filepath.Join(dir, "requirements.txt"), []byte("xgboost\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := start(t, iris, func(c *Config) { c.ModelDir = dir })
	got := r.do(t, "POST", "/v1/models/m:predict", strings.NewReader(`{"instances": [[null, 0, null], [7, -0.5, 3]]}`))
	if diff := cmp.Diff(`200 {"predictions":[-0.07099469751119614,-0.7594645023345947]}`, got); diff != "" {
		t.Error(diff)
	}
}

func TestDocumentationIsServedWithoutANetwork(t *testing.T) {
	r := start(t, iris, func(c *Config) { c.Docs = true })
	page := r.do(t, "GET", "/docs", nil)
	if !strings.HasPrefix(page, "200 <!doctype html>") || strings.Contains(page, "http://") || strings.Contains(page, "https://") {
		t.Errorf("GET /docs: %.200s, want a page that links to nothing outside", page)
	}
	var api struct{ Paths map[string]any }
	description := strings.TrimPrefix(r.do(t, "GET", "/openapi.json", nil), "200 ")
	if err := json.Unmarshal([]byte(description), &api); err != nil {
		t.Fatal(err)
	}
	if api.Paths["/v1/models/{model_name}:predict"] == nil {
		t.Errorf("openapi.json does not describe predictions: %v", api.Paths)
	}
}

func TestMetricsCountPredictions(t *testing.T) {
	r := start(t, iris)
	for range 3 {
		r.do(t, "POST", "/v1/models/m:predict", strings.NewReader(irisBody))
	}
	r.do(t, "POST", "/v1/models/m:predict", strings.NewReader(`{"instances":[[1]]}`))
	text := r.do(t, "GET", "/metrics", nil)
	for _, want := range []string{
		`request_preprocess_seconds_count{model_name="m"} 4`,
		`request_predict_seconds_count{model_name="m"} 3`,
		`request_postprocess_seconds_count{model_name="m"} 3`,
		`request_explain_seconds_count{model_name="m"} 0`,
		`request_predict_seconds_bucket{model_name="m",le="0.005"} `,
		`process_resident_memory_bytes`,
		`go_goroutines`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in:\n%s", want, text)
		}
	}
}

func TestBodiesBeyondTheLimitAreRefusedByName(t *testing.T) {
	r := start(t, iris, func(c *Config) { c.MaxBytes = 1 << 20 })
	body := make([]byte, 1<<20+1)
	want := `413 {"error":"The request is larger than 1048576 bytes: send fewer rows at once, or raise --max_request_bytes."}`
	for name, send := range map[string]func() string{
		"with a length":    func() string { return r.do(t, "POST", "/v1/models/m:predict", bytes.NewReader(body)) },
		"chunked":          func() string { return r.do(t, "POST", "/v1/models/m:predict", io.MultiReader(bytes.NewReader(body))) },
		"asking for leave": func() string { return r.do(t, "POST", "/", bytes.NewReader(body), "Expect", "100-continue") },
	} {
		if diff := cmp.Diff(want, send()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestRequestsThatAreNoHTTPGetAnAnswer(t *testing.T) {
	r := start(t, iris)
	for name, test := range map[string]struct{ request, want string }{
		"another protocol": {"hello\r\n\r\n", "400"},
		"a huge header":    {"GET / HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("x", 100_000) + "\r\n\r\n", "431"},
	} {
		conn := r.dial(t)
		if _, err := io.WriteString(conn, test.request); err != nil {
			t.Fatal(err)
		}
		line, err := bufio.NewReader(conn).ReadString('\n')
		if !strings.HasPrefix(line, "HTTP/1.1 "+test.want) {
			t.Errorf("%s: answer %q, %v, want %s", name, line, err, test.want)
		}
	}
}

func TestBadRequestsAreNeitherEchoedNorLogged(t *testing.T) {
	var logged eventually.Buffer
	r := start(t, iris, func(c *Config) { c.Log = slog.New(slog.NewTextHandler(&logged, nil)) })
	const secret = "Bearer SECRET"
	for _, request := range []string{
		"SECRET\r\n\r\n", "GET / HTTP/1.1\r\nAuthorization: " + secret + "\r\nno colon\r\n\r\n", "GET / SECRET\r\nHost: x\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: x\r\nAuthorization: " + secret + "\r\nContent-Length: SECRET\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nSECRET\r\n",
		"GET / HTTP/1.1\r\nHost: x\r\nSECRET: " + strings.Repeat("SECRET", 10_000) + "\r\n\r\n",
	} {
		conn := r.dial(t)
		if _, err := io.WriteString(conn, request); err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(conn)
		if !strings.HasPrefix(string(got), "HTTP/1.1 4") || strings.Contains(string(got), "SECRET") {
			t.Errorf("%.50q: %q, %v", request, got, err)
		}
	}
	r.stop()
	r.ended(t)
	if text := logged.String(); strings.Contains(text, "SECRET") {
		t.Errorf("logged: %s", text)
	}
}

func TestMethodsOfEachPath(t *testing.T) {
	r := start(t, iris)
	for _, test := range []struct{ method, path, want, allow string }{
		{"HEAD", "/", "200 ", ""},
		{"HEAD", "/v1/models/m", "200 ", ""},
		{"HEAD", "/metrics", "200 ", ""},
		{"HEAD", "/v1/models/x", "404 ", ""},
		{"HEAD", "/v1/models/m:predict", "405 ", "POST, OPTIONS"},
		{"OPTIONS", "/", "204 ", "GET, HEAD, OPTIONS"},
		{"OPTIONS", "/v1/models/m", "204 ", "GET, HEAD, OPTIONS"},
		{"OPTIONS", "/v1/models/m:predict", "204 ", "POST, OPTIONS"},
		{"OPTIONS", "*", "204 ", "GET, HEAD, POST, OPTIONS"},
		{"OPTIONS", "/v3", `404 {"detail":"Not Found"}`, ""},
		{"PUT", "/v1/models/m", `405 {"detail":"Method Not Allowed"}`, "GET, HEAD, OPTIONS"},
		{"GET", "/v1/models/m:predict", `405 {"detail":"Method Not Allowed"}`, "POST, OPTIONS"},
		{"TRACE", "/", `405 {"detail":"Method Not Allowed"}`, "GET, HEAD, OPTIONS"},
	} {
		conn := r.dial(t)
		if _, err := fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", test.method, test.path); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: test.method})
		if err != nil {
			t.Fatalf("%s %s: %v", test.method, test.path, err)
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if got := fmt.Sprintf("%d %s", resp.StatusCode, body); got != test.want || resp.Header.Get("Allow") != test.allow || err != nil {
			t.Errorf("%s %s: %s, Allow %q, %v", test.method, test.path, got, resp.Header.Get("Allow"), err)
		}
	}
}

func TestEncodedBodies(t *testing.T) {
	r := start(t, iris, func(c *Config) { c.MaxBytes = 1 << 20 })
	body := zipped(irisBody)
	for name, test := range map[string]struct {
		encoding string
		body     []byte
		want     string
	}{
		"gzip":           {"gzip", body, `200 {"predictions":[1,1]}`},
		"its other name": {"X-GZIP", body, `200 {"predictions":[1,1]}`},
		"none":           {"identity", []byte(irisBody), `200 {"predictions":[1,1]}`},
		"cut short":      {"gzip", body[:len(body)-12], `400 {"error":"The request body is not gzip, as its encoding says."}`},
		"not gzip":       {"gzip", []byte(irisBody), `400 {"error":"The request body is not gzip, as its encoding says."}`},
		"a bomb":         {"gzip", zipped(strings.Repeat(" ", 1<<20+1)), `413 {"error":"The request is larger than 1048576 bytes: send fewer rows at once, or raise --max_request_bytes."}`},
		"another":        {"br", body, `415 {"error":"The request body's Content-Encoding is not supported: send gzip, or none."}`},
		"twice":          {"gzip, gzip", zipped(string(body)), `415 {"error":"The request body's Content-Encoding is not supported: send gzip, or none."}`},
	} {
		if diff := cmp.Diff(test.want, r.do(t, "POST", "/v1/models/m:predict", bytes.NewReader(test.body), "Content-Encoding", test.encoding)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestRequestsUnderWayAreFinishedBeforeTheServerStops(t *testing.T) {
	r := start(t, iris)
	request := fmt.Sprintf("POST /v1/models/m:predict HTTP/1.1\r\nHost: m\r\nContent-Length: %d\r\n\r\n%s", len(irisBody), irisBody)
	predict, ready := r.dial(t), r.dial(t)
	question := "GET /v1/models/m HTTP/1.1\r\nHost: m\r\n\r\n"
	for conn, text := range map[net.Conn]string{predict: request[:len(request)/2], ready: question[:20]} {
		if _, err := io.WriteString(conn, text); err != nil {
			t.Fatal(err)
		}
	}
	eventually.Holds(t, func(context.Context) (any, bool) { n := r.accepted.Load(); return n, n == 2 })
	r.stop()
	r.refusesConnections(t)
	if _, err := io.WriteString(predict, request[len(request)/2:]); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(ready, question[20:]); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(`200 {"predictions":[1,1]}`, response(t, predict)); diff != "" {
		t.Errorf("the prediction (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(`503 {"error":"Model with name m is not ready."}`, response(t, ready)); diff != "" {
		t.Errorf("readiness (-want +got):\n%s", diff)
	}
	r.ended(t)
}

func TestAServerToldToStopAtOnceStops(t *testing.T) {
	for range 20 {
		r := start(t, iris)
		r.stop()
		r.ended(t)
	}
}

func TestFoldersWithoutOneGoodModelAreRefused(t *testing.T) {
	damaged := t.TempDir()
	data, err := os.ReadFile(iris)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name string, data []byte) string {
		file := filepath.Join(damaged, name)
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	sub := folder(t)
	if err := os.Mkdir(filepath.Join(sub, "model.joblib"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct{ dir, want string }{
		"no folder":             {"testdata/none", "read the model folder: open DIR: no such file or directory"},
		"an empty folder":       {folder(t), "no model file in the model folder: want one whose name ends in .joblib, .pkl, .pickle, .skops, .json, .ubj, .model, .txt, .bst, but the folder is empty"},
		"other files":           {folder(t, "server_test.go", "model.go"), "no model file in the model folder: want one whose name ends in .joblib, .pkl, .pickle, .skops, .json, .ubj, .model, .txt, .bst, found model.go, server_test.go"},
		"many other files":      {folder(t, "encode.go", "gone.go", "handler.go", "json.go", "metrics.go", "model.go"), "no model file in the model folder: want one whose name ends in .joblib, .pkl, .pickle, .skops, .json, .ubj, .model, .txt, .bst, found encode.go, gone.go, handler.go, json.go, metrics.go, ..."},
		"a folder of that name": {sub, "no model file in the model folder: want one whose name ends in .joblib, .pkl, .pickle, .skops, .json, .ubj, .model, .txt, .bst, found model.joblib/"},
		"two models":            {folder(t, iris, fixtures+"suffix.pickle"), "2 model files in the model folder, want one: model.joblib, suffix.pickle"},
		"a truncated model":     {folder(t, write("a.joblib", data[:2000])), "load a.joblib: the file ends too early: it is truncated or damaged"},
		"an unsupported one":    {folder(t, write("c.pkl", []byte("csklearn.gaussian_process._gpc\nGaussianProcessClassifier\n)\x81}U\x01xNsb."))), "load c.pkl: sklearn.gaussian_process.GaussianProcessClassifier is not supported: your own Python can serve this model, if you trust the file: set runtime: serin-python (docs/howto/your-own-python.md)"},
		"a hostile one":         {folder(t, write("b.pkl", []byte("cos\nsystem\n(S'id'\ntR."))), "load b.pkl: the file holds an os.system, not an estimator; nothing was executed"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := New(t.Context(), Config{ModelName: "m", ModelDir: test.dir, Log: slog.New(slog.DiscardHandler)})
			got := strings.ReplaceAll(fmt.Sprint(err), test.dir, "DIR")
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
}
