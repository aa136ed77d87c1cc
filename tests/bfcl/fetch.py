"""Downloads the benchmark into target/bfcl/package, as `requirements.txt` pins it. None of its code is in this repository."""

import os
import pathlib
import shutil
import subprocess
import sys
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
CACHE = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", HERE.parents[1] / "target")).resolve() / "bfcl"
PACKAGE = CACHE / "package"
DATA = PACKAGE / "bfcl_eval" / "data"
CODE = pathlib.PurePosixPath("bfcl_eval/eval_checker/multi_turn_eval/func_source_code")

# Its classes of tools, and the files they are in; a file's name is what its tools are called after: `trading_bot.place_order`.
APIS = {
    "GorillaFileSystem": "gorilla_file_system",
    "MathAPI": "math_api",
    "MessageAPI": "message_api",
    "TicketAPI": "ticket_api",
    "TradingBot": "trading_bot",
    "TravelAPI": "travel_booking",
    "TwitterAPI": "posting_api",
    "VehicleControlAPI": "vehicle_control",
}


def fetch() -> None:
    pins = HERE / "requirements.txt"
    wanted = pins.read_text()
    done = CACHE / "fetched"
    if done.exists() and done.read_text() == wanted:
        return
    shutil.rmtree(CACHE, ignore_errors=True)
    wheels = CACHE / "wheels"
    subprocess.run(
        [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary", ":all:",
         "--require-hashes", "--requirement", pins, "--dest", wheels],
        check=True)
    for wheel in sorted(wheels.glob("*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(PACKAGE)
    done.write_text(wanted)


if __name__ == "__main__":
    fetch()
    print(PACKAGE)
