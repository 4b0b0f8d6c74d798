// SPDX-License-Identifier: Apache-2.0

package v1beta1

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation"
)

func TestModelDigestIsOneFixedForm(t *testing.T) {
	digest := "sha256:0123456789ab" + strings.Repeat("f", 52)
	if got := ShortModelDigest(digest); !IsModelDigest(digest) || got != "0123456789ab" {
		t.Errorf("%q is a digest: %v, short %q", digest, IsModelDigest(digest), got)
	}
	for _, s := range []string{
		"", "sha256:", digest[7:], digest[:70], digest + "0", digest + "\n", " " + digest, strings.ToUpper(digest),
		"sha512:" + digest[7:], "sha256:" + strings.Repeat("g", 64), "sha256:" + strings.Repeat("0", 63) + "\x00",
		"sha256:" + strings.Repeat("0", 31) + "é" + strings.Repeat("0", 31),
	} {
		if IsModelDigest(s) || ShortModelDigest(s) != "" {
			t.Errorf("%q is a digest, short %q", s, ShortModelDigest(s))
		}
	}
}

func TestModelsNameIsAllowedAndDistinct(t *testing.T) {
	long := strings.Repeat("a", 63)
	for service, want := range map[string]string{"iris": "iris-predictor-models", long: long + "-predictor-models"} {
		if got := Predictor.ModelsName(service); got != want || validation.IsDNS1123Subdomain(got) != nil {
			t.Errorf("ConfigMap of %s is %q, want %q", service, got, want)
		}
	}
}
