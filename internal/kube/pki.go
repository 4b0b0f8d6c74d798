// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"crypto"
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
)

// pki is the directory's own certificate authority and what it signed. The
// authority and the key of service account tokens are kept for ever, so that
// kubeconfigs outlive restarts, and written whole or not at all: half of one,
// from a full disk, would stand in the way of every start. The rest is signed
// anew at each start.
type pki struct {
	dir  string
	ca   pair
	node pair
	user pair
}

type pair struct {
	cert    *x509.Certificate
	key     crypto.Signer
	certPEM []byte
	keyPEM  []byte
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

// loadCA reads the authority, or makes it at the first start.
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
			// The certificate last: a crash in between leaves a key to overwrite.
			if err = renameio.WriteFile(p.path(fileCAKey), made.keyPEM, 0o600); err == nil {
				err = renameio.WriteFile(p.path(fileCA), made.certPEM, 0o600)
			}
		}
	}
	p.ca = made
	return err
}

// loadAccountKey makes the key that signs service account tokens, once.
func (p *pki) loadAccountKey() error {
	if _, err := os.Stat(p.path(fileAccountKey)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	b, err := keyPEM(key)
	if err != nil {
		return err
	}
	return renameio.WriteFile(p.path(fileAccountKey), b, 0o600)
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
	t, err := tls.X509KeyPair(c, k)
	if err != nil {
		return pair{}, err
	}
	signer, ok := t.PrivateKey.(crypto.Signer)
	if !ok {
		return pair{}, fmt.Errorf("%s holds no signing key", key)
	}
	return pair{cert: t.Leaf, key: signer, certPEM: c, keyPEM: k}, nil
}

// sign makes a key and a certificate for it: self-signed for the authority.
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
	parent, signer := p.ca.cert, p.ca.key
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
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return pair{}, err
	}
	k, err := keyPEM(key)
	if err != nil {
		return pair{}, err
	}
	c := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return pair{cert: cert, key: key, certPEM: c, keyPEM: k}, nil
}

func keyPEM(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), nil
}

// nodeClient is the name by which the API server calls the node.
const nodeClient = "kube-apiserver-kubelet-client"

// nodeTLS serves as the node, to the API server alone: it asks who may.
func (p *pki) nodeTLS() *tls.Config {
	clients := x509.NewCertPool()
	clients.AddCert(p.ca.cert)
	return &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{p.node.cert.Raw}, PrivateKey: p.node.key}},
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

// Context is the name of cluster, user and context in kubeconfigs.
const Context = "serin"

// admin is an administrator's kubeconfig and the same as a client's config.
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
	r.QPS = -1 // the server is us: nobody else needs protection
	return file, r, nil
}
