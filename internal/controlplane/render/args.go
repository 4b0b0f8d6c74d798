// SPDX-License-Identifier: Apache-2.0

package render

import "strings"

// mergedArgs is the runtime's arguments with the user's. A flag of the user's takes
// the place of the runtime's same flag; all else is appended, as in KServe. A flag
// that the runtime has several times is a list, to which the user's is appended. So
// is one that several words follow: how many of them are its values is not known.
func mergedArgs(runtime, user []string) []string {
	instead := map[string][]string{} // the user's arguments by flag
	var more []string
	times, several := counts(runtime), manyWords(runtime, user)
	for len(user) > 0 {
		name, n := argument(user, true)
		if name != "" && times[name] == 1 && !several[name] {
			instead[name] = append(instead[name], user[:n]...)
		} else {
			more = append(more, user[:n]...)
		}
		user = user[n:]
	}
	var out []string
	for len(runtime) > 0 {
		name, _ := argument(runtime, true)
		mine, ok := instead[name]
		// If the user's flag has no value, what follows the runtime's is none either.
		_, n := argument(runtime, !ok || hasValue(mine))
		if ok {
			out = append(out, mine...)
		} else {
			out = append(out, runtime[:n]...)
		}
		runtime = runtime[n:]
	}
	return append(out, more...)
}

// argument returns the name of the flag that args begin with, or nothing, and how many
// of args are the flag and its value: --name=value, or with apart --name value.
func argument(args []string, apart bool) (name string, n int) {
	name, _, joined := strings.Cut(args[0], "=")
	switch {
	case args[0] == "--":
		return "", len(args) // no flags follow
	case !strings.HasPrefix(name, "--"):
		return "", 1
	case joined || !apart || len(args) == 1 || beginsFlag(args[1]):
		return name, 1
	}
	return name, 2
}

// beginsFlag reports whether an argument is a flag, not a value such as -1.
func beginsFlag(arg string) bool {
	return len(arg) > 1 && arg[0] == '-' && (arg[1] < '0' || arg[1] > '9')
}

func hasValue(flag []string) bool { return len(flag) > 1 || strings.Contains(flag[0], "=") }

// counts returns how many times args have each flag.
func counts(args []string) map[string]int {
	times := map[string]int{}
	for len(args) > 0 {
		name, n := argument(args, true)
		times[name]++
		args = args[n:]
	}
	return times
}

// manyWords returns the flags that several words follow somewhere in the lists.
func manyWords(lists ...[]string) map[string]bool {
	several := map[string]bool{}
	for _, args := range lists {
		for len(args) > 0 {
			name, n := argument(args, true)
			if n == 2 && len(args) > 2 && !beginsFlag(args[2]) {
				several[name] = true
			}
			args = args[n:]
		}
	}
	return several
}

// lookup returns the value of a flag. The last one counts.
func lookup(args []string, flag string) (value string, ok bool) {
	for len(args) > 0 {
		name, n := argument(args, true)
		if name == flag {
			_, value, _ = strings.Cut(args[0], "=")
			if n == 2 {
				value = args[1]
			}
			ok = true
		}
		args = args[n:]
	}
	return value, ok
}
