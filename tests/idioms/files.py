"""What programs do with files, one idiom a function. An agent: `run({"directory": PATH})` gives idiom → result.

The same file runs under any Python 3.8 or later and in the sandbox; both must say the same. So no result holds a temporary name,
an absolute path, a time or an inode. Each idiom has a directory of its own, below PATH.
"""

import codecs
import configparser
import contextlib
import csv
import fileinput
import filecmp
import fnmatch
import glob
import gzip
import hashlib
import io
import itertools
import json
import linecache
import logging
import os
import pathlib
import pickle
import shelve
import shutil
import sqlite3
import stat
import struct
import tarfile
import tempfile
import xml.etree.ElementTree
import zipfile

IDIOMS = {}


def idiom(function):
    IDIOMS[function.__name__] = function
    return function


def write(path, text):
    with open(path, "w", encoding="utf-8") as stream:
        stream.write(text)


def read(path):
    with open(path, encoding="utf-8") as stream:
        return stream.read()


@idiom
def text_is_written_and_read():
    write("a.txt", "first\nzweite Zeile: ü\n")
    with open("a.txt", encoding="utf-8") as stream:
        return [line.rstrip("\n") for line in stream]


@idiom
def binary_is_written_and_read():
    with open("a.bin", "wb") as stream:
        stream.write(bytes(range(256)) * 100)
    with open("a.bin", "rb") as stream:
        return [hashlib.sha256(stream.read()).hexdigest(), os.path.getsize("a.bin")]


@idiom
def append():
    for text in ("a", "b", "c"):
        with open("log", "a") as stream:
            stream.write(text)
    return read("log")


@idiom
def exclusive_creation():
    with open("once", "x") as stream:
        stream.write("1")
    try:
        open("once", "x")
    except FileExistsError as error:
        return [type(error).__name__, error.filename]


@idiom
def update_in_place():
    write("a", "0123456789")
    with open("a", "r+") as stream:
        stream.seek(3)
        stream.write("XY")
        stream.seek(0)
        return [stream.read(), stream.tell()]


@idiom
def seek_and_tell():
    with open("a", "wb+") as stream:
        stream.write(b"0123456789")
        stream.seek(-3, os.SEEK_END)
        tail = stream.read().decode()
        stream.seek(2)
        stream.seek(2, os.SEEK_CUR)
        return [tail, stream.tell(), stream.read(2).decode()]


@idiom
def truncate():
    write("a", "0123456789")
    os.truncate("a", 4)
    with open("a", "r+") as stream:
        stream.truncate(2)
    with open("b", "wb") as stream:
        stream.truncate(5)
    return [read("a"), os.path.getsize("b")]


@idiom
def line_iteration_and_writelines():
    with open("a", "w", newline="") as stream:
        stream.writelines(["a\r\n", "b\n", "c"])
    with open("a") as universal, open("a", newline="") as plain:
        return [universal.readlines(), plain.readlines()]


@idiom
def encodings():
    with open("latin", "w", encoding="latin-1") as stream:
        stream.write("Größe")
    with codecs.open("bom", "w", "utf-8-sig") as stream:
        stream.write("x")
    try:
        read("latin")
    except UnicodeDecodeError as error:
        return [error.start, os.path.getsize("latin"), list(pathlib.Path("bom").read_bytes())]


@idiom
def missing_file():
    try:
        open("missing")
    except FileNotFoundError as error:
        return [type(error).__name__, error.filename, error.strerror]


@idiom
def directory_is_no_file():
    os.mkdir("d")
    try:
        open("d")
    except IsADirectoryError as error:
        return type(error).__name__


@idiom
def exists_isfile_isdir():
    os.mkdir("d")
    write("f", "")
    return [[check(name) for check in (os.path.exists, os.path.isfile, os.path.isdir)] for name in ("d", "f", "missing")]


@idiom
def stat_of_a_file():
    write("f", "abc")
    found = os.stat("f")
    return [found.st_size, stat.S_ISREG(found.st_mode), stat.S_ISDIR(os.stat(".").st_mode), found.st_mtime > 0, os.lstat("f").st_size]


