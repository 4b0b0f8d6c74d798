// SPDX-License-Identifier: Apache-2.0

package fitted

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/serin-dev/serin/internal/model/pickle"
)

// bundle says what to do with a file that holds a container, as KServe refuses those
// too. It names the estimators in it.
func bundle(value any) error {
	type member struct {
		name  string
		value any
	}
	var members []member
	add := func(items []any) {
		for i, v := range items {
			members = append(members, member{fmt.Sprintf("number %d", i+1), v})
		}
	}
	switch v := value.(type) {
	case *pickle.Dict:
		for _, key := range slices.Sorted(maps.Keys(v.Entries)) {
			members = append(members, member{fmt.Sprintf("%q", pickle.Quote(key)), v.Entries[key]})
		}
	case *pickle.List:
		add(v.Items)
	case pickle.Tuple:
		add(v)
	}
	const most = 3 // to name
	var named []string
	for _, m := range members {
		if o, ok := m.value.(*pickle.Object); ok && o.State.Entries["_sklearn_version"] != nil && len(named) < most {
			named = append(named, fmt.Sprintf("%s, %s", m.name, pickle.Describe(o)))
		}
	}
	if len(named) == 0 {
		return fmt.Errorf("the file holds %s, not an estimator", pickle.Describe(value))
	}
	return fmt.Errorf("the file holds %s, not an estimator: save one of its values by itself (%s)", pickle.Describe(value), strings.Join(named, "; "))
}
