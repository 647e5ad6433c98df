"""scratch_image.py NAME FILE PATH OUT [LIBRARY...]: an image of the binary FILE, installed and started as
PATH, with the libraries that it needs at their own places, as a docker-archive."""

import hashlib
import io
import json
import pathlib
import platform
import sys
import tarfile

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def archive(entries):
    """A tar of (name, bytes, mode)."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, data, mode in entries:
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(data), mode
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def main():
    name, file, path, out = sys.argv[1:5]
    files = [(path, file)] + [(library, library) for library in sys.argv[5:]]
    layer = archive([(inside.lstrip("/"), pathlib.Path(outside).read_bytes(), 0o755)
                     for inside, outside in files])
    config = json.dumps({
        "architecture": ARCHITECTURES[platform.machine()], "os": "linux",
        "config": {"Entrypoint": [path]},
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(layer).hexdigest()]},
    }).encode()
    config_name = hashlib.sha256(config).hexdigest() + ".json"
    manifest = json.dumps([{"Config": config_name, "RepoTags": [name], "Layers": ["layer.tar"]}])
    pathlib.Path(out).write_bytes(archive([
        ("layer.tar", layer, 0o644), (config_name, config, 0o644),
        ("manifest.json", manifest.encode(), 0o644)]))


if __name__ == "__main__":
    main()
