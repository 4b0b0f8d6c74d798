// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"flag"
	"fmt"
	"math"
	"strings"

	"github.com/serin-dev/serin/internal/model/server"
	"github.com/serin-dev/serin/internal/setting"
)

// readers read the values of flags, by name.
type readers map[string]func(string) error

// healthCheck is the only flag of KServe's server without a value. It is for
// transformers.
const healthCheck = "--enable_predictor_health_check"

// maxBytes is the largest message that gRPC can announce.
const maxBytes = math.MaxUint32

// idleFlags are those of KServe's server that have no effect here. Their values are
// checked as there.
func idleFlags() readers {
	var n int
	number := setting.Number(&n, 0, 0, math.MaxInt32).Set
	truth := func(s string) error { _, err := boolean(s); return err }
	text := func(string) error { return nil }
	return readers{
		"--access_log_format":                 text,
		"--configure_logging":                 truth,
		"--enable_latency_logging":            truth,
		"--event-loop":                        text,
		"--grpc_max_receive_message_length":   number,
		"--grpc_max_send_message_length":      number,
		"--log_config_file":                   text,
		"--max_asyncio_workers":               number,
		"--max_threads":                       number,
		"--nthread":                           number, // of xgbserver and lgbserver
		"--predictor_host":                    text,
		"--predictor_protocol":                text,
		"--predictor_request_retries":         number,
		"--predictor_request_timeout_seconds": number,
		"--predictor_use_ssl":                 truth,
		"--protocol":                          text,
		"--timeout-keep-alive":                number,
	}
}

func flagsOf(cfg *server.Config, o *options) readers {
	noTLS := func(string) error {
		return errors.New("this server has no TLS, because only the queue in its Pod calls it: remove the flag")
	}
	return readers{
		"--enable_docs_url":   func(s string) (err error) { cfg.Docs, err = boolean(s); return err },
		"--enable_grpc":       func(s string) error { on, err := boolean(s); cfg.NoGRPC = !on; return err },
		"--grpc_port":         setting.FreePort(&cfg.GRPCPort, 8081).Set,
		"--http_port":         setting.FreePort(&cfg.Port, 8080).Set,
		"--max_request_bytes": setting.Number(&cfg.MaxBytes, server.DefaultMaxBytes, 1, maxBytes).Set,
		"--model_dir":         func(s string) error { cfg.ModelDir = s; return nil },
		"--model_name":        func(s string) error { cfg.ModelName = s; return nil },
		"--python":            func(s string) error { o.python = s; return nil },
		"--ssl_certfile":      noTLS,
		"--ssl_keyfile":       noTLS,
		"--workers":           setting.Number(&o.workers, 0, 0, 1<<10).Set,
	}
}

// parse parses flags as Python's argparse does: --name value or --name=value.
func parse(args []string) (cfg server.Config, o options, err error) {
	cfg.ModelName = "model"
	flags := flagsOf(&cfg, &o)
	for name, check := range idleFlags() {
		flags[name] = func(s string) error { o.idle = append(o.idle, name); return check(s) }
	}
	for len(args) > 0 {
		name, value, joined := strings.Cut(args[0], "=")
		set, ok := flags[name]
		switch {
		case name == "--help" || name == "-h":
			return cfg, o, flag.ErrHelp
		case args[0] == healthCheck:
			o.idle, o.passed = append(o.idle, name), append(o.passed, name)
			args = args[1:]
			continue
		case !ok:
			return cfg, o, fmt.Errorf("unknown argument %q: it takes --model_name, --model_dir, --http_port, --grpc_port, --enable_grpc, --enable_docs_url, --max_request_bytes, --python, and other flags of KServe's server", args[0])
		case !joined && len(args) == 1:
			return cfg, o, fmt.Errorf("%s needs a value", name)
		case !joined:
			value = args[1]
			args = args[1:]
		}
		if err := set(value); err != nil {
			return cfg, o, fmt.Errorf("%s %s: %w", name, value, err)
		}
		if name != "--python" && name != "--model_dir" {
			o.passed = append(o.passed, name+"="+value)
		}
		args = args[1:]
	}
	switch {
	case cfg.ModelDir == "":
		return cfg, o, errors.New("--model_dir is required")
	case cfg.ModelName == "":
		return cfg, o, errors.New("--model_name is empty")
	case o.workers > 0 && o.python == "":
		o.idle = append(o.idle, "--workers")
	}
	return cfg, o, nil
}

// boolean parses the values that KServe's servers accept.
func boolean(s string) (bool, error) {
	switch strings.ToLower(s) {
	case "y", "yes", "t", "true", "on", "1":
		return true, nil
	case "n", "no", "f", "false", "off", "0":
		return false, nil
	}
	return false, errors.New("must be true or false")
}
