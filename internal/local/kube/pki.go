// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/google/renameio/v2"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/client-go/util/cert"
	"k8s.io/client-go/util/keyutil"
)

// pki is a certificate authority and the certificates that it signed. The
// authority and the key for service account tokens are made once and written
// atomically: half a file, from a full disk, would make every later start fail.
// All other certificates are signed anew at each start.
type pki struct {
	dir  string
	ca   pair
	node pair
	user pair
}

// pair is a certificate with its key, parsed and as PEM.
type pair struct {
	tls.Certificate
	certPEM, keyPEM []byte
}

const (
	yearsCA   = 10
	yearsLeaf = 1
)

// Files in the directory, for components that read files only.
const (
	fileCA         = "ca.crt"
	fileCAKey      = "ca.key"
	fileServing    = "apiserver.crt"
	fileServingKey = "apiserver.key"
	fileKubelet    = "kubelet-client.crt"
	fileKubeletKey = "kubelet-client.key"
	fileAccountKey = "service-accounts.key"
	fileAdmin      = "admin.kubeconfig"
)

func (p *pki) path(name string) string { return filepath.Join(p.dir, name) }

func loadPKI(dir, node string) (*pki, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make certificate directory: %w", err)
	}
	p := &pki{dir: dir}
	if err := p.loadCA(); err != nil {
		return nil, fmt.Errorf("load certificate authority from %s: %w", dir, err)
	}
	if err := p.loadAccountKey(); err != nil {
		return nil, fmt.Errorf("load service account key from %s: %w", dir, err)
	}
	loopback := []net.IP{net.IPv4(127, 0, 0, 1), net.IPv4(10, 0, 0, 1)}
	for _, c := range []struct {
		to        *pair
		cert, key string // files, if a component needs them
		template  x509.Certificate
	}{
		{cert: fileServing, key: fileServingKey, template: x509.Certificate{
			Subject:     pkix.Name{CommonName: "kube-apiserver"},
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
			IPAddresses: loopback,
			DNSNames:    []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"},
		}},
		{cert: fileKubelet, key: fileKubeletKey, template: x509.Certificate{
			Subject:     pkix.Name{CommonName: nodeClient, Organization: []string{"system:masters"}},
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		}},
		{to: &p.user, template: x509.Certificate{
			Subject:     pkix.Name{CommonName: "serin-admin", Organization: []string{"system:masters"}},
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		}},
		{to: &p.node, template: x509.Certificate{
			Subject:     pkix.Name{CommonName: "system:node:" + node, Organization: []string{"system:nodes"}},
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
			IPAddresses: loopback[:1],
			DNSNames:    []string{"localhost", node},
		}},
	} {
		made, err := p.sign(c.template)
		if err != nil {
			return nil, fmt.Errorf("sign certificate of %s: %w", c.template.Subject.CommonName, err)
		}
		if c.to != nil {
			*c.to = made
		}
		if c.cert != "" {
			if err := errors.Join(os.WriteFile(p.path(c.cert), made.certPEM, 0o600), os.WriteFile(p.path(c.key), made.keyPEM, 0o600)); err != nil {
				return nil, fmt.Errorf("write certificate: %w", err)
			}
		}
	}
	return p, nil
}

// loadCA reads the authority, or makes it when there is none.
func (p *pki) loadCA() error {
	made, err := readPair(p.path(fileCA), p.path(fileCAKey))
	if errors.Is(err, fs.ErrNotExist) {
		made, err = p.sign(x509.Certificate{
			Subject:               pkix.Name{CommonName: "serin"},
			IsCA:                  true,
			BasicConstraintsValid: true,
			KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		})
		if err == nil {
			// The certificate last: after a crash in between, the next start overwrites the key.
			if err = renameio.WriteFile(p.path(fileCAKey), made.keyPEM, 0o600); err == nil {
				err = renameio.WriteFile(p.path(fileCA), made.certPEM, 0o600)
			}
		}
	}
	p.ca = made
	return err
}

