// SPDX-License-Identifier: Apache-2.0

package local

import "fmt"

// All parts but etcd share the file descriptors of one process. etcd is a child
// with as many of its own: it keeps 150 free, and the API server's connections
// take 60.
const (
	// ownDescriptors is the need of all parts without a client: 103 were counted,
	// most of them the API server's connections to etcd.
	ownDescriptors = 192
	// ownConnections is how many of these are connections to the API.
	ownConnections = 16
	// fewest is the smallest share with which Serin starts.
	fewest = 8
	// most bounds a share, because each connection needs memory too.
	most = 32 << 10
)

// share returns how many connections each of four parties may have: clients of
// the API, clients of the router, the router to Pods, and the API server to the
// node. A fifth share is left for the node's Pods. It returns an error if a
// share is smaller than fewest.
func share(descriptors int) (int, error) {
	each := min((descriptors-ownDescriptors)/5, most)
	if each < fewest {
		return 0, fmt.Errorf("%d file descriptors are too few, at least %d are needed: raise the limit, for example with 'ulimit -n 1024'",
			descriptors, ownDescriptors+5*fewest)
	}
	return each, nil
}
