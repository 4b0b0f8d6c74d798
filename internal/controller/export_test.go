// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/internal/rollout"
)

// Apply writes a decision about a service as it was read, for tests of late caches.
func Apply(ctx context.Context, c client.Client, s *v1beta1.InferenceService, p rollout.Plan) (bool, error) {
	return writer{client: c, api: c}.apply(ctx, &world{service: s}, p, nil)
}
