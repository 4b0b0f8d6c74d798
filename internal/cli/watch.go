// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/spf13/cobra"

	"github.com/serin-dev/serin/internal/cli/terminal"
	"github.com/serin-dev/serin/internal/controlplane/action"
)

func watchCommand(t *target) *cobra.Command {
	return &cobra.Command{
		Use:   "watch ISVC",
		Short: "Watch a rollout live",
		Long: `Show a rollout live: the revisions and their Pods, the wanted and the actual share of
the traffic of each, requests per second, errors and latency, what happens next and
why, and the latest events. Press q to leave. The command changes nothing.

The numbers come from the routers, over the last 10 seconds. In a cluster the command
reads them through port-forward, if you may get and create pods/portforward in the
routers' namespace. Without them it shows everything else. If the output is not a
terminal, it prints one line per change.`,
		Example: "watch iris",
		Args:    oneService,
		RunE: func(c *cobra.Command, args []string) error {
			s, err := t.service(args[0])
			if err != nil {
				return err
			}
			if _, err := s.read(c.Context()); err != nil {
				return err
			}
			if terminal.Is(c.InOrStdin()) && terminal.Is(c.OutOrStdout()) && os.Getenv("TERM") != "dumb" {
				return s.live(c.Context(), c.InOrStdin(), c.OutOrStdout())
			}
			return s.lines(c.Context(), c.OutOrStdout())
		},
	}
}

// observation is all that one look finds.
type observation struct {
	at        time.Time
	rollout   *action.Rollout
	events    []string
	err       error // why the rest is as before
	sample    sample
	sampleErr error // why there is no sample
}

func (s *service) observe(ctx context.Context) observation {
	o := observation{at: time.Now()}
	if o.rollout, o.err = s.read(ctx); o.err != nil {
		return o
	}
	events, err := s.events(ctx, screenEvents)
	o.err = err
	o.events = eventLines(events, o.at)
	o.sample, o.sampleErr = s.sample(ctx)
	return o
}

// live draws on a terminal until somebody leaves.
func (s *service) live(ctx context.Context, in io.Reader, out io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	var looking sync.WaitGroup
	defer looking.Wait()
	defer cancel()
	p := tea.NewProgram(view{screen{color: os.Getenv("NO_COLOR") == ""}},
		tea.WithContext(ctx), tea.WithInput(in), tea.WithOutput(out), tea.WithoutSignalHandler())
	looking.Go(func() {
		_ = s.follow(ctx, func(ctx context.Context) (bool, error) {
			p.Send(s.observe(ctx))
			return true, nil
		}) // ends with ctx only
	})
	_, err := p.Run()
	if errors.Is(err, tea.ErrProgramKilled) && ctx.Err() != nil {
		return nil // a signal
	}
	return err
}

// view is the screen in the terms of its library.
type view struct{ screen }

// Init implements tea.Model. Observations come by themselves.
func (v view) Init() tea.Cmd { return nil }

// Update implements tea.Model.
func (v view) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		v.width, v.height = msg.Width, msg.Height
	case tea.KeyPressMsg:
		switch msg.String() {
		case "q", "esc", "ctrl+c":
			return v, tea.Quit
		}
	case observation:
		v.screen = v.after(msg)
	}
	return v, nil
}

// View implements tea.Model.
func (v view) View() tea.View {
	out := tea.NewView(v.String())
	out.AltScreen = true
	return out
}

// lines prints a line per change, until ctx ends.
func (s *service) lines(ctx context.Context, out io.Writer) error {
	last := ""
	err := s.follow(ctx, func(ctx context.Context) (bool, error) {
		r, err := s.read(ctx)
		if err != nil {
			return false, err
		}
		if now := line(r); now != last {
			fmt.Fprintf(out, "%s %s\n", time.Now().Format(time.TimeOnly), now)
			last = now
		}
		return true, nil
	})
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// line is a rollout in one line.
func line(r *action.Rollout) string {
	var shares []string
	for _, rev := range slices.Backward(r.Revisions) {
		if rev.Share != nil {
			shares = append(shares, fmt.Sprintf("%d%% %s (%d/%d Pods)", *rev.Share, rev.Name, rev.Ready, rev.Wanted))
		}
	}
	if shares == nil {
		shares = []string{"no traffic"}
	}
	o := r.Outlook()
	return fmt.Sprintf("%s. %s: %s", strings.Join(shares, ", "), title(string(o.Outcome)), plain(o.Next))
}
