// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
)

// curl is as much of curl as the tutorial needs, so that tests need Go alone:
// -s, -i, -H, -d with @FILE, -o /dev/null and one URL.
func curl() {
	if err := get(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "curl:", err)
		os.Exit(22)
	}
}

func get(args []string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "", nil)
	if err != nil {
		return err
	}
	head := false
	for i := 0; i < len(args); i++ {
		value := func() string { i++; return args[i] }
		switch args[i] {
		case "-s":
		case "-i":
			head = true
		case "-H":
			name, v, _ := strings.Cut(value(), ":")
			req.Header.Add(name, strings.TrimSpace(v))
		case "-d":
			body, err := data(value())
			if err != nil {
				return err
			}
			req.Method, req.Body, req.ContentLength = http.MethodPost, io.NopCloser(strings.NewReader(body)), int64(len(body))
			if req.Header.Get("Content-Type") == "" {
				req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			}
		default:
			if req.URL, err = req.URL.Parse(args[i]); err != nil {
				return err
			}
		}
	}
	req.Host = req.Header.Get("Host")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if head {
		fmt.Printf("HTTP/1.1 %s\n", res.Status)
		if err := res.Header.Write(os.Stdout); err != nil {
			return err
		}
		fmt.Println()
	}
	_, err = io.Copy(os.Stdout, res.Body)
	return err
}

func data(s string) (string, error) {
	file, ok := strings.CutPrefix(s, "@")
	if !ok {
		return s, nil
	}
	b, err := os.ReadFile(file)
	return strings.TrimSpace(string(b)), err
}
