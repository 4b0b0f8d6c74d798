#!/usr/bin/env python3
"""Packs the cases of all versions: FOLDER/KIND/... becomes ARCHIVES/KIND.tar.bz2, or the way back.

    python pack.py FOLDER ARCHIVES
    python pack.py --unpack FOLDER ARCHIVES

The versions of one case lie beside each other, because they hardly differ.
"""

import bz2
import glob
import io
import os
import sys
import tarfile


def order(name):
    version, file = name.split("/", 1)
    return (version != "inputs", file.endswith(".case.json"), file, [int(n) for n in version.split(".") if n.isdigit()])


def pack(folder, archives):
    os.makedirs(archives, exist_ok=True)
    for kind in sorted(os.listdir(folder)):
        top = os.path.join(folder, kind)
        names = [os.path.relpath(os.path.join(at, f), top) for at, _, files in os.walk(top) for f in files]
        raw = io.BytesIO()
        with tarfile.open(fileobj=raw, mode="w", format=tarfile.USTAR_FORMAT) as tar:
            for name in sorted(names, key=order):
                info = tarfile.TarInfo(name)
                info.size = os.path.getsize(os.path.join(top, name))
                with open(os.path.join(top, name), "rb") as f:
                    tar.addfile(info, f)
        packed = bz2.compress(raw.getvalue(), 9)
        with open(os.path.join(archives, kind + ".tar.bz2"), "wb") as f:
            f.write(packed)
        print("%-12s %5d files %9d bytes, packed %8d" % (kind, len(names), len(raw.getvalue()), len(packed)))


def unpack(folder, archives):
    for path in glob.glob(os.path.join(archives, "*.tar.bz2")):
        with tarfile.open(path) as tar:
            tar.extractall(os.path.join(folder, os.path.basename(path)[: -len(".tar.bz2")]))


if __name__ == "__main__":
    if len(sys.argv) == 4 and sys.argv[1] == "--unpack":
        unpack(*sys.argv[2:])
    elif len(sys.argv) == 3:
        pack(*sys.argv[1:])
    else:
        sys.exit(__doc__)
