// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
)

// internet lets 127.0.0.2 stand for the internet, and all else be private.
func internet(t *testing.T) {
	t.Helper()
	tr := http.DefaultTransport.(*http.Transport).Clone()
	tune(tr)
	before := httpClient.Transport
	httpClient.Transport = newGuard(tr, func(at netip.Addr) bool { return at.String() == "127.0.0.2" })
	t.Cleanup(func() {
		httpClient.CloseIdleConnections()
		httpClient.Transport = before
	})
}

// serverAt listens on an address of its own.
func serverAt(t *testing.T, address string, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", address+":0")
	if err != nil {
		t.Skipf("this system has no address %s: %v", address, err)
	}
	s := httptest.NewUnstartedServer(h)
	_ = s.Listener.Close()
	s.Listener = ln
	s.Start()
	t.Cleanup(s.Close)
	return s
}

func TestRedirectsFromAPublicAddressLeadToPublicOnes(t *testing.T) {
	noCredentials(t)
	internet(t)
	asked := 0
	model := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/octet-stream")
		fmt.Fprint(w, "x")
	}
	private := serverAt(t, "127.0.0.1", func(w http.ResponseWriter, r *http.Request) {
		asked++
		if to := r.URL.Query().Get("to"); to != "" {
			http.Redirect(w, r, to, http.StatusFound)
			return
		}
		model(w, r)
	})
	public := serverAt(t, "127.0.0.2", func(w http.ResponseWriter, r *http.Request) {
		if to := r.URL.Query().Get("to"); to != "" {
			http.Redirect(w, r, to, http.StatusTemporaryRedirect)
			return
		}
		model(w, r)
	})
	_, port, _ := strings.Cut(private.Listener.Addr().String(), ":")
	refused := func(host string) string {
		return fmt.Sprintf("the server redirects to %s:%s, which is not a public address: only a storageUri may name one itself", host, port)
	}
	for _, c := range []struct{ name, uri, want string }{
		{"a private source", private.URL + "/m", ""},
		{"from private to private", private.URL + "/m?to=" + private.URL + "/n", ""},
		{"from private to public", private.URL + "/m?to=" + public.URL + "/n", ""},
		{"from public to public", public.URL + "/m?to=" + public.URL + "/n", ""},
		{"from public to private", public.URL + "/m?to=" + private.URL + "/n", refused("127.0.0.1")},
		{"to a name that leads there", public.URL + "/m?to=http://localhost:" + port + "/n", refused("localhost")},
		{"to another form of the address", public.URL + "/m?to=http://[::ffff:127.0.0.1]:" + port + "/n", refused("[::ffff:127.0.0.1]")},
		{"by way of a public one", private.URL + "/m?to=" + public.URL + "/m?to=" + private.URL + "/n", refused("127.0.0.1")},
	} {
		t.Run(c.name, func(t *testing.T) {
			// It leaves a connection to the private server, which a redirect must not use.
			if _, err := try(t, "", private.URL+"/m", t.TempDir()); err != nil {
				t.Fatal(err)
			}
			asked = 0
			_, err := try(t, "", c.uri, t.TempDir())
			switch {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want != "" && (err == nil || !strings.HasSuffix(err.Error(), c.want)):
				t.Errorf("got  %v\nwant %s", err, c.want)
			case strings.HasPrefix(c.name, "from public to private") && asked > 0:
				t.Errorf("the private server was asked %d times", asked)
			}
		})
	}
}

func TestRedirectsSendNoReferer(t *testing.T) {
	noCredentials(t)
	var referer []string
	other := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		referer = append(referer, r.Header.Get("Referer"))
		w.Header().Set("Content-Type", "application/octet-stream")
		fmt.Fprint(w, "x")
	}))
	s := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL, http.StatusFound)
	}))
	mustFetch(t, "", s.URL+"/m?signature=secret")
	if got := strings.Join(referer, ""); got != "" || len(referer) == 0 {
		t.Errorf("%d requests with the referer %q, want none", len(referer), got)
	}
}

func TestRedirectsNeverLeaveHTTPS(t *testing.T) {
	request := func(url string) *http.Request {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	for _, c := range []struct {
		via  []string
		to   string
		want bool
	}{
		{[]string{"https://a/m"}, "https://b/m", true},
		{[]string{"http://a/m"}, "https://a/m", true},
		{[]string{"https://a/m"}, "http://a/m", false},
		{[]string{"http://a/m", "https://b/m"}, "http://c/m", false},
	} {
		var via []*http.Request
		for _, url := range c.via {
			via = append(via, request(url))
		}
		if err := checkRedirect(request(c.to), via); (err == nil) != c.want {
			t.Errorf("%v to %s: %v", c.via, c.to, err)
		}
	}
}

func TestPublicAddresses(t *testing.T) {
	for address, want := range map[string]bool{
		"8.8.8.8": true, "2600:1901::1": true, "::ffff:8.8.8.8": true, "64:ff9b::8.8.8.8": true,
		"127.0.0.1": false, "::1": false, "::ffff:127.0.0.1": false, "0.0.0.0": false, "::": false, "0.1.2.3": false,
		"10.1.2.3": false, "172.16.0.1": false, "192.168.1.1": false, "fd00:ec2::254": false, "fc00::1": false,
		"169.254.169.254": false, "::ffff:169.254.169.254": false, "fe80::1": false, "fe80::1%eth0": false,
		"100.100.100.200": false, "192.0.0.192": false, "198.18.0.1": false, "224.0.0.1": false, "255.255.255.255": false,
		"64:ff9b::a9fe:a9fe": false, "2002:a9fe:a9fe::1": false, "::127.0.0.1": false, "ff02::1": false, "fec0::1": false,
	} {
		if got := isPublic(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s: %v, want %v", address, got, want)
		}
	}
}

func TestBehindAProxyHostNamesAreChecked(t *testing.T) {
	g := newGuard(&http.Transport{}, isPublic)
	for host, want := range map[string]bool{
		"models.example.org": true, "8.8.8.8": true,
		"169.254.169.254": false, "::1": false, "localhost": false, "LOCALHOST.": false, "a.localhost": false,
		"metadata.google.internal": false, "printer.local": false, "kubernetes": false,
	} {
		if got := g.mayBePublic(host); got != want {
			t.Errorf("%s: %v, want %v", host, got, want)
		}
	}
}
