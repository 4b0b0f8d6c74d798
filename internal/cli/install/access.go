// SPDX-License-Identifier: Apache-2.0

package install

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/serin-dev/serin/api/v1beta1"
)

// Groups of the API.
const (
	core         = ""
	apps         = "apps"
	coordination = "coordination.k8s.io"
)

var (
	serving = v1beta1.GroupVersion.Group
	read    = []string{"get", "list", "watch"}
)

// controllerRules are the permissions of the controller in every namespace.
func controllerRules() []rbacv1.PolicyRule {
	return []rbacv1.PolicyRule{
		rule(serving, read, "inferenceservices", "servingruntimes", "clusterservingruntimes"),
		// Only the status: Serin never writes a spec.
		rule(serving, []string{"patch"}, "inferenceservices/status"),
		// For owner references with blockOwnerDeletion.
		rule(serving, []string{"update"}, "inferenceservices/finalizers"),
		// To adopt one, and to record the digest of its model.
		rule(apps, append(read, "create", "patch", "delete"), "controllerrevisions"),
		rule(apps, append(read, "create", "patch", "delete"), "deployments"),
		rule(core, append(read, "create", "patch", "delete"), "services"),
		// Which model the Pods of a revision must get.
		rule(core, append(read, "create", "update", "patch"), "configmaps"),
		// Those that fetched another model than their revision.
		rule(core, append(read, "delete"), "pods"),
		// To find other nodes for its own Pods.
		rule(core, read, "nodes"),
		// To say what happens, and why a Pod is not ready.
		rule(core, []string{"create", "list"}, "events"),
	}
}

// routerRules are the permissions of the router: it only reads.
func routerRules() []rbacv1.PolicyRule {
	return []rbacv1.PolicyRule{
		rule(serving, read, "inferenceservices"),
		rule(core, read, "pods"),
	}
}

// leaderRules are the permissions for leader election in the controller's own
// namespace.
func leaderRules() []rbacv1.PolicyRule {
	return []rbacv1.PolicyRule{
		rule(coordination, []string{"get", "create", "update"}, "leases"),
		rule(core, []string{"create", "patch"}, "events"),
	}
}

// spreadRules are the permissions of the descheduler in Serin's own namespace: it
// evicts Pods of the controller and of the router, and no others.
func spreadRules() []rbacv1.PolicyRule {
	return []rbacv1.PolicyRule{rule(core, []string{"create"}, "pods/eviction")}
}

// externalRouteRules are the permissions in Serin's own namespace to route a Gateway or an
// Ingress controller to the router.
func externalRouteRules() []rbacv1.PolicyRule {
	return []rbacv1.PolicyRule{
		rule("gateway.networking.k8s.io", append(read, "create", "patch", "delete"), "httproutes"),
		rule("networking.k8s.io", append(read, "create", "patch", "delete"), "ingresses"),
	}
}

func rule(group string, verbs []string, resources ...string) rbacv1.PolicyRule {
	return rbacv1.PolicyRule{APIGroups: []string{group}, Resources: resources, Verbs: append([]string(nil), verbs...)}
}

// access returns the accounts, their roles and the bindings.
func (o Options) access() []runtime.Object {
	const group = "rbac.authorization.k8s.io"
	out := []runtime.Object{o.account(controllerName), o.account(routerName)}
	for _, of := range []struct {
		name  string
		rules []rbacv1.PolicyRule
	}{{controllerName, controllerRules()}, {routerName, routerRules()}} {
		meta := metav1.ObjectMeta{Name: of.name, Labels: map[string]string{labelName: of.name}}
		out = append(out,
			&rbacv1.ClusterRole{TypeMeta: rbac("ClusterRole"), ObjectMeta: meta, Rules: of.rules},
			&rbacv1.ClusterRoleBinding{
				TypeMeta: rbac("ClusterRoleBinding"), ObjectMeta: meta, Subjects: o.subjects(of.name),
				RoleRef: rbacv1.RoleRef{APIGroup: group, Kind: "ClusterRole", Name: of.name},
			})
	}
	return append(out,
		&rbacv1.Role{TypeMeta: rbac("Role"), ObjectMeta: o.meta(controllerName), Rules: slices.Concat(leaderRules(), spreadRules(), externalRouteRules())},
		&rbacv1.RoleBinding{
			TypeMeta: rbac("RoleBinding"), ObjectMeta: o.meta(controllerName), Subjects: o.subjects(controllerName),
			RoleRef: rbacv1.RoleRef{APIGroup: group, Kind: "Role", Name: controllerName},
		})
}

func (o Options) account(name string) runtime.Object {
	return &corev1.ServiceAccount{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ServiceAccount"}, ObjectMeta: o.meta(name)}
}

func (o Options) subjects(name string) []rbacv1.Subject {
	return []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: o.Namespace, Name: name}}
}

func rbac(kind string) metav1.TypeMeta {
	return metav1.TypeMeta{APIVersion: "rbac.authorization.k8s.io/v1", Kind: kind}
}
