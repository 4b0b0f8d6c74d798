// SPDX-License-Identifier: Apache-2.0

package crash

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

const pace = 50 * time.Millisecond

// askOften asks for predictions until the test ends. None may fail.
func (c cluster) askOften(t *testing.T, namespace string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	asked := 0
	var failures []string
	go func() {
		defer close(done)
		tick := time.NewTicker(pace)
		defer tick.Stop()
		for ctx.Err() == nil {
			asked++
			if err := c.ask(namespace); err != nil {
				failures = append(failures, err.Error())
			}
			select {
			case <-ctx.Done():
			case <-tick.C:
			}
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-done
		t.Logf("%d requests", asked)
		if len(failures) > 0 {
			t.Errorf("%d of %d requests failed:\n%s", len(failures), asked, strings.Join(failures, "\n"))
		}
	})
}

// ask asks for one prediction.
func (c cluster) ask(namespace string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	body := strings.NewReader(`{"instances": [[6.8, 2.8, 4.8, 1.4]]}`)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+c.Router+"/v1/models/iris:predict", body)
	if err != nil {
		return err
	}
	req.Host = fmt.Sprintf("iris.%s.example.com", namespace)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", res.Status, answer)
	}
	return err
}
