// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// request is what the arguments of curl ask for, as much of them as stories
// and pages need: -s, -i, -v, -H, -d with @FILE, and one URL.
type request struct {
	url, body     string
	header        http.Header
	head, verbose bool
}

// curl is a small curl, so that tests need Go alone.
func curl() {
	r, err := parse(os.Args[1:])
	if err == nil {
		err = r.show()
	}
	exit("curl", err)
}

// count sends the request of `curl ARGS` N times, and says how many answers
// came from each revision. Every answer must be 200.
func count() {
	n, err := strconv.Atoi(os.Args[1])
	if err != nil {
		exit("count", err)
	}
	r, err := parse(os.Args[2:])
	if err != nil {
		exit("count", err)
	}
	by := map[string]int{}
	for range n {
		res, body, err := r.send()
		if err == nil && res.StatusCode != http.StatusOK {
			err = fmt.Errorf("%s: %s", res.Status, body)
		}
		if err != nil {
			exit("count", err)
		}
		by[res.Header.Get("Serin-Revision")]++
	}
	for _, revision := range slices.Sorted(maps.Keys(by)) {
		fmt.Println(by[revision], revision)
	}
}

// jq indents what it reads, like the program of that name without a filter.
func jq() {
	in, err := io.ReadAll(os.Stdin)
	if err != nil {
		exit("jq", err)
	}
	var value any
	if err := json.Unmarshal(in, &value); err != nil {
		exit("jq", err)
	}
	out, err := json.MarshalIndent(value, "", "  ")
	fmt.Println(string(out))
	exit("jq", err)
}

// exit ends the program if something went wrong.
func exit(program string, err error) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", program, err)
		os.Exit(1)
	}
}

func parse(args []string) (request, error) {
	r := request{header: http.Header{}}
	for i := 0; i < len(args); i++ {
		value := func() string { i++; return args[i] }
		switch args[i] {
		case "-s":
		case "-i":
			r.head = true
		case "-v":
			r.verbose = true
		case "-H":
			name, v, _ := strings.Cut(value(), ":")
			r.header.Add(name, strings.TrimSpace(v))
		case "-d":
			body, err := data(value())
			if err != nil {
				return r, err
			}
			r.body = body
		default:
			r.url = args[i]
		}
	}
	return r, nil
}

func data(s string) (string, error) {
	file, ok := strings.CutPrefix(s, "@")
	if !ok {
		return s, nil
	}
	b, err := os.ReadFile(file)
	return strings.TrimSpace(string(b)), err
}

// send returns the answer and its body.
func (r request) send() (*http.Response, string, error) { return r.sendBy(http.DefaultClient) }

func (r request) sendBy(client *http.Client) (*http.Response, string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url, nil)
	if err != nil {
		return nil, "", err
	}
	req.Header, req.Host = r.header.Clone(), r.header.Get("Host")
	if r.body != "" {
		req.Method, req.Body, req.ContentLength = http.MethodPost, io.NopCloser(strings.NewReader(r.body)), int64(len(r.body))
		if req.Header.Get("Content-Type") == "" {
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
	}
	res, err := client.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return res, string(body), err
}

// show sends the request and prints the answer as curl does.
func (r request) show() error {
	res, body, err := r.send()
	if err != nil {
		return err
	}
	var head strings.Builder
	fmt.Fprintf(&head, "HTTP/1.1 %s\n", res.Status)
	if err := res.Header.Write(&head); err != nil {
		return err
	}
	if r.verbose {
		for line := range strings.Lines(head.String()) {
			fmt.Fprint(os.Stderr, "< ", line)
		}
	}
	if r.head {
		fmt.Println(head.String())
	}
	fmt.Print(body)
	return nil
}
