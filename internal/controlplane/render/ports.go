// SPDX-License-Identifier: Apache-2.0

package render

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/serin-dev/serin/api/v1beta1"
)

// ports are where a model server listens.
type ports struct {
	http int32
	grpc int32 // 0: it has none of its own
	// probeGRPC says that a Pod is ready when grpc accepts connections, too.
	probeGRPC bool
}

// portSetting is where a server reads a port.
type portSetting struct {
	flag, env string
	otherwise int32 // 0: unknown
}

// modelServer is one of the servers of KServe's runtimes.
type modelServer struct {
	http, grpc portSetting
	grpcSwitch string // a flag that may turn gRPC off
}

// python is KServe's own server, on which most of its runtimes are built.
var python = modelServer{
	http:       portSetting{flag: "--http_port", otherwise: 8080},
	grpc:       portSetting{flag: "--grpc_port", otherwise: 8081},
	grpcSwitch: "--enable_grpc",
}

// modelServers are those whose ports are known, by the type of serverType.
var modelServers = map[string]modelServer{
	"autogluonserver":   python,
	"huggingfaceserver": python,
	"lgbserver":         python,
	"paddleserver":      python,
	"pmmlserver":        python,
	"predictiveserver":  python,
	"serin-python":      python, // Serin's own, behind the same flags
	"sklearnserver":     python,
	"xgbserver":         python,
	"mlserver": {
		http: portSetting{env: "MLSERVER_HTTP_PORT", otherwise: 8080},
		grpc: portSetting{env: "MLSERVER_GRPC_PORT", otherwise: 8081},
	},
	"openvino": {
		http: portSetting{flag: "--rest_port"},
		grpc: portSetting{flag: "--port"},
	},
	"tensorflow-serving": {
		http: portSetting{flag: "--rest_api_port"},
		grpc: portSetting{flag: "--port", otherwise: 8500},
	},
	"tritonserver": {
		http:       portSetting{flag: "--http-port", otherwise: 8000},
		grpc:       portSetting{flag: "--grpc-port", otherwise: 8001},
		grpcSwitch: "--allow-grpc",
	},
}

// unknownServer is a server that may be built on KServe's.
var unknownServer = modelServer{http: portSetting{flag: "--http_port"}, grpc: portSetting{flag: "--grpc_port"}}

// portsOf returns where a container listens that runs a server of this type. What a
// known server is told counts before the declared ports, because it decides.
func portsOf(c *corev1.Container, serverType string) (ports, error) {
	declared := declaredPorts(c)
	s, known := modelServers[serverType]
	switch {
	case known:
	case declared == ports{}:
		s = unknownServer
	case declared.http == 0:
		return ports{http: declared.grpc}, nil // one port for all
	default:
		return declared, nil
	}
	http, err := s.http.of(c)
	if err != nil {
		return ports{}, err
	}
	grpc, err := s.grpc.of(c)
	if err != nil {
		return ports{}, err
	}
	p := ports{
		http: cmp.Or(http, declared.http, s.http.otherwise, v1beta1.UserPort),
		grpc: cmp.Or(grpc, declared.grpc, s.grpc.otherwise),
	}
	if p.grpc == p.http || s.withoutGRPC(c) {
		p.grpc = 0
	}
	return p, nil
}

// declaredPorts returns the container's ports by their names, as Knative and KServe
// use them: h2c, grpc or grpc-NAME is gRPC's. HTTP's is the first port, unless that is
// gRPC's: then only a port without a name or with one of HTTP's is.
func declaredPorts(c *corev1.Container) ports {
	var p ports
	for _, port := range c.Ports {
		named := func(protocol string) bool {
			return port.Name == protocol || strings.HasPrefix(port.Name, protocol+"-")
		}
		switch {
		case cmp.Or(port.Protocol, corev1.ProtocolTCP) != corev1.ProtocolTCP:
		case named("grpc") || named("h2c"):
			p.grpc = cmp.Or(p.grpc, port.ContainerPort)
		case p.grpc == 0 || port.Name == "" || named("http") || named("http1"):
			p.http = cmp.Or(p.http, port.ContainerPort)
		}
	}
	return p
}

// awaitsGRPC reports whether the user wants gRPC. It is not enough that a server serves it
// by default: a version of its image may not.
func awaitsGRPC(c *corev1.Container, p *v1beta1.PredictorSpec, at ports) bool {
	m := p.ModelOrLegacy()
	asked := m != nil && strings.HasPrefix(ptr.Deref(m.ProtocolVersion, ""), "grpc-")
	return at.grpc != 0 && (asked || declaredPorts(c).grpc == at.grpc)
}

// of returns the port that a container's server is told, or 0.
func (s portSetting) of(c *corev1.Container) (int32, error) {
	name, value := s.flag, ""
	if s.flag != "" {
		value, _ = lookup(commandLine(c), s.flag)
	} else {
		name = s.env
		for _, e := range c.Env {
			if e.Name == s.env {
				value = e.Value
			}
		}
	}
	if value == "" || strings.Contains(value, "$(") { // known when the container starts
		return 0, nil
	}
	n, err := strconv.ParseInt(value, 10, 32)
	if err != nil || n < 1 || n > 65535 {
		return 0, invalidf(v1beta1.InvalidPredictorSpec, "%s of %s is %q: it must be a port from 1 to 65535", name, c.Name, value)
	}
	return int32(n), nil
}

// withoutGRPC reports whether a container's server is told to serve no gRPC.
func (s modelServer) withoutGRPC(c *corev1.Container) bool {
	value, ok := lookup(commandLine(c), s.grpcSwitch)
	return ok && s.grpcSwitch != "" && slices.Contains([]string{"n", "no", "f", "false", "off", "0"}, strings.ToLower(value))
}

func commandLine(c *corev1.Container) []string { return slices.Concat(c.Command, c.Args) }

// moved returns the runtime's container with its ports and probes where the user's
// arguments and environment put them.
func moved(c corev1.Container, from, to ports) corev1.Container {
	out := *c.DeepCopy()
	move := func(port *int32) {
		switch {
		case *port == from.http:
			*port = to.http
		case *port == from.grpc && to.grpc != 0:
			*port = to.grpc
		}
	}
	for i := range out.Ports {
		move(&out.Ports[i].ContainerPort)
	}
	for _, p := range []*corev1.Probe{out.ReadinessProbe, out.LivenessProbe, out.StartupProbe} {
		switch {
		case p == nil:
		case p.HTTPGet != nil && p.HTTPGet.Port.Type == intstr.Int:
			move(&p.HTTPGet.Port.IntVal)
		case p.TCPSocket != nil && p.TCPSocket.Port.Type == intstr.Int:
			move(&p.TCPSocket.Port.IntVal)
		case p.GRPC != nil:
			move(&p.GRPC.Port)
		}
	}
	return out
}
