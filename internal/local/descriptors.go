// SPDX-License-Identifier: Apache-2.0

package local

import "fmt"

// All parts but etcd share the descriptors of one process. etcd, a child, has as
// many, of which it keeps 150 free and the API server's connections take 60.
const (
	// ownDescriptors is what all of them need without a visitor: 103 were
	// counted, most of them the API server's connections to etcd.
	ownDescriptors = 192
	// ownConnections is how many of these are connections to the API.
	ownConnections = 16
	// fewest is what each share must have to be of any use.
	fewest = 8
	// most bounds a share: each connection needs memory, too.
	most = 32 << 10
)

// share returns how many connections each of these may have: clients of the
// API, clients of the router, the router to Pods, and the API server to the
// node. A fifth share is left to the node's Pods.
func share(descriptors int) (int, error) {
	each := min((descriptors-ownDescriptors)/5, most)
	if each < fewest {
		return 0, fmt.Errorf("%d file descriptors are too few, at least %d are needed: raise the limit, for example with 'ulimit -n 1024'",
			descriptors, ownDescriptors+5*fewest)
	}
	return each, nil
}