@idiom
def access():
    write("f", "")
    return [os.access("f", os.F_OK), os.access("f", os.R_OK), os.access("f", os.W_OK), os.access("missing", os.F_OK)]


@idiom
def listdir():
    for name in ("b", "a", "c"):
        write(name, name)
    return sorted(os.listdir(".")) + sorted(os.listdir())


@idiom
def scandir():
    os.mkdir("d")
    write("f", "1234")
    with os.scandir() as entries:
        return sorted([entry.name, entry.is_dir(), entry.is_file(), entry.stat().st_size if entry.is_file() else 0] for entry in entries)


@idiom
def walk():
    for path in ("a/b", "a/c", "d"):
        os.makedirs(path)
    write("a/b/1", "")
    write("a/2", "")
    return sorted([top, sorted(inner), sorted(names)] for top, inner, names in os.walk("."))


@idiom
def walk_bottom_up_and_remove():
    os.makedirs("t/a/b")
    write("t/a/b/f", "")
    for top, inner, names in os.walk("t", topdown=False):
        for name in names:
            os.remove(os.path.join(top, name))
        for name in inner:
            os.rmdir(os.path.join(top, name))
    return os.listdir("t")


@idiom
def globbing():
    os.makedirs("a/b")
    for name in ("x.txt", "y.csv", "a/z.txt", "a/b/w.txt", ".hidden.txt"):
        write(name, "")
    return [sorted(glob.glob("*.txt")), sorted(glob.glob("**/*.txt", recursive=True)), sorted(glob.iglob("[xy].*")),
            fnmatch.filter(sorted(os.listdir()), "*.c?v")]


@idiom
def makedirs_and_removedirs():
    os.makedirs("a/b/c", exist_ok=True)
    os.makedirs("a/b/c", exist_ok=True)
    write("keep", "")
    os.removedirs("a/b/c")
    try:
        os.mkdir("keep")
    except FileExistsError as error:
        return [sorted(os.listdir()), type(error).__name__]


@idiom
def rename_and_replace():
    write("a", "1")
    write("b", "2")
    os.rename("a", "c")
    os.replace("c", "b")
    os.mkdir("d")
    os.rename("d", "e")
    return [sorted(os.listdir()), read("b")]


@idiom
def remove():
    write("a", "")
    os.remove("a")
    try:
        os.unlink("a")
    except FileNotFoundError:
        return os.path.exists("a")


@idiom
def directory_not_empty():
    os.mkdir("d")
    write("d/f", "")
    try:
        os.rmdir("d")
    except OSError as error:
        return [os.path.exists("d/f"), error.strerror]


@idiom
def working_directory():
    before = os.getcwd()
    os.mkdir("d")
    os.chdir("d")
    write("f", "inside")
    inside = os.path.basename(os.getcwd())
    os.chdir("..")
    return [inside, os.getcwd() == before, read("d/f"), os.path.relpath(os.path.abspath("d/f")), os.path.samefile("d/f", "./d/../d/f")]


@idiom
def descriptors():
    descriptor = os.open("f", os.O_CREAT | os.O_RDWR | os.O_TRUNC, 0o644)
    try:
        os.write(descriptor, b"0123456789")
        os.lseek(descriptor, 4, os.SEEK_SET)
        part = os.read(descriptor, 3).decode()
        os.fsync(descriptor)
        return [part, os.fstat(descriptor).st_size, os.pread(descriptor, 2, 1).decode(), os.isatty(descriptor)]
    finally:
        os.close(descriptor)


@idiom
def times():
    write("f", "")
    os.utime("f", (1_000_000_000, 1_000_000_001))
    return int(os.path.getmtime("f"))


@idiom
def chmod_and_umask():
    os.umask(os.umask(0o022))
    write("f", "x")
    os.chmod("f", 0o600)
    return read("f")


@idiom
def null_device():
    with open(os.devnull, "w") as sink, contextlib.redirect_stdout(sink):
        print("gone")
    with open(os.devnull, "rb") as source:
        return len(source.read())


@idiom
def pathlib_text_and_bytes():
    path = pathlib.Path("d") / "f.tar.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("hällo", encoding="utf-8")
    (path.parent / "b").write_bytes(b"\0\1")
    return [path.read_text(encoding="utf-8"), list((path.parent / "b").read_bytes()), path.suffix, path.suffixes, path.stem,
            path.stat().st_size, str(path.with_suffix(".zip")), path.exists(), path.is_dir()]


