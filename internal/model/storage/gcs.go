// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"cloud.google.com/go/storage"
	"gocloud.dev/blob"
	"gocloud.dev/blob/gcsblob"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google"
	"google.golang.org/api/option"
)

var gcs = &store{scheme: "gs", dial: dialGCS, describe: describeGCS, pin: pinGCS}

// dialGCS opens a bucket of Google Cloud Storage, or of the emulator that STORAGE_EMULATOR_HOST names.
func dialGCS(ctx context.Context, name string) (*connection, error) {
	emulator := os.Getenv("STORAGE_EMULATOR_HOST")
	hc, identity := httpClient, "anonymous (no Google credentials are configured, and "+unread+")"
	if emulator == "" {
		tokens, err := googleTokens(ctx)
		if err != nil {
			return nil, &Error{Subject: "gs://" + name, Reason: "the Google credentials cannot be used: " + err.Error(), Cause: err}
		}
		if tokens != nil {
			// That transport adds the token to every request, wherever a redirect leads.
			stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
			hc = &http.Client{Transport: &oauth2.Transport{Source: tokens, Base: httpClient.Transport}, CheckRedirect: stay}
			identity = "the configured Google credentials"
		}
	}
	client, err := storage.NewClient(ctx, option.WithHTTPClient(hc), storage.WithJSONReads())
	if err != nil {
		return nil, err
	}
	// Without this the library retries for ever, and logs nothing.
	client.SetRetry(storage.WithPolicy(storage.RetryNever))
	b, err := gcsblob.OpenBucket(ctx, nil, name, &gcsblob.Options{Client: client})
	if err != nil {
		return nil, err
	}
	return &connection{bucket: b, endpoint: emulator, identity: identity}, nil
}

// googleTokens finds the default credentials as Google's libraries do, or returns nil. It asks the
// metadata service only on Google's machines, which it recognises by their firmware, because the
// request hangs on a machine without a network.
func googleTokens(ctx context.Context) (oauth2.TokenSource, error) {
	machine := firmware("product_name", "Google")
	if !machine && !hasGoogleCredentials() {
		return nil, nil
	}
	ctx = context.WithValue(context.WithoutCancel(ctx), oauth2.HTTPClient, httpClient)
	creds, err := google.FindDefaultCredentials(ctx, storage.ScopeReadOnly)
	if err != nil {
		return nil, err
	}
	if _, err := creds.TokenSource.Token(); err != nil && machine && !hasGoogleCredentials() {
		return nil, nil // a machine without a service account
	}
	return creds.TokenSource, nil
}

func hasGoogleCredentials() bool {
	if os.Getenv("GOOGLE_APPLICATION_CREDENTIALS") != "" || os.Getenv("GCE_METADATA_HOST") != "" {
		return true
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return false
	}
	_, err = os.Stat(filepath.Join(home, ".config", "gcloud", "application_default_credentials.json"))
	return err == nil
}

// firmware reports whether the machine's firmware names vendor in the given field.
func firmware(field, vendor string) bool {
	b, err := os.ReadFile(filepath.Join("/sys/class/dmi/id", field))
	return err == nil && strings.HasPrefix(string(b), vendor)
}

func describeGCS(stored *blob.ListObject, o *object) {
	var a storage.ObjectAttrs
	if !stored.As(&a) {
		return
	}
	o.version = strconv.FormatInt(a.Generation, 10)
	o.crc32c = a.CRC32C
	if a.ContentEncoding == "gzip" {
		// The service decompresses such an object when it sends it, so that its size and checksum differ
		// from the content's.
		o.size, o.crc32c, o.resumable = -1, 0, false
	}
}

func pinGCS(as func(any) bool, version string) error {
	generation, err := strconv.ParseInt(version, 10, 64)
	var h **storage.ObjectHandle
	if err != nil || !as(&h) {
		return errors.New("cannot name the generation to read")
	}
	*h = (*h).Generation(generation)
	return nil
}
