// SPDX-License-Identifier: Apache-2.0

// Package setting has the values of flags. Each reads one kind of flag (a port, a
// number, a duration, a domain, an address). It rejects a value that cannot work
// with a sentence that says what to write instead, so that a program fails before
// it starts anything. The values serve both package flag and pflag.
package setting

import (
	"errors"
	"fmt"
	"net"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Value is the value of a flag, for flag.Var and for pflag's Var.
type Value struct {
	kind string
	read func(string) error
	show func() string
}

// Set parses the text of a flag.
func (v *Value) Set(s string) error { return v.read(s) }

// Type names the kind of value, for help.
func (v *Value) Type() string { return v.kind }

// String is the value as a user would write it.
func (v *Value) String() string {
	if v.show == nil { // package flag calls String on a zero Value
		return ""
	}
	return v.show()
}

// maxPort is the highest port there is.
const maxPort = 65535

// Port is a port to reach or to serve on.
func Port(p *int, value int) *Value {
	return number("port", p, value, 1, maxPort, "a port from 1 to 65535")
}

// FreePort is a port to serve on; 0 takes a free one.
func FreePort(p *int, value int) *Value {
	return number("port", p, value, 0, maxPort, "a port from 1 to 65535, or 0 for a free one")
}

// Number is a whole number from least to most.
func Number[T ~int | ~int32 | ~int64](p *T, value, least, most T) *Value {
	return number("number", p, value, least, most, fmt.Sprintf("a whole number from %d to %d", least, most))
}

func number[T ~int | ~int32 | ~int64](kind string, p *T, value, least, most T, want string) *Value {
	*p = value
	return &Value{kind, func(s string) error {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil || n < int64(least) || n > int64(most) {
			return errors.New("must be " + want)
		}
		*p = T(n)
		return nil
	}, func() string { return strconv.FormatInt(int64(*p), 10) }}
}

// Duration is a duration that is not shorter than least, in Go's syntax.
func Duration(p *time.Duration, value, least time.Duration) *Value {
	*p = value
	return &Value{"duration", func(s string) error {
		d, err := time.ParseDuration(s)
		switch {
		case err != nil:
			return errors.New("must be a duration, such as 30s or 5m")
		case d < 0:
			return errors.New("must be a duration that is not negative, such as 30s")
		case d < least:
			return fmt.Errorf("must be a duration of at least %v", least)
		}
		*p = d
		return nil
	}, func() string {
		if *p == 0 {
			return "0"
		}
		return p.String()
	}}
}

var label = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)

// Domain is a domain, the suffix of host names.
func Domain(p *string, value string) *Value {
	return text("domain", p, value, func(s string) error {
		if len(s) <= 253 && all(strings.Split(s, "."), label.MatchString) {
			return nil
		}
		return errors.New("must be a domain, such as models.example.com: lower-case letters, digits and - between its dots")
	})
}

// Name is the name of a namespace or of another object that is a DNS label. Empty
// means the default of the program.
func Name(p *string, value string) *Value {
	return text("name", p, value, func(s string) error {
		if s == "" || label.MatchString(s) {
			return nil
		}
		return errors.New("must be a name of at most 63 lower-case letters, digits and -")
	})
}

// Listen is an address to serve on. Its host may be left out, its port may be 0.
func Listen(p *string, value string) *Value {
	return text("address", p, value, func(s string) error {
		return address(s, true, "must be HOST:PORT or :PORT, with a port from 0 to 65535")
	})
}

// Target is an address to reach, or empty.
func Target(p *string, value string) *Value {
	return text("address", p, value, func(s string) error {
		if s == "" {
			return nil
		}
		return address(s, false, "must be HOST:PORT, with a port from 1 to 65535")
	})
}

// host accepts a host name or an address. It does not resolve names.
var host = regexp.MustCompile(`^[A-Za-z0-9._:%-]+$`)

func address(s string, serve bool, want string) error {
	name, port, err := net.SplitHostPort(s)
	n, notNumber := strconv.ParseUint(port, 10, 16)
	if err != nil || notNumber != nil || !serve && (n == 0 || name == "") || name != "" && !host.MatchString(name) {
		return errors.New(want)
	}
	return nil
}

// Host is a host name or address to reach, or empty.
func Host(p *string, value string) *Value {
	return text("host", p, value, func(s string) error {
		if s == "" || host.MatchString(s) && !strings.Contains(s, ":") {
			return nil
		}
		return errors.New("must be a host name without a port")
	})
}

// Folder is an absolute path, or empty.
func Folder(p *string, value string) *Value {
	return text("folder", p, value, func(s string) error {
		if s == "" || path.IsAbs(s) && !slices.Contains(strings.Split(s, "/"), "..") {
			return nil
		}
		return errors.New("must be an absolute path without .. in it")
	})
}

// OneOf is one of a few words.
func OneOf[T ~string](p *T, value T, words ...string) *Value {
	return text("word", p, value, func(s string) error {
		if slices.Contains(words, s) {
			return nil
		}
		return errors.New("must be " + or(words))
	})
}

// LogLevel is the lowest level that a program logs.
func LogLevel(p *string, value string) *Value {
	return OneOf(p, value, "debug", "info", "warn", "error")
}

func text[T ~string](kind string, p *T, value T, check func(string) error) *Value {
	*p = value
	return &Value{kind, func(s string) error {
		if err := check(s); err != nil {
			return err
		}
		*p = T(s)
		return nil
	}, func() string { return string(*p) }}
}

// Environment is a list of variables, NAME=VALUE each, one for each use of the flag.
func Environment(p *[]string) *Value {
	return &Value{"NAME=VALUE", func(s string) error {
		if strings.Index(s, "=") < 1 {
			return errors.New("must be NAME=VALUE")
		}
		*p = append(*p, s)
		return nil
	}, func() string { return "" }}
}

// Some is a list of a few allowed words, separated by commas.
func Some(p *[]string, words ...string) *Value {
	return &Value{"words", func(s string) error {
		for word := range strings.SplitSeq(s, ",") {
			if !slices.Contains(words, word) {
				return fmt.Errorf("unknown %q: must be one or more of %s", word, strings.Join(words, ","))
			}
			*p = append(*p, word)
		}
		return nil
	}, func() string { return strings.Join(*p, ",") }}
}

func all(words []string, is func(string) bool) bool {
	return !slices.ContainsFunc(words, func(s string) bool { return !is(s) })
}

// or reads like "a, b or c".
func or(words []string) string {
	if len(words) == 1 {
		return words[0]
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}