@idiom
def pathlib_iterdir_and_glob():
    root = pathlib.Path()
    for name in ("a.py", "b.py", "c.txt"):
        (root / name).touch()
    (root / "d").mkdir()
    (root / "d" / "e.py").touch()
    return [sorted(one.name for one in root.iterdir()), sorted(one.as_posix() for one in root.glob("*.py")),
            sorted(one.as_posix() for one in root.rglob("*.py"))]


@idiom
def pathlib_rename_and_unlink():
    path = pathlib.Path("a")
    path.touch()
    path.touch(exist_ok=True)
    moved = path.rename("b")
    with moved.open("a") as stream:
        stream.write("x")
    text = moved.read_text()
    moved.unlink()
    moved.unlink(missing_ok=True)
    return [text, path.exists(), moved.exists(), pathlib.Path("a").resolve().name, pathlib.Path.cwd().is_dir()]


@idiom
def csv_tables():
    with open("t.csv", "w", newline="") as stream:
        rows = csv.DictWriter(stream, ["name", "n"])
        rows.writeheader()
        rows.writerows([{"name": "a,b", "n": 1}, {"name": 'c"d\ne', "n": 2}])
    with open("t.csv", newline="") as stream:
        return [list(csv.reader(stream)), len(pathlib.Path("t.csv").read_bytes())]


@idiom
def json_files():
    with open("a.json", "w") as stream:
        json.dump({"a": [1, 2.5, None], "ü": "é"}, stream, indent=2, ensure_ascii=False)
    with open("a.json") as stream:
        return json.load(stream)


@idiom
def json_lines():
    with open("a.jsonl", "a") as stream:
        for n in range(3):
            print(json.dumps({"n": n}), file=stream)
    with open("a.jsonl") as stream:
        return [json.loads(line)["n"] for line in stream if line.strip()]


@idiom
def pickles():
    with open("p", "wb") as stream:
        pickle.dump({"a": (1, {2})}, stream)
    with open("p", "rb") as stream:
        return repr(pickle.load(stream))


@idiom
def ini_files():
    settings = configparser.ConfigParser()
    settings["server"] = {"port": "80", "name": "a"}
    with open("a.ini", "w") as stream:
        settings.write(stream)
    again = configparser.ConfigParser()
    found = again.read(["a.ini", "missing.ini"])
    return [found, again.getint("server", "port"), dict(again["server"])]


@idiom
def xml_files():
    root = xml.etree.ElementTree.Element("r")
    xml.etree.ElementTree.SubElement(root, "e", n="1").text = "ü"
    xml.etree.ElementTree.ElementTree(root).write("a.xml", encoding="utf-8", xml_declaration=True)
    return [one.text for one in xml.etree.ElementTree.parse("a.xml").getroot()]


@idiom
def gzip_files():
    with gzip.open("a.gz", "wt", encoding="utf-8") as stream:
        stream.write("packed " * 1000)
    with gzip.open("a.gz", "rt", encoding="utf-8") as stream:
        return [len(stream.read()), os.path.getsize("a.gz") < 200]


