// SPDX-License-Identifier: Apache-2.0

package setting_test

import (
	"flag"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"github.com/serin-dev/serin/internal/setting"
)

var (
	_ flag.Value  = (*setting.Value)(nil)
	_ pflag.Value = (*setting.Value)(nil)
)

func TestValuesAcceptAndRejectTexts(t *testing.T) {
	var (
		n     int
		n32   int32
		d     time.Duration
		s     string
		words []string
	)
	for name, tt := range map[string]struct {
		value       *setting.Value
		good, wrong string // with a blank between two
		says        string
	}{
		"a port": {
			setting.Port(&n, 80), "1 80 65535", "0 -1 65536 70000 8080x 1e3 99999999999999999999", "must be a port from 1 to 65535",
		},
		"a port that may be free": {setting.FreePort(&n, 0), "0 65535", "-1 65536 http", "or 0 for a free one"},
		"a number":                {setting.Number(&n32, 2, 1, 100), "1 100", "0 101 -5 1.5 abc 4294967297", "must be a whole number from 1 to 100"},
		"a duration":              {setting.Duration(&d, time.Second, time.Millisecond), "1ms 5m 1h30m", "0 -1s 5 s 1ns", "must be a duration"},
		"a domain": {
			setting.Domain(&s, "example.com"), "example.com localhost a.b-c.d1", "Example.com .com com. a..b -a a_b http://a a:80 " + strings.Repeat("a", 64), "must be a domain",
		},
		"a name":         {setting.Name(&s, ""), "serin-system a", "Serin a.b a/b -a a_b", "must be a name"},
		"where to serve": {setting.Listen(&s, ":80"), ":0 :8080 127.0.0.1:80 [::1]:80 localhost:80", "80 :65536 :-1 a: :http ::1 http://a:80 a/b:80", "must be HOST:PORT"},
		"what to reach":  {setting.Target(&s, ""), "a.b.svc:8081 127.0.0.1:1", ":80 a:0 a a:65536", "must be HOST:PORT"},
		"a host":         {setting.Host(&s, ""), "a.b.svc 127.0.0.1", "a:80 a/b http://a", "must be a host"},
		"a folder":       {setting.Folder(&s, ""), "/a /", "a ./a ../a /a/../b", "must be an absolute path"},
		"a word":         {setting.OneOf(&s, "a", "a", "b", "c"), "a b c", "A d ab", "must be a, b or c"},
		"words":          {setting.Some(&words, "a", "b"), "a b a,b", "c a,c a,,b", `must be one or more of a,b`},
		"a variable":     {setting.Environment(&words), "A=b A=", "A =b", "must be NAME=VALUE"},
	} {
		t.Run(name, func(t *testing.T) {
			for good := range strings.FieldsSeq(tt.good) {
				if err := tt.value.Set(good); err != nil {
					t.Errorf("%s is refused: %v", good, err)
				}
			}
			before := tt.value.String()
			for wrong := range strings.FieldsSeq(tt.wrong) {
				if err := tt.value.Set(wrong); err == nil || !strings.Contains(err.Error(), tt.says) {
					t.Errorf("%s is answered %v, want: %s", wrong, err, tt.says)
				}
			}
			if name != "words" && tt.value.String() != before {
				t.Errorf("%s became %s by what was refused", before, tt.value)
			}
		})
	}
}

// What a value shows as its default must be what it takes.
func TestDefaultsAreRead(t *testing.T) {
	for _, v := range []*setting.Value{
		setting.Duration(new(time.Duration), 0, 0), setting.Duration(new(time.Duration), time.Minute, 0), setting.Port(new(int), 80),
		setting.Domain(new(string), "example.com"), setting.Listen(new(string), ":80"), setting.LogLevel(new(string), "warn"), setting.Target(new(string), ""),
	} {
		if err := v.Set(v.String()); err != nil {
			t.Errorf("%s %q: %v", v.Type(), v, err)
		}
	}
}

func TestPackageFlagTakesThem(t *testing.T) {
	var port int
	fs := flag.NewFlagSet("", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.Var(setting.Port(&port, 80), "port", "")
	fs.PrintDefaults()
	if err := fs.Parse([]string{"--port=8080"}); err != nil || port != 8080 {
		t.Errorf("port %d, %v", port, err)
	}
	if err := fs.Parse([]string{"--port=0"}); err == nil || !strings.Contains(err.Error(), "must be a port") {
		t.Errorf("port 0 is answered %v", err)
	}
}

func FuzzSet(f *testing.F) {
	for _, s := range []string{"", "0", "-5", ":80", "[::1]:80", "a.b", "1h", "a=b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var (
			n int
			d time.Duration
			w string
		)
		if setting.Port(&n, 1).Set(s) == nil && (n < 1 || n > 65535) {
			t.Errorf("port %d of %q", n, s)
		}
		if setting.Duration(&d, 1, 1).Set(s) == nil && d < 1 {
			t.Errorf("duration %v of %q", d, s)
		}
		for _, v := range []*setting.Value{setting.Domain(&w, ""), setting.Target(&w, ""), setting.Listen(&w, ""), setting.Host(&w, ""), setting.Name(&w, "")} {
			if v.Set(s) == nil && strings.ContainsAny(s, " /!\n\x00") {
				t.Errorf("%s takes %q", v.Type(), s)
			}
		}
	})
}