// loadAccountKey makes the key that signs service account tokens, unless it exists.
func (p *pki) loadAccountKey() error {
	if _, err := os.Stat(p.path(fileAccountKey)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	key, err := keyutil.MakeEllipticPrivateKeyPEM()
	if err != nil {
		return err
	}
	return renameio.WriteFile(p.path(fileAccountKey), key, 0o600)
}

func readPair(cert, key string) (pair, error) {
	c, err := os.ReadFile(cert)
	if err != nil {
		return pair{}, err
	}
	k, err := os.ReadFile(key)
	if err != nil {
		return pair{}, err
	}
	return newPair(c, k)
}

func newPair(certPEM, keyPEM []byte) (pair, error) {
	t, err := tls.X509KeyPair(certPEM, keyPEM)
	return pair{t, certPEM, keyPEM}, err
}

// sign makes an ECDSA key on P-256 and a certificate for it. The authority
// signs itself and is valid for ten years, all others for one.
func (p *pki) sign(t x509.Certificate) (pair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return pair{}, err
	}
	if t.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120)); err != nil {
		return pair{}, err
	}
	t.NotBefore = time.Now().AddDate(0, 0, -1) // clocks of virtual machines jump
	t.NotAfter = t.NotBefore.AddDate(yearsLeaf, 0, 0)
	parent, signer := p.ca.Leaf, p.ca.PrivateKey
	if t.IsCA {
		t.NotAfter = t.NotBefore.AddDate(yearsCA, 0, 0)
		parent, signer = &t, key
	}
	if t.KeyUsage == 0 {
		t.KeyUsage = x509.KeyUsageDigitalSignature
	}
	der, err := x509.CreateCertificate(rand.Reader, &t, parent, key.Public(), signer)
	if err != nil {
		return pair{}, err
	}
	k, err := keyutil.MarshalPrivateKeyToPEM(key)
	if err != nil {
		return pair{}, err
	}
	return newPair(pem.EncodeToMemory(&pem.Block{Type: cert.CertificateBlockType, Bytes: der}), k)
}

// nodeClient is the common name of the API server as a client of the node.
const nodeClient = "kube-apiserver-kubelet-client"

// nodeTLS returns the TLS configuration of the node's server, which accepts the
// API server as its only client.
func (p *pki) nodeTLS() *tls.Config {
	clients := x509.NewCertPool()
	clients.AddCert(p.ca.Leaf)
	return &tls.Config{
		Certificates: []tls.Certificate{p.node.Certificate},
		ClientAuth:   tls.RequireAndVerifyClientCert,
		ClientCAs:    clients,
		MinVersion:   tls.VersionTLS12,
		VerifyConnection: func(c tls.ConnectionState) error {
			if name := c.PeerCertificates[0].Subject.CommonName; name != nodeClient {
				return fmt.Errorf("%s may not call the node", name)
			}
			return nil
		},
	}
}

// Context names the cluster, the user and the context in kubeconfigs.
const Context = "serin"

// admin returns an administrator's kubeconfig, as a file and as a client's
// configuration.
func (p *pki) admin(server string) ([]byte, *rest.Config, error) {
	c := clientcmdapi.NewConfig()
	c.Clusters[Context] = &clientcmdapi.Cluster{Server: server, CertificateAuthorityData: p.ca.certPEM}
	c.AuthInfos[Context] = &clientcmdapi.AuthInfo{ClientCertificateData: p.user.certPEM, ClientKeyData: p.user.keyPEM}
	c.Contexts[Context] = &clientcmdapi.Context{Cluster: Context, AuthInfo: Context}
	c.CurrentContext = Context
	file, err := clientcmd.Write(*c)
	if err != nil {
		return nil, nil, fmt.Errorf("write kubeconfig: %w", err)
	}
	r, err := clientcmd.NewDefaultClientConfig(*c, nil).ClientConfig()
	if err != nil {
		return nil, nil, fmt.Errorf("read kubeconfig: %w", err)
	}
	r.QPS = -1 // unlimited: the server has no other users to protect
	return file, r, nil
}