@idiom
def zip_archives():
    write("a.txt", "one")
    os.mkdir("d")
    write("d/b.txt", "two" * 1000)
    with zipfile.ZipFile("z.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write("a.txt")
        archive.write("d/b.txt")
        archive.writestr("c.txt", "three")
    with zipfile.ZipFile("z.zip", "a") as archive:
        archive.writestr("e", "four")
    with zipfile.ZipFile("z.zip") as archive:
        archive.extractall("out")
        return [archive.namelist(), archive.testzip(), archive.read("a.txt").decode(), len(read("out/d/b.txt")), zipfile.is_zipfile("z.zip"),
                bool(archive.getinfo("a.txt").external_attr >> 16 & 0o400)]


@idiom
def tar_archives():
    os.makedirs("d/e")
    write("d/e/f", "text")
    with tarfile.open("t.tar.gz", "w:gz") as archive:
        archive.add("d")
    with tarfile.open("t.tar.gz") as archive:
        names = archive.getnames()
        text = archive.extractfile("d/e/f").read().decode()
        bits = archive.getmember("d/e/f").mode & 0o600
    shutil.unpack_archive("t.tar.gz", "out")
    return [names, text, bits, read("out/d/e/f")]


@idiom
def shutil_copies():
    os.makedirs("a/b")
    write("a/b/f", "x")
    write("g", "y")
    shutil.copy("g", "h")
    shutil.copy2("g", "a")
    shutil.copyfile("g", "i")
    shutil.copystat("g", "i")
    shutil.copytree("a", "c")
    shutil.copytree("a", "c", dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.tmp"))
    return sorted(path.as_posix() for path in pathlib.Path().rglob("*") if path.is_file())


@idiom
def shutil_moves_and_rmtree():
    os.makedirs("a/b")
    write("a/b/f", "x")
    shutil.move("a", "z")
    os.mkdir("into")
    shutil.move("z/b/f", "into")
    shutil.rmtree("z")
    shutil.rmtree("missing", ignore_errors=True)
    return sorted(path.as_posix() for path in pathlib.Path().rglob("*"))


@idiom
def make_archive():
    os.mkdir("d")
    write("d/f", "x")
    name = os.path.basename(shutil.make_archive("packed", "zip", "d"))
    with zipfile.ZipFile(name) as archive:
        return [name, archive.namelist()]


@idiom
def named_temporary_file():
    with tempfile.NamedTemporaryFile("w+", suffix=".txt", delete=False) as stream:
        stream.write("temporary")
        name = stream.name
    text = read(name)
    os.unlink(name)
    return [text, name.endswith(".txt"), os.path.exists(name)]


@idiom
def temporary_directory():
    with tempfile.TemporaryDirectory() as directory:
        write(os.path.join(directory, "f"), "x")
        inside = os.listdir(directory)
    return [inside, os.path.exists(directory)]


@idiom
def temporary_file_without_name():
    with tempfile.TemporaryFile() as stream, tempfile.SpooledTemporaryFile(max_size=4) as spooled:
        for one in (stream, spooled):
            one.write(b"0123456789")
            one.seek(5)
        return [stream.read().decode(), spooled.read().decode()]


@idiom
def temporary_beside_and_replace():
    write("a", "old")
    descriptor, name = tempfile.mkstemp(dir=".")
    with os.fdopen(descriptor, "w") as stream:
        stream.write("new")
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(name, "a")
    return [read("a"), os.listdir()]


@idiom
def sqlite_database():
    with contextlib.closing(sqlite3.connect("a.db")) as database:
        with database:
            database.execute("create table t (n integer primary key, s text)")
            database.executemany("insert into t (s) values (?)", [(f"row {n}",) for n in range(1000)])
        try:
            with database:
                database.execute("delete from t")
                raise KeyError
        except KeyError:
            pass
    with contextlib.closing(sqlite3.connect("a.db")) as database:
        total = database.execute("select count(*), max(n) from t where s like 'row 9%'").fetchone()
    return [list(total), sorted(os.listdir())]


@idiom
def sqlite_sorts_much_and_vacuums():
    with contextlib.closing(sqlite3.connect("a.db")) as database:
        database.execute("pragma cache_size = 10")
        database.execute("create table t (s text)")
        with database:
            database.executemany("insert into t values (?)", [("%08d" % (n * 7919 % 20011) + "x" * 100,) for n in range(20000)])
        first = database.execute("select s from t order by s limit 1").fetchone()[0][:8]
        database.execute("create index i on t (s)")
        database.execute("delete from t where rowid > 10")
        database.commit()
        database.execute("vacuum")
        return [first, database.execute("pragma integrity_check").fetchone()[0], sorted(os.listdir())]


@idiom
def sqlite_two_connections():
    with contextlib.closing(sqlite3.connect("a.db")) as first:
        first.execute("create table t (n)")
    with contextlib.closing(sqlite3.connect("a.db")) as one, contextlib.closing(sqlite3.connect("a.db")) as two:
        one.execute("insert into t values (1)")
        one.commit()
        before = two.execute("select count(*) from t").fetchone()[0]
        one.execute("insert into t values (2)")
        one.commit()
        return [before, two.execute("select count(*) from t").fetchone()[0]]


@idiom
def shelf():
    with shelve.open("shelf") as kept:
        kept["a"] = [1, 2]
        kept["b"] = {"c": 3}
    with shelve.open("shelf") as kept:
        return [sorted(kept), kept["a"], kept["b"]]


@idiom
def fileinput_in_place():
    write("a", "one\ntwo\n")
    with fileinput.input("a", inplace=True) as lines:
        for line in lines:
            print(line.upper(), end="")
    with fileinput.input(["a"]) as lines:
        return [[lines.filelineno(), line] for line in lines]


@idiom
def comparison():
    for name in ("l", "r"):
        os.mkdir(name)
        write(f"{name}/same", "1")
        write(f"{name}/other", name * 3)
        write(f"{name}/only {name}", "")
    found = filecmp.dircmp("l", "r")
    return [filecmp.cmp("l/same", "r/same", shallow=False), found.left_only, found.right_only, sorted(found.common_files),
            filecmp.cmpfiles("l", "r", ["same", "other"], shallow=False)]


@idiom
def linecache_lines():
    write("a", "one\ntwo\nthree\n")
    linecache.clearcache()
    return [linecache.getline(os.path.abspath("a"), 2), linecache.getline("missing", 1)]


@idiom
def log_file():
    log = logging.getLogger("idioms.log_file")
    log.propagate = False
    handler = logging.FileHandler("a.log", encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    log.addHandler(handler)
    log.error("first: %s", "ü")
    log.warning("second")
    log.removeHandler(handler)
    handler.close()
    return read("a.log")


@idiom
def many_files():
    for n in range(200):
        write(f"{n:03}.txt", str(n))
    return sum(int(read(name)) for name in sorted(os.listdir()))


@idiom
def large_file():
    block = bytes(range(256)) * 4096
    with open("a", "wb") as stream:
        for _ in range(4):
            stream.write(block)
    digest = hashlib.sha256()
    with open("a", "rb") as stream:
        for part in iter(lambda: stream.read(65536), b""):
            digest.update(part)
    return [os.path.getsize("a"), digest.hexdigest()]


@idiom
def records_at_offsets():
    record = struct.Struct("<I8s")
    with open("a", "wb+") as stream:
        for n in range(10):
            stream.write(record.pack(n, b"name%d" % n))
        stream.seek(record.size * 7)
        number, name = record.unpack(stream.read(record.size))
        buffer = bytearray(4)
        stream.seek(0)
        return [number, name.rstrip(b"\0").decode(), stream.readinto(buffer), list(buffer)]


@idiom
def names_that_need_care():
    names = ["with space", "ünïcode", "a'b\"c", "semi;colon", "-dash", "日本語"]
    for name in names:
        write(name, name)
    return sorted(read(name) for name in os.listdir()) == sorted(names)


@idiom
def standard_streams_of_a_string():
    with open("a", "w") as stream, contextlib.redirect_stdout(stream):
        print("to a file")
    collected = io.StringIO()
    with open("a") as stream:
        shutil.copyfileobj(stream, collected)
    return collected.getvalue()


@idiom
def tail_of_a_file():
    write("a", "".join(f"line {n}\n" for n in range(100)))
    with open("a") as stream:
        middle = [line.strip() for line in itertools.islice(stream, 50, 52)]
    with open("a", "rb") as stream:
        stream.seek(-16, os.SEEK_END)
        return middle + stream.read().decode().splitlines()[-1:]


def run(input):
    results = {}
    start = os.getcwd()
    root = os.path.join(input["directory"], "idioms")
    for name, function in IDIOMS.items():
        own = os.path.join(root, name)
        shutil.rmtree(own, ignore_errors=True)
        os.makedirs(own)
        os.chdir(own)
        try:
            results[name] = function()
        except Exception as error:
            results[name] = f"FAILED: {type(error).__name__}: {error}".replace(own, "")
        finally:
            os.chdir(start)
        shutil.rmtree(own, ignore_errors=True)
    return results


if __name__ == "__main__":
    import sys

    json.dump(run(json.load(sys.stdin)), sys.stdout, ensure_ascii=False, indent=1)
