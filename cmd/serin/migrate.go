// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/serin-dev/serin/internal/migrate"
)

func migrateCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "migrate",
		Short:   "Come from KServe",
		Example: "  serin migrate check -f manifests/",
	}
	c.AddCommand(migrateCheckCommand())
	return c
}

func migrateCheckCommand() *cobra.Command {
	var (
		files  []string
		format string
	)
	c := &cobra.Command{
		Use:   "check",
		Short: "Report what Serin treats differently in manifests for KServe",
		Long: `Read InferenceServices and serving runtimes, and report every field, annotation
and label that Serin rejects, ignores or means otherwise. Nothing is changed, and
no cluster is needed. It fails if anything would be rejected.`,
		Example: `  serin migrate check -f manifests/
  kubectl get isvc,servingruntimes,clusterservingruntimes -A -o yaml | serin migrate check -f -`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if len(files) == 0 {
				return errors.New("say which manifests: -f FILE, -f FOLDER, or -f - for standard input")
			}
			if format != "" && format != "json" {
				return fmt.Errorf("--output %s: say json, or leave it out", format)
			}
			r, err := checkFiles(c.Context(), files, c.InOrStdin())
			return errors.Join(report(c.OutOrStdout(), r, format), err)
		},
	}
	c.Flags().StringSliceVarP(&files, "filename", "f", nil, "file or folder of manifests, or - for standard input")
	c.Flags().StringVarP(&format, "output", "o", "", "json, for programs")
	return c
}

// checkFiles checks all files, and those of folders whose names say that they
// are manifests. The error tells of those that cannot be read.
func checkFiles(ctx context.Context, files []string, in io.Reader) (migrate.Result, error) {
	var (
		all  migrate.Result
		errs []error
	)
	checker, err := migrate.NewChecker()
	if err != nil {
		return all, err
	}
	check := func(name string, content io.Reader) {
		r, err := checker.Check(ctx, content)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
		}
		all.Objects += r.Objects
		all.Findings = append(all.Findings, r.Findings...)
	}
	for _, root := range files {
		if root == "-" {
			check("standard input", in)
			continue
		}
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || path != root && !slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(path)) {
				return err
			}
			f, err := os.Open(path)
			if err != nil {
				return err
			}
			check(path, f)
			return f.Close()
		})
		errs = append(errs, err)
	}
	return all, errors.Join(errs...)
}

// report prints what was found, and fails if something would be rejected.
func report(out io.Writer, r migrate.Result, format string) error {
	rejected := 0
	for _, f := range r.Findings {
		if f.Level == migrate.Rejected {
			rejected++
		}
	}
	if format == "json" {
		e := json.NewEncoder(out)
		e.SetIndent("", "  ")
		if err := e.Encode(append([]migrate.Finding{}, r.Findings...)); err != nil {
			return err
		}
	} else {
		last := ""
		for _, f := range r.Findings {
			if f.Object != last {
				fmt.Fprintln(out, f.Object)
				last = f.Object
			}
			fmt.Fprintf(out, "  %-9s  %s\n", f.Level, f.Says)
		}
		fmt.Fprintf(out, "Objects of KServe: %d, findings: %d\n", r.Objects, len(r.Findings))
	}
	if rejected > 0 {
		return fmt.Errorf("%d of the findings must be mended before the manifests can be applied", rejected)
	}
	return nil
}
