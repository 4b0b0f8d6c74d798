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

	"github.com/serin-dev/serin/internal/cli/migrate"
	"github.com/serin-dev/serin/internal/cli/usage"
	"github.com/serin-dev/serin/internal/local/kube"
	"github.com/serin-dev/serin/internal/setting"
)

func migrateCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "migrate",
		Short:   "Migrate from KServe",
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
and label that Serin rejects, ignores or treats differently. Also report services
of which no Pod can be made, and services that no runtime would serve, neither one
of Serin's nor one among the manifests. The command changes nothing and needs no
cluster. It fails if anything would be rejected or is missing, or if there was
nothing to read.

With -o json it prints a list of findings, each with file, object, field, level
(rejected, missing, ignored or different) and says.`,
		Example: `  serin migrate check -f manifests/
  kubectl get isvc,servingruntimes,clusterservingruntimes -A -o yaml | serin migrate check -f -`,
		RunE: func(c *cobra.Command, _ []string) error {
			if len(files) == 0 {
				return usage.Errorf("no manifests given: use -f FILE, -f FOLDER, or -f - for standard input")
			}
			r, err := checkFiles(c.Context(), files, c.InOrStdin())
			return errors.Join(report(c.OutOrStdout(), r, format), err)
		},
	}
	c.Flags().StringSliceVarP(&files, "filename", "f", nil, "file or folder of manifests, or - for standard input")
	c.Flags().VarP(setting.OneOf(&format, "", "json"), "output", "o", "json, for programs")
	return c
}

// checkFiles checks all files, and in folders those with an extension of
// manifests. The error lists those that cannot be read.
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
		all.Add(name, r)
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
	if all.Objects == 0 {
		errs = append(errs, errors.New("no KServe object was found, so nothing was checked: in folders, only files ending in .yaml, .yml or .json are read"))
	}
	return all, errors.Join(append(errs, all.CheckPods(kube.ValidateDeployment))...)
}

// report prints the findings, and returns an error if something would be rejected.
func report(out io.Writer, r migrate.Result, format string) error {
	grave := 0
	for _, f := range r.Findings {
		if f.Level == migrate.Rejected || f.Level == migrate.Missing {
			grave++
		}
	}
	if format == "json" {
		e := json.NewEncoder(out)
		e.SetIndent("", "  ")
		if err := e.Encode(append([]migrate.Finding{}, r.Findings...)); err != nil {
			return err
		}
	} else {
		var last migrate.Finding
		for _, f := range r.Findings {
			if f.File != last.File || f.Object != last.Object {
				fmt.Fprintf(out, "%s: %s\n", f.File, f.Object)
				last = f
			}
			fmt.Fprintf(out, "  %-9s  %s\n", f.Level, f.Text())
		}
		fmt.Fprintf(out, "Objects of KServe: %d, findings: %d\n", r.Objects, len(r.Findings))
	}
	if grave > 0 {
		return fmt.Errorf("%d of the findings must be fixed before the manifests can be applied", grave)
	}
	return nil
}
