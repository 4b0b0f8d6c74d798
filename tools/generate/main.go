// SPDX-License-Identifier: Apache-2.0

// Command generate writes what is derived from the API's types: deepcopy
// methods beside them, the CustomResourceDefinitions in api/crd, and the API's
// page of the manual.
//
// It runs controller-gen's generators as a library. The program controller-gen can
// keep all descriptions or none: with all of Kubernetes' own a CRD is too large
// for kubectl apply, and with none kubectl explain is empty.
//
// Run it by go generate ./api/... in the repository.
package main

import (
	"fmt"
	"log"
	"os"

	"sigs.k8s.io/controller-tools/pkg/deepcopy"
	"sigs.k8s.io/controller-tools/pkg/genall"
)

func main() {
	log.SetFlags(0)
	if err := run(); err != nil {
		log.Fatal("generate: ", err)
	}
}

// run is started in the tools folder, where go.mod pins the generators.
func run() error {
	if err := os.Chdir(".."); err != nil {
		return err
	}
	copies := genall.Generator(deepcopy.Generator{HeaderFile: "tools/generate/header.txt"})
	crds := genall.Generator(crdGenerator{})
	runtime, err := genall.Generators{&copies, &crds}.ForRoots("./api/v1alpha1", "./api/v1beta1")
	if err != nil {
		return fmt.Errorf("load the API's packages: %w", err)
	}
	runtime.OutputRules.Default = genall.OutputArtifacts{Config: "api/crd"}
	if runtime.Run() {
		return fmt.Errorf("errors above")
	}
	return nil
}
