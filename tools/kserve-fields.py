# SPDX-License-Identifier: Apache-2.0
"""Prints the fields of KServe's types, read from the wheel of its Python package.

One line per type that an InferenceService or a runtime reaches: its name and its
fields, each with its type where that is KServe's too. Nothing of the package runs.
"""

import ast
import re
import sys
import zipfile

ROOTS = ["V1beta1InferenceService", "V1alpha1ServingRuntime", "V1alpha1ClusterServingRuntime"]


def types_of(source):
    """Yields each generated class with its fields, {name in JSON: type}."""
    for node in ast.parse(source).body:
        if not isinstance(node, ast.ClassDef):
            continue
        tables = {
            s.targets[0].id: ast.literal_eval(s.value)
            for s in node.body
            if isinstance(s, ast.Assign) and s.targets[0].id in ("openapi_types", "attribute_map")
        }
        if "attribute_map" in tables:
            yield node.name, {json: tables["openapi_types"][name] for name, json in tables["attribute_map"].items()}


def main(wheel):
    types = {}
    with zipfile.ZipFile(wheel) as files:
        for name in files.namelist():
            if re.fullmatch(r"kserve/models/\w+\.py", name):
                types.update(types_of(files.read(name)))
    todo, done = list(ROOTS), set()
    while todo:
        name = todo.pop()
        if name in done:
            continue
        done.add(name)
        todo += [t for of in types[name].values() for t in re.findall(r"\w+", of) if t in types]
    for name in sorted(done):
        fields = []
        for field, of in sorted(types[name].items()):
            inner = [t for t in re.findall(r"\w+", of) if t in types]
            fields.append(":".join([field, *inner]))
        print(name, *fields)


main(sys.argv[1])
