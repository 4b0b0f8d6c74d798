// SPDX-License-Identifier: Apache-2.0

package usage_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/serin-dev/serin/internal/cli/usage"
	"github.com/serin-dev/serin/internal/setting"
)

// program is one of each kind of command.
func program() *cobra.Command {
	run := func(c *cobra.Command, _ []string) error { c.Println("ran"); return nil }
	root := &cobra.Command{Use: "p", SilenceErrors: true, SilenceUsage: true, Version: "1"}
	var port int
	up := &cobra.Command{Use: "up", RunE: run}
	up.Flags().Var(setting.Port(&port, 80), "port", "")
	other := &cobra.Command{Use: "other", DisableFlagParsing: true, RunE: run}
	rollout := &cobra.Command{Use: "rollout"}
	rollout.PersistentFlags().StringP("namespace", "n", "", "")
	promote := &cobra.Command{Use: "promote ISVC", Args: cobra.ExactArgs(1), RunE: run}
	promote.Flags().Bool("dry-run", false, "")
	rollout.AddCommand(promote)
	root.AddCommand(up, other, rollout)
	usage.Strict(root)
	return root
}

func TestUnknownCommandsFlagsAndArgumentsAreRefused(t *testing.T) {
	for line, want := range map[string]string{ // what is said; nothing: it succeeds
		"":                            "",
		"--help":                      "",
		"--version":                   "",
		"up":                          "",
		"up --port 8080":              "",
		"other anything --at all":     "",
		"rollout promote iris -n a":   "",
		"help rollout promote":        "",
		"rollout --help":              "",
		"help other get":              "",
		"upp":                         `there is no command "p upp": did you mean up?`,
		"upp --port 80":               `there is no command "p upp": did you mean up?`,
		"--prot 80":                   `there is no flag --prot (see p --help)`,
		"--prot up":                   `there is no flag --prot (see p --help)`,
		"frobnicate":                  `there is no command "p frobnicate"; use one of completion, other, rollout, up`,
		"up now":                      `p up takes no arguments, but "now" is one (see p up --help)`,
		"up --prot 80":                `there is no flag --prot: did you mean --port?`,
		"up -x":                       `there is no flag -x (see p up --help)`,
		"up -5":                       `p up takes no arguments, but "-5" is one (see p up --help)`,
		"up --port":                   `--port needs a value (see p up --help)`,
		"up --port 70000":             `--port 70000: must be a port from 1 to 65535`,
		"rollout":                     `a command is missing: p rollout COMMAND`,
		"rollout -n a":                `a command is missing: p rollout COMMAND`,
		"rollout promot iris":         `there is no command "p rollout promot": did you mean promote?`,
		"rollout promot iris --dry":   `there is no command "p rollout promot": did you mean promote?`,
		"rollout -n a promot iris":    `there is no command "p rollout promot": did you mean promote?`,
		"rollout iris promote":        `there is no command "p rollout iris": did you mean promote?`,
		"rollout iris":                `there is no command "p rollout iris"; use one of promote`,
		"rollout promote":             `accepts 1 arg(s), received 0`,
		"rollout promote a --dry-ran": `there is no flag --dry-ran: did you mean --dry-run?`,
		"help promot":                 `there is no command "p promot"; use one of completion, other, rollout, up`,
		"help rollout promot":         `there is no command "p rollout promot": did you mean promote?`,
		"help up now":                 `p up takes no arguments, but "now" is one (see p up --help)`,
		"completion":                  `a command is missing: p completion COMMAND`,
		"completion bsh":              `there is no command "p completion bsh": did you mean bash or fish or zsh?`,
	} {
		t.Run(line, func(t *testing.T) {
			root := program()
			var out, errOut bytes.Buffer
			root.SetOut(&out)
			root.SetErr(&errOut)
			root.SetArgs(strings.Fields(line))
			err := root.Execute()
			if want == "" {
				if err != nil || out.Len()+errOut.Len() == 0 {
					t.Errorf("it says %q, %v", out.String(), err)
				}
				return
			}
			if err == nil || err.Error() != want || usage.ExitCode(err) != 2 {
				t.Errorf("exit code %d: %v\nwant 2: %s", usage.ExitCode(err), err, want)
			}
			if out.Len() > 0 {
				t.Errorf("it writes to standard output:\n%s", out.String())
			}
		})
	}
}

// A command that has others below it and a body only for Strict has no other
// line of usage.
func TestHelpShowsNoBodyOfGroups(t *testing.T) {
	root := program()
	var out bytes.Buffer
	root.SetOut(&out)
	root.SetArgs([]string{"rollout", "--help"})
	if err := root.Execute(); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out.String(), "p rollout [flags]") || !strings.Contains(out.String(), "p rollout [command]") {
		t.Error(out.String())
	}
}

func TestExitCodeOfOtherErrors(t *testing.T) {
	if code := usage.ExitCode(errors.New("it failed")); code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	if usage.Wrap(nil) != nil {
		t.Error("no error became one")
	}
}
