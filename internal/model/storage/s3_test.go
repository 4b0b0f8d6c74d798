// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
)

func serveS3(t *testing.T, objects map[string]string) *service {
	t.Helper()
	noCredentials(t)
	backend := s3mem.New()
	for name, content := range objects {
		bucket, key, _ := strings.Cut(name, "/")
		if ok, err := backend.BucketExists(bucket); err != nil || !ok {
			if err := backend.CreateBucket(bucket); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := backend.PutObject(bucket, key, nil, strings.NewReader(content), int64(len(content)), nil); err != nil {
			t.Fatal(err)
		}
	}
	return serve(t, gofakes3.New(backend).Server())
}

func TestFoldersAndObjectsAreFetchedFromS3(t *testing.T) {
	s := serveS3(t, map[string]string{
		"b/model/model.joblib":   "one",
		"b/model/meta/x.json":    "{}",
		"b/model-2/model.joblib": "two",
		"b/lone.zip":             zipped(t, map[string]string{"x": "y"}),
	})
	t.Setenv("S3_ENDPOINT", s.host())
	t.Setenv("S3_USE_HTTPS", "0")
	cacheDir := t.TempDir()
	for source, want := range map[string]map[string]string{
		"s3://b/model":    {"model.joblib": "one", "meta/x.json": "{}"},
		"s3://b/model-2":  {"model.joblib": "two"},
		"s3://b/lone.zip": {"x": "y"},
	} {
		for range 2 {
			if diff := cmp.Diff(want, mustFetch(t, cacheDir, source)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", source, diff)
			}
		}
	}
	s.matching()
	mustFetch(t, cacheDir, "s3://b/model")
	if n := s.matching(); n != 1 {
		t.Errorf("%d requests with a full cache, want one listing", n)
	}
}

func TestS3Environment(t *testing.T) {
	s := serveS3(t, map[string]string{"b/model/model.joblib": "one"})
	for _, c := range []struct {
		name string
		env  map[string]string
		want string // in the Authorization header
	}{
		{"keys sign for the region", map[string]string{"AWS_ENDPOINT_URL": s.URL, "AWS_ACCESS_KEY_ID": "me", "AWS_SECRET_ACCESS_KEY": "s", "AWS_DEFAULT_REGION": "eu-central-1"}, "/eu-central-1/s3/"},
		{"the usual region", map[string]string{"AWS_ENDPOINT_URL": s.URL, "AWS_ACCESS_KEY_ID": "me", "AWS_SECRET_ACCESS_KEY": "s"}, "/us-east-1/s3/"},
		{"anonymous by KServe's name", map[string]string{"AWS_ENDPOINT_URL": s.URL, "AWS_ACCESS_KEY_ID": "me", "AWS_SECRET_ACCESS_KEY": "s", "awsAnonymousCredential": "True"}, ""},
		{"anonymous without keys", map[string]string{"S3_ENDPOINT": s.URL}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			for name, value := range c.env {
				t.Setenv(name, value)
			}
			got := "no request"
			s.fault = func(_ http.ResponseWriter, r *http.Request) bool {
				got = r.Header.Get("Authorization")
				return false
			}
			mustFetch(t, "", "s3://b/model")
			if !strings.Contains(got, c.want) || c.want == "" && got != "" {
				t.Errorf("Authorization %q, want %q in it", got, c.want)
			}
		})
	}
}

func TestS3FailuresAreOneLine(t *testing.T) {
	for _, c := range []struct {
		name, source, want string
		status             int
	}{
		{"a missing bucket", "s3://nobody/model", `s3://nobody/model: no such bucket: "nobody" does not exist`, 0},
		{"a missing path", "s3://b/x", "s3://b/x: no such model: nothing is stored under this path", 0},
		{"denied", "s3://b/model", "s3://b/model: access denied to anonymous (no AWS credentials are configured, and Secrets of KServe's storage are not read yet): Forbidden", http.StatusForbidden},
		{"another region", "s3://b/model", "s3://b/model: the bucket is in another region: set AWS_DEFAULT_REGION to its region", http.StatusMovedPermanently},
		{"unavailable", "s3://b/model", "s3://b/model: the storage service answered 503 Service Unavailable", http.StatusServiceUnavailable},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := serveS3(t, map[string]string{"b/model/model.joblib": "one"})
			t.Setenv("AWS_ENDPOINT_URL", s.URL)
			if c.status != 0 {
				s.fault = func(w http.ResponseWriter, _ *http.Request) bool {
					w.WriteHeader(c.status)
					return true
				}
			}
			log, err := try(t, t.TempDir(), c.source, t.TempDir())
			if err == nil || err.Error() != c.want {
				t.Errorf("got  %v\nwant %s\nlog:\n%s", err, c.want, log)
			}
		})
	}
}

// A Secret of KServe's names the endpoint of a MinIO, and is not read: Amazon is
// asked instead.
func TestMissingBucketAtAmazonNamesTheEndpoint(t *testing.T) {
	missing := &statusError{code: http.StatusNotFound}
	got := bucketSource{store: s3store, bucket: "models", key: "iris"}.denied(&connection{}, missing).Error()
	want := `s3://models/iris: no such bucket: "models" does not exist at Amazon (AWS_ENDPOINT_URL is not set, and Secrets of KServe's storage are not read yet)`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestUnreachableAmazonNamesTheEndpoint(t *testing.T) {
	for host, hint := range map[string]string{
		"models.s3.us-east-1.amazonaws.com": " (AWS_ENDPOINT_URL is not set, and Secrets of KServe's storage are not read yet)", "minio": "",
	} {
		err := &url.Error{Op: "Get", URL: "https://" + host + "/?list-type=2", Err: &net.DNSError{IsNotFound: true}}
		want := "s3://models/iris: cannot reach " + host + ": its name is not known here" + hint
		if got := explain("s3://models/iris", err).Error(); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

func TestS3Endpoint(t *testing.T) {
	for _, c := range []struct {
		name string
		env  map[string]string
		want string
	}{
		{"Amazon's when nothing is said", nil, ""},
		{"https by default", map[string]string{"S3_ENDPOINT": "minio:9000"}, "https://minio:9000"},
		{"http when asked for", map[string]string{"S3_ENDPOINT": "minio:9000", "S3_USE_HTTPS": "0"}, "http://minio:9000"},
		{"a scheme beats the switch", map[string]string{"S3_ENDPOINT": "https://minio", "S3_USE_HTTPS": "0"}, "https://minio"},
		{"the full URL comes first", map[string]string{"S3_ENDPOINT": "minio", "AWS_ENDPOINT_URL": "http://other"}, "http://other"},
	} {
		t.Run(c.name, func(t *testing.T) {
			noCredentials(t)
			for name, value := range c.env {
				t.Setenv(name, value)
			}
			if got := s3Endpoint(); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
