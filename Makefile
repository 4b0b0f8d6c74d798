# SPDX-License-Identifier: Apache-2.0

# Static programs, and one build cache for all of them and their tests.
export CGO_ENABLED := 0

SHELL    := bash
GO       := go
LINT     := $(GO) run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
VERSION  := $(shell git describe --always --dirty 2>/dev/null || echo development)
LDFLAGS  := -s -w -X main.version=$(VERSION)
PROGRAMS := etcd modelserver queue fetch controller router

.DEFAULT_GOAL := help
.PHONY: help build demo test python race fuzz e2e check lint vulncheck format generate images proof bench clean

help: ## Show this.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## Put serin and its siblings into bin/. The first time takes minutes: it compiles Kubernetes.
	@tools/build.sh '$(LDFLAGS)' $(PROGRAMS)

demo: build ## See models rolled out, promoted and rolled back, in about a minute.
	@bin/serin demo

test: build ## Run all tests.
	$(GO) -C tools test ./...
	SERIN_BIN=$(CURDIR)/bin $(GO) test -timeout 20m ./...

e2e: build ## Run the stories that drive the real program.
	SERIN_BIN=$(CURDIR)/bin $(GO) test -count=1 -timeout 20m -v ./e2e/...

python: build ## Run KServe's Python client and servers against serin up. Installs them first, from PyPI.
	SERIN_BIN=$(CURDIR)/bin tools/kserve-python.sh

# Left out is what links Kubernetes: compiling it once more, with the race
# detector, takes a quarter of an hour. That is internal/local/kube, internal/local,
# which has no tests, and cmd/serin. e2e and the programs below bench drive programs.
# -short leaves out the models of all but the newest scikit-learn.
race: build ## Run the tests of our own code with the race detector. Needs a C compiler.
	CGO_ENABLED=1 SERIN_BIN=$(CURDIR)/bin $(GO) test -race -short -timeout 20m $$($(GO) list ./... | \
		grep -Ev '/e2e|/bench/|/(cmd/serin|internal/local/kube|internal/local)$$')

# Every run of the tests tries the seeds of all, and mutants for seconds.
FUZZTIME := 10m
fuzz: ## Run each fuzz test for FUZZTIME. For the night.
	tools/fuzz.sh $(FUZZTIME) $(FUZZ)

lint: ## Run the linters.
	$(GO) vet ./...
	$(LINT) run

VULNCHECK := v1.9.0
vulncheck: ## Look for calls of code with known vulnerabilities, where Go's database of them can be reached.
	@tools/vulncheck.sh $(VULNCHECK) ./cmd/...

format: ## Format all code.
	$(LINT) fmt

generate: ## Make the generated code and documents anew.
	$(GO) generate ./...

check: ## For every change: formatting, linters, generated files, tests.
	$(LINT) fmt --diff
	$(MAKE) lint
	tools/generated.sh
	$(MAKE) test

images: ## Build the images for clusters into bin/images, without a container engine.
	$(GO) -C tools run ./images -version $(VERSION)

# A cluster of two nodes on this machine, and the stories in it.
CLUSTER      := bin/cluster/cluster
COREDNS      := github.com/coredns/coredns@v1.14.0
HELM         := helm.sh/helm/v4/cmd/helm@v4.3.1
KUBEROUTER   := github.com/cloudnativelabs/kube-router/v2/cmd/kube-router@v2.1.0
TRAEFIK      := v3.6.12
IMAGE_PREFIX := registry.test/serin
# Of changed sources each build is a version of its own: nodes keep images by name.
IMAGES        = $(VERSION)$(if $(findstring dirty,$(VERSION)),-$(shell date +%s))
HERE          = $(shell $(GO) env GOARCH)
KUBERNETES    = $(shell $(GO) list -m -f '{{.Version}}' k8s.io/kubernetes)

.PHONY: cluster cluster-down cluster-programs e2e-cluster
cluster-programs:
	@mkdir -p bin/cluster
	@echo "Compiling Kubernetes' node, CoreDNS, kube-router, Helm and Traefik: twenty minutes the first time."
	$(GO) build -ldflags '-s -w -X k8s.io/component-base/version.gitVersion=$(KUBERNETES)' -o $(CLUSTER) ./e2e/cluster
	GOBIN=$(CURDIR)/bin/cluster $(GO) install -ldflags '-s -w' $(COREDNS)
	GOBIN=$(CURDIR)/bin/cluster $(GO) install -ldflags '-s -w' $(HELM)
	GOBIN=$(CURDIR)/bin/cluster $(GO) install -ldflags '-s -w' $(KUBEROUTER)
	tools/traefik.sh $(TRAEFIK) bin/cluster/traefik
	$(GO) -C tools run ./images -version 1 -prefix $(IMAGE_PREFIX) -arch $(HERE) -out ../bin/cluster/images -programs e2e/cluster/pause

cluster: cluster-programs ## Start a Kubernetes cluster of two nodes on this machine. Linux, root.
	@$(CLUSTER) install
	@$(CLUSTER) up

cluster-down: ## End it, and leave nothing behind.
	@$(CLUSTER) down

# Another cluster: KUBECONFIG=... IMAGE_PREFIX=... IMAGES=..., with images that it can pull.
e2e-cluster: build ## Run the stories in that cluster, or in the one of KUBECONFIG.
	@tools/e2e-cluster.sh $(CLUSTER) $(IMAGE_PREFIX) $(IMAGES) $(E2E_FLAGS)

# It fails on failed requests and wrong splits, never on times: machines differ.
PROOF := -cycles 6 -rate 300 -mode plain,delete-pods
proof: build ## Roll out and back under load and count failed requests: a minute of docs/proof.md.
	$(GO) run ./bench/rollout -bin bin $(PROOF)

# All but models and scale; BENCH="router idle": these; UPDATE=1: takes the numbers over.
bench: build ## Measure, and compare with the budgets in bench/limits.yaml. Takes a while. Only BENCH=models installs something.
	$(GO) run ./bench $(if $(UPDATE),-update) $(BENCH)

clean: ## Remove what was built.
	rm -rf bin
