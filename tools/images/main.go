// SPDX-License-Identifier: Apache-2.0

// Command images builds the images of Serin's parts without a container engine:
// one static program each, without a base image, run by an unprivileged user.
//
// Each image becomes an OCI layout in a folder, and the same as a tarball that
// `ctr image import`, `skopeo` and `crane` read, with a manifest for each
// architecture. The same sources make the same digests. A list of all modules
// in a program (SPDX 2.3) lies in its image and beside it.
//
//	go run ./images -version v1 -out ../bin/images
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"os/signal"
	"path"
	"path/filepath"
	"strings"
)

// programs are those that run in Pods.
const programs = "controller,router,queue,fetch,modelserver"

// options are the command's flags.
type options struct {
	out, prefix, version string
	arches               []string
}

func main() {
	log.SetFlags(0)
	var o options
	flag.StringVar(&o.out, "out", "../bin/images", "folder that gets the images")
	flag.StringVar(&o.prefix, "prefix", "serin", "what the images' names begin with: PREFIX/controller:VERSION")
	flag.StringVar(&o.version, "version", "development", "version of the images")
	arch := flag.String("arch", "amd64,arm64", "architectures")
	names := flag.String("programs", programs, "programs to build: below cmd, or by path")
	flag.Parse()
	o.arches = strings.Split(*arch, ",")
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, o, strings.Split(*names, ",")); err != nil {
		log.Fatal("images: ", err)
	}
}

func run(ctx context.Context, o options, names []string) error {
	for _, program := range names {
		name := path.Base(program)
		fmt.Printf("%s/%s:%s\n", o.prefix, name, o.version)
		size, digest, err := build(ctx, o, program)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		fmt.Printf("  %s, %.1f MiB compressed for %s\n", digest, float64(size)/(1<<20), strings.Join(o.arches, " and "))
	}
	return nil
}

// compile builds a static program for an architecture.
func compile(ctx context.Context, program, arch, version, to string) error {
	if !strings.Contains(program, "/") {
		program = "cmd/" + program
	}
	c := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w -X main.version="+version, "-o", to, "./"+program)
	c.Dir = ".." // of this module
	c.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
	c.Stderr = os.Stderr
	if err := c.Run(); err != nil {
		return fmt.Errorf("compile for %s: %w", arch, err)
	}
	return nil
}

// build writes an image, and returns the size of what a node pulls at most,
// and the digest of the whole.
func build(ctx context.Context, o options, program string) (size int64, digest string, err error) {
	name := path.Base(program)
	work, err := os.MkdirTemp("", "serin-images-")
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = os.RemoveAll(work) }()
	var parts []part
	for _, arch := range o.arches {
		p := part{arch: arch, program: filepath.Join(work, arch)}
		if err := compile(ctx, program, arch, o.version, p.program); err != nil {
			return 0, "", err
		}
		if p.modules, err = modules(p.program, name, o.version); err != nil {
			return 0, "", err
		}
		parts = append(parts, p)
	}
	return write(o, name, parts)
}
