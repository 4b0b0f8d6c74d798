// SPDX-License-Identifier: Apache-2.0

// Package bucket is the object store of the demonstration: a read-only server that speaks as much of
// the Google Cloud Storage JSON API as downloading a model takes.
//
// Objects are read from a file system once, at the start, and served from memory, so it is made for
// small models. Clients reach it through STORAGE_EMULATOR_HOST. It has no writes, no folders in
// listings and no credentials.
package bucket

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io/fs"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Start serves objects, laid out as bucket/object, on a free port of loopback until ctx ends. It
// returns the URL of the server.
func Start(ctx context.Context, objects fs.FS) (string, error) {
	return StartAt(ctx, "127.0.0.1", objects)
}

// StartAt is Start on the address host of this machine.
func StartAt(ctx context.Context, host string, objects fs.FS) (string, error) {
	s, err := load(objects)
	if err != nil {
		return "", fmt.Errorf("read the objects to serve: %w", err)
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return "", fmt.Errorf("serve objects: %w", err)
	}
	server := &http.Server{Handler: s.handler(), ReadHeaderTimeout: 10 * time.Second}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	go server.Serve(l) //nolint:errcheck // ends with ErrServerClosed when ctx does
	return "http://" + l.Addr().String(), nil
}

// buckets holds the objects of each bucket, sorted by name.
type buckets map[string][]object

// object is a part of the API's object resource, in which numbers are strings.
type object struct {
	Kind       string `json:"kind"`
	Bucket     string `json:"bucket"`
	Name       string `json:"name"`
	Size       string `json:"size"`
	Generation string `json:"generation"`
	CRC32C     string `json:"crc32c"`
	Updated    string `json:"updated"`

	content []byte
}

func load(objects fs.FS) (buckets, error) {
	all := buckets{}
	err := fs.WalkDir(objects, ".", func(path string, d fs.DirEntry, err error) error {
		bucket, name, ok := strings.Cut(path, "/")
		if err != nil || path == "." {
			return err
		}
		if d.IsDir() {
			if all[bucket] == nil {
				all[bucket] = []object{} // an empty bucket is a bucket
			}
			return nil
		}
		if !ok {
			return fmt.Errorf("%s is in no bucket", path)
		}
		content, err := fs.ReadFile(objects, path)
		if err != nil {
			return err
		}
		all[bucket] = append(all[bucket], describe(bucket, name, content))
		return nil
	})
	for _, in := range all {
		slices.SortFunc(in, func(a, b object) int { return strings.Compare(a.Name, b.Name) })
	}
	return all, err
}

func describe(bucket, name string, content []byte) object {
	// The generation is a hash of the content, so it survives a restart of the server.
	sum := sha256.Sum256(content)
	generation := binary.BigEndian.Uint64(sum[:])>>1 | 1
	crc := crc32.Checksum(content, crc32.MakeTable(crc32.Castagnoli))
	return object{
		Kind:       "storage#object",
		Bucket:     bucket,
		Name:       name,
		Size:       strconv.Itoa(len(content)),
		Generation: strconv.FormatUint(generation, 10),
		CRC32C:     base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, crc)),
		Updated:    "2000-01-01T00:00:00Z",
		content:    content,
	}
}

func (b buckets) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /storage/v1/b/{bucket}/o", b.list)
	mux.HandleFunc("GET /storage/v1/b/{bucket}/o/{name...}", b.get)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		refuse(w, http.StatusNotImplemented, r.Method+" "+r.URL.Path+" is more than this read-only store can do")
	})
	return mux
}

const maxPage = 1000

func (b buckets) list(w http.ResponseWriter, r *http.Request) {
	in, ok := b[r.PathValue("bucket")]
	if !ok {
		refuse(w, http.StatusNotFound, "The specified bucket does not exist.")
		return
	}
	q := r.URL.Query()
	if q.Get("delimiter") != "" {
		refuse(w, http.StatusNotImplemented, "this store lists no folders")
		return
	}
	size, err := strconv.Atoi(q.Get("maxResults"))
	if err != nil || size < 1 || size > maxPage {
		size = maxPage
	}
	page := struct {
		Kind  string   `json:"kind"`
		Items []object `json:"items"`
		Next  string   `json:"nextPageToken,omitempty"`
	}{Kind: "storage#objects"}
	for _, o := range in {
		// The token is the last name of the page before.
		if !strings.HasPrefix(o.Name, q.Get("prefix")) || o.Name <= q.Get("pageToken") {
			continue
		}
		if len(page.Items) == size {
			page.Next = page.Items[size-1].Name
			break
		}
		page.Items = append(page.Items, o)
	}
	answer(w, http.StatusOK, page)
}

func (b buckets) get(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	in, name := b[r.PathValue("bucket")], r.PathValue("name")
	i, ok := slices.BinarySearchFunc(in, name, func(o object, name string) int { return strings.Compare(o.Name, name) })
	if !ok || q.Has("generation") && q.Get("generation") != in[i].Generation {
		refuse(w, http.StatusNotFound, "No such object: "+r.PathValue("bucket")+"/"+name)
		return
	}
	if q.Get("alt") != "media" {
		answer(w, http.StatusOK, in[i])
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("X-Goog-Generation", in[i].Generation)
	h.Set("X-Goog-Hash", "crc32c="+in[i].CRC32C)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(in[i].content))
}

// refuse answers as the API does, so that clients show the message.
func refuse(w http.ResponseWriter, code int, message string) {
	answer(w, code, map[string]any{"error": map[string]any{"code": code, "message": message}})
}

func answer(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(body) // the client went away: nothing to do about it
}
