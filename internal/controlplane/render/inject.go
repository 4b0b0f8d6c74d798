// SPDX-License-Identifier: Apache-2.0

package render

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/serin-dev/serin/api/v1beta1"
)

// Volumes and folders of a model Pod.
const (
	modelVolume = "kserve-provision-location"
	claimVolume = "kserve-pvc-source"
	cacheVolume = "serin-model-cache"
	modelDir    = "/mnt/models"
	cacheDir    = "/mnt/cache"
)

// stopReserve is how long a Pod may take to end after its last request, in seconds.
const stopReserve = 10

// probeGrace is how long a model server may take to end after a failed probe, in
// seconds: Kubernetes' default for Pods.
const probeGrace = int64(30)

// defaultTimeout is how long a request may take, in seconds, as in KServe.
const defaultTimeout = int64(300)

func timeout(p *v1beta1.PredictorSpec) int64 {
	return min(ptr.Deref(p.TimeoutSeconds, defaultTimeout), v1beta1.MaxTimeoutSeconds)
}

// inject adds to the user's Pod what every model Pod has: the download, the
// queue, probes and preStop hooks.
func inject(pod *corev1.PodSpec, isvc *v1beta1.InferenceService, server string, o Options) error {
	if err := refuseReserved(pod); err != nil {
		return err
	}
	p := &isvc.Spec.Predictor
	model := &pod.Containers[0]
	uri := storageURI(model)
	if m := p.ModelOrLegacy(); m != nil {
		uri = ptr.Deref(m.StorageURI, "")
	}
	if err := injectModel(pod, uri, o); err != nil {
		return err
	}
	to, err := portsOf(model, server)
	if err == nil {
		err = refusePorts(model.Name, to.http, to.grpc)
	}
	if err != nil {
		return err
	}
	to.probeGRPC = model.ReadinessProbe == nil && awaitsGRPC(model, p, to)
	completeModelContainer(model, isvc.Name, defaultReadiness(server, to.http))
	pod.Containers = append(pod.Containers, queueContainer(o, to, ptr.Deref(p.ContainerConcurrency, 0), timeout(p)))
	for _, containers := range [][]corev1.Container{pod.InitContainers, pod.Containers} {
		for i := range containers {
			if containers[i].TerminationMessagePolicy == "" {
				containers[i].TerminationMessagePolicy = corev1.TerminationMessageFallbackToLogsOnError
			}
		}
	}
	if pod.TerminationGracePeriodSeconds == nil {
		pod.TerminationGracePeriodSeconds = new(timeout(p) + stopReserve)
	}
	if pod.EnableServiceLinks == nil {
		pod.EnableServiceLinks = new(false) // hundreds of services would fill the environment
	}
	return nil
}

// injectModel makes the model appear in modelDir: fetched before the server
// starts, or mounted from a claim.
func injectModel(pod *corev1.PodSpec, uri string, o Options) error {
	model := &pod.Containers[0]
	switch {
	case uri == "":
		return nil
	case strings.HasPrefix(uri, "pvc://"):
		claim, path, _ := strings.Cut(strings.TrimPrefix(uri, "pvc://"), "/")
		if claim == "" {
			return invalidf(v1beta1.InvalidPredictorSpec, "storageUri %s names no claim: write pvc://CLAIM/PATH", uri)
		}
		pod.Volumes = append(pod.Volumes, corev1.Volume{Name: claimVolume, VolumeSource: corev1.VolumeSource{
			PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: claim},
		}})
		model.VolumeMounts = append(model.VolumeMounts, corev1.VolumeMount{
			Name: claimVolume, MountPath: modelDir, SubPath: strings.Trim(path, "/"), ReadOnly: true,
		})
		return nil
	}
	pod.Volumes = append(pod.Volumes, corev1.Volume{Name: modelVolume, VolumeSource: corev1.VolumeSource{
		EmptyDir: &corev1.EmptyDirVolumeSource{},
	}})
	model.VolumeMounts = append(model.VolumeMounts, corev1.VolumeMount{Name: modelVolume, MountPath: modelDir, ReadOnly: true})
	fetch := corev1.Container{
		Name:            v1beta1.ContainerFetch,
		Image:           o.FetchImage,
		Args:            []string{uri, modelDir},
		VolumeMounts:    []corev1.VolumeMount{{Name: modelVolume, MountPath: modelDir}},
		Resources:       requests("50m", "64Mi"),
		SecurityContext: restricted(),
	}
	for _, variable := range o.FetchEnv {
		name, value, _ := strings.Cut(variable, "=")
		fetch.Env = append(fetch.Env, corev1.EnvVar{Name: name, Value: value})
	}
	if o.ModelCache != "" {
		pod.Volumes = append(pod.Volumes, corev1.Volume{Name: cacheVolume, VolumeSource: corev1.VolumeSource{
			HostPath: &corev1.HostPathVolumeSource{Path: o.ModelCache, Type: new(corev1.HostPathDirectoryOrCreate)},
		}})
		fetch.Args = append([]string{"--cache-dir=" + cacheDir}, fetch.Args...)
		fetch.VolumeMounts = append(fetch.VolumeMounts, corev1.VolumeMount{Name: cacheVolume, MountPath: cacheDir})
	}
	// First, so that a user's own init containers find the model.
	pod.InitContainers = append([]corev1.Container{fetch}, pod.InitContainers...)
	return nil
}

