// SPDX-License-Identifier: Apache-2.0

package v1beta1

import "testing"

func TestServiceBehindATokenIsRefused(t *testing.T) {
	for value, refused := range map[string]bool{"true": true, "True": true, "1": true, "yes": true, "false": false, "False": false, "0": false, "": false} {
		annotations := map[string]string{AnnotationAuth: value}
		if err := CheckAuth(annotations, nil); (err != nil) != refused {
			t.Errorf("%q on the service: %v", value, err)
		}
		if err := CheckAuth(nil, annotations); (err != nil) != refused {
			t.Errorf("%q on the predictor: %v", value, err)
		}
	}
	if err := CheckAuth(nil, map[string]string{"security.opendatahub.io/other": "true"}); err != nil {
		t.Error(err)
	}
}
