// SPDX-License-Identifier: Apache-2.0

package local

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/serin-dev/serin/internal/local/models"
)

// Example returns the path of the manifest of a first service, whose model is on
// this machine.
func Example(dir string) string { return filepath.Join(dir, "examples", "sklearn-iris.yaml") }

// exampleManifest has a verb for the folder of the model.
const exampleManifest = `apiVersion: serving.kserve.io/v1beta1
kind: InferenceService
metadata:
  name: sklearn-iris
spec:
  predictor:
    model:
      modelFormat:
        name: sklearn
      storageUri: file://%s
`

// writeExample writes the manifest and its model, so that a first apply works
// without a network.
func writeExample(dir string) error {
	model, err := fs.ReadFile(models.Bucket(), models.First)
	if err != nil {
		return fmt.Errorf("read example: %w", err)
	}
	folder := filepath.Join(filepath.Dir(Example(dir)), "iris")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return fmt.Errorf("write example: %w", err)
	}
	for file, content := range map[string][]byte{
		filepath.Join(folder, filepath.Base(models.First)): model,
		Example(dir): fmt.Appendf(nil, exampleManifest, folder),
	} {
		if err := os.WriteFile(file, content, 0o600); err != nil {
			return fmt.Errorf("write example: %w", err)
		}
	}
	return nil
}
