// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

func writeKubeconfig(t *testing.T, e Endpoints) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "kubeconfig")
	config := clientcmdapi.NewConfig()
	config.Clusters["serin"] = &clientcmdapi.Cluster{Server: "https://127.0.0.1:6443"}
	config.Contexts["serin"] = &clientcmdapi.Context{Cluster: "serin"}
	config.CurrentContext = "serin"
	if err := e.AddTo(config.Clusters["serin"]); err != nil {
		t.Fatal(err)
	}
	if err := clientcmd.WriteToFile(*config, file); err != nil {
		t.Fatal(err)
	}
	return file
}

// What `serin up` writes into a kubeconfig is read back, also by way of a file.
func TestKubeconfig(t *testing.T) {
	kubeconfig := writeKubeconfig(t, Endpoints{Router: "http://127.0.0.1:8080", Metrics: "http://127.0.0.1:9090"})
	for name, tt := range map[string]struct {
		target target
		want   string
	}{
		"by flag":       {target: target{kubeconfig: kubeconfig}},
		"by program":    {target: target{options: Options{Kubeconfig: func() (string, error) { return kubeconfig, nil }}}},
		"no context":    {target: target{kubeconfig: kubeconfig, context: "other"}, want: "choose one with --context: serin"},
		"no such file":  {target: target{kubeconfig: kubeconfig + "x"}, want: "no such file"},
		"nothing there": {target: target{options: Options{Kubeconfig: func() (string, error) { return kubeconfig + "x", nil }}}, want: "'serin up' writes one"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("KUBECONFIG", "")
			c, err := tt.target.open()
			if tt.want != "" {
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("opened: %v, want %q", err, tt.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if c.endpoints.Metrics != "http://127.0.0.1:9090" || c.server != "https://127.0.0.1:6443" || c.namespace != "default" {
				t.Errorf("opened %+v", c)
			}
		})
	}
}
