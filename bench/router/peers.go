// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"
)

// hostOf is the host of one of the services.
func hostOf(i int) string { return fmt.Sprintf("iris-%d.bench.example.com", i) }

// backendConfig answers with a constant of 130 bytes.
func backendConfig(addrs ...string) string {
	var b strings.Builder
	for _, a := range addrs {
		fmt.Fprintf(&b, "server { listen %s; location / { default_type application/json; return 200 '{\"predictions\":[1,1]}%s'; } }\n", a, strings.Repeat(" ", 109))
	}
	return b.String()
}

// splitConfig splits each service 10 to 90 as the router does, over connections
// that are kept.
func splitConfig(addr, latest, prev string, services int) string {
	var b strings.Builder
	fmt.Fprint(&b, `
server_names_hash_bucket_size 128;
split_clients "$connection$connection_requests" $revision { 10% 00002; * 00001; }
`)
	for i := range services {
		fmt.Fprintf(&b, `
upstream iris-%[1]d-00002 { server %[2]s; keepalive 64; keepalive_requests 1000000000; }
upstream iris-%[1]d-00001 { server %[3]s; keepalive 64; keepalive_requests 1000000000; }
server {
	listen %[4]s;
	server_name %[5]s;
	location / {
		proxy_pass http://iris-%[1]d-$revision;
		proxy_http_version 1.1;
		proxy_set_header Connection "";
		proxy_set_header Host $http_host;
		proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
		proxy_set_header X-Forwarded-Proto $scheme;
		proxy_set_header X-Forwarded-Host $http_host;
		add_header Serin-Revision iris-%[1]d-$revision;
	}
}
`, i, latest, prev, addr, hostOf(i))
	}
	return b.String()
}

// nginxConfig is a whole configuration for the servers, with a folder of its
// own.
func nginxConfig(dir, servers string) string {
	return fmt.Sprintf(`
daemon off;
worker_processes 1;
worker_rlimit_nofile 16384;
pid %[1]s/pid;
error_log %[1]s/error.log;
events { worker_connections 8192; }
http {
	access_log off;
	keepalive_requests 1000000000;
	client_body_temp_path %[1]s/body;
	proxy_temp_path %[1]s/proxy;
	fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi;
	scgi_temp_path %[1]s/scgi;
	%[2]s
}
`, dir, servers)
}

// haproxyHosts maps hosts to backends.
func haproxyHosts(services int) string {
	var b strings.Builder
	for i := range services {
		fmt.Fprintf(&b, "%s iris-%d\n", hostOf(i), i)
	}
	return b.String()
}

// haproxyConfig does the same by weights.
func haproxyConfig(addr, hosts, latest, prev string, services int) string {
	var b strings.Builder
	fmt.Fprintf(&b, `
global
	nbthread 1
	maxconn 8192
defaults
	mode http
	timeout connect 5s
	timeout client 180s
	timeout server 300s
	option forwardfor
	http-reuse always
frontend all
	bind %s
	http-request set-header X-Forwarded-Proto http
	http-request set-header X-Forwarded-Host %%[req.hdr(host)]
	use_backend %%[req.hdr(host),lower,map_str(%s)]
`, addr, hosts)
	for i := range services {
		fmt.Fprintf(&b, `
backend iris-%d
	balance roundrobin
	http-response set-header Serin-Revision %%s
	server 00002 %s weight 10
	server 00001 %s weight 90
`, i, latest, prev)
	}
	return b.String()
}