// completeModelContainer gives kserve-container what the user left open.
func completeModelContainer(c *corev1.Container, service string, readiness *corev1.Probe) {
	// K_REVISION is Knative's. A revision is not named yet: the Pod's label has the name.
	revision := &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.labels['" + v1beta1.LabelRevision + "']"}}
	for _, given := range []corev1.EnvVar{{Name: "INFERENCE_SERVICE_NAME", Value: service}, {Name: "K_REVISION", ValueFrom: revision}} {
		if !slices.ContainsFunc(c.Env, func(e corev1.EnvVar) bool { return e.Name == given.Name }) {
			c.Env = append(c.Env, given)
		}
	}
	if c.ReadinessProbe == nil {
		c.ReadinessProbe = readiness
	}
	// The Pod's grace is for requests. A server that a probe gave up answers none.
	for _, p := range []*corev1.Probe{c.LivenessProbe, c.StartupProbe} {
		if p != nil && p.TerminationGracePeriodSeconds == nil {
			p.TerminationGracePeriodSeconds = new(probeGrace)
		}
	}
	if c.Lifecycle == nil {
		c.Lifecycle = &corev1.Lifecycle{}
	}
	if c.Lifecycle.PreStop == nil {
		// The server must outlive the requests that the queue still holds.
		c.Lifecycle.PreStop = &corev1.LifecycleHandler{HTTPGet: &corev1.HTTPGetAction{
			Path: "/wait-for-drain", Port: intstr.FromInt32(v1beta1.QueueAdminPort),
		}}
	}
}

func queueContainer(o Options, to ports, concurrency, timeout int64) corev1.Container {
	args := []string{
		fmt.Sprintf("--port=%d", v1beta1.QueuePort),
		fmt.Sprintf("--admin-port=%d", v1beta1.QueueAdminPort),
		fmt.Sprintf("--user-port=%d", to.http),
		fmt.Sprintf("--concurrency=%d", concurrency),
		fmt.Sprintf("--timeout=%d", timeout),
	}
	if to.grpc != 0 {
		args = append(args, fmt.Sprintf("--grpc-port=%d", to.grpc))
	}
	if to.probeGRPC {
		args = append(args, "--probe-grpc")
	}
	for _, limit := range o.Limits {
		args = append(args, "--"+limit)
	}
	return corev1.Container{
		Name:  v1beta1.ContainerQueue,
		Image: o.QueueImage,
		Args:  args,
		Ports: []corev1.ContainerPort{
			{Name: "queue-port", ContainerPort: v1beta1.QueuePort, Protocol: corev1.ProtocolTCP},
			{Name: "http-queueadm", ContainerPort: v1beta1.QueueAdminPort, Protocol: corev1.ProtocolTCP},
		},
		ReadinessProbe: probe(corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{
			Path: "/ready", Port: intstr.FromInt32(v1beta1.QueueAdminPort),
		}}),
		Resources:       requests("25m", "32Mi"),
		SecurityContext: restricted(),
	}
}

// refuseReserved returns an error if the user's Pod uses a name or a port of Serin's.
func refuseReserved(pod *corev1.PodSpec) error {
	for _, c := range slices.Concat(pod.InitContainers, pod.Containers) {
		if c.Name == v1beta1.ContainerQueue || c.Name == v1beta1.ContainerFetch {
			return invalidf(v1beta1.InvalidPredictorSpec, "the container name %s is reserved: choose another", c.Name)
		}
		for _, p := range c.Ports {
			if err := refusePorts(c.Name, p.ContainerPort); err != nil {
				return err
			}
		}
	}
	for _, v := range pod.Volumes {
		if v.Name == modelVolume || v.Name == claimVolume || v.Name == cacheVolume {
			return invalidf(v1beta1.InvalidPredictorSpec, "the volume name %s is reserved: choose another", v.Name)
		}
	}
	return nil
}

// refusePorts returns an error if a container listens on a port of the queue's.
func refusePorts(container string, ports ...int32) error {
	for _, port := range ports {
		if port == v1beta1.QueuePort || port == v1beta1.QueueAdminPort {
			return invalidf(v1beta1.InvalidPredictorSpec,
				"container %s listens on port %d, which %s needs: choose another", container, port, v1beta1.ContainerQueue)
		}
	}
	return nil
}

// storageURI is how a custom container asks for a download.
func storageURI(c *corev1.Container) string {
	for _, e := range c.Env {
		if e.Name == "STORAGE_URI" {
			return e.Value
		}
	}
	return ""
}

// defaultReadiness tells when a model server has loaded its model.
func defaultReadiness(server string, port int32) *corev1.Probe {
	at := intstr.FromInt32(port)
	if server == "mlserver" {
		// It opens its port before, and answers requests with 400 until then. A busy one may answer late.
		p := probe(corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/v2/health/ready", Port: at}})
		p.TimeoutSeconds = 5
		return p
	}
	// The others open their port then.
	return probe(corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: at}})
}

// probe returns a probe that runs every second, because a rollout waits for it.
func probe(h corev1.ProbeHandler) *corev1.Probe {
	return &corev1.Probe{ProbeHandler: h, PeriodSeconds: 1, TimeoutSeconds: 1, FailureThreshold: 3}
}

func requests(cpu, memory string) corev1.ResourceRequirements {
	return corev1.ResourceRequirements{Requests: corev1.ResourceList{
		corev1.ResourceCPU:    resource.MustParse(cpu),
		corev1.ResourceMemory: resource.MustParse(memory),
	}}
}

// restricted satisfies the restricted Pod Security Standard.
func restricted() *corev1.SecurityContext {
	return &corev1.SecurityContext{
		AllowPrivilegeEscalation: new(false),
		RunAsNonRoot:             new(true),
		Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		SeccompProfile:           &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
	}
}
