#!/usr/bin/env python3
"""Fetches libtorch and lays it out in .libtorch/, where cargo looks for it.

libtorch comes out of PyTorch's own Python wheel: pip downloads it (without what
it depends on), its SHA-256 is checked, and only the headers and the libraries
that a CPU build loads are unpacked. A second run does nothing; a run that was
interrupted goes on from the wheels that arrived whole.

A libtorch of your own is used instead when LIBTORCH names it, and an installed
PyTorch when LIBTORCH_USE_PYTORCH=1; this script then does nothing.
"""

import fcntl
import hashlib
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Dict, List, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / ".libtorch"
# Everything unfinished lives here: on the same disk, so that the last step is a rename.
PARTIAL = ROOT / ".libtorch.partial"

# The version that tch 0.26 is written for; its build script accepts no other.
VERSION = "2.13.0"


class Wheel(NamedTuple):
    """One pinned file, and what is wanted of it."""

    package: str
    version: str
    platform: str  # pip's platform tag of this very file
    size: int
    sha256: str
    libraries: List[str]  # paths in the wheel; all of them end up in lib/

    @property
    def path(self) -> Path:
        return PARTIAL / "wheels" / "{}-{}.whl".format(self.package, self.version)


# libtorch_cpu of the Linux wheels is linked against two CUDA libraries, although
# nothing calls them without a GPU. They come from wheels of their own.
CUDART = ["nvidia/cu13/lib/libcudart.so.13"]
CUPTI = ["nvidia/cu13/lib/libcupti.so.13"]
LINUX = ["torch/lib/libc10.so", "torch/lib/libtorch_cpu.so", "torch/lib/libgomp.so.1"]
ARM = [
    "torch/lib/libarm_compute.so",
    "torch/lib/libarm_compute_graph.so",
    "torch/lib/libnvpl_blas_core.so.0",
    "torch/lib/libnvpl_blas_lp64_gomp.so.0",
    "torch/lib/libnvpl_lapack_core.so.0",
    "torch/lib/libnvpl_lapack_lp64_gomp.so.0",
]
MACOS = ["torch/lib/lib{}.dylib".format(name) for name in ("c10", "torch", "torch_cpu", "omp")]

# fmt: off
WHEELS: Dict[str, List[Wheel]] = {
    "Linux x86_64": [
        Wheel("torch", VERSION, "manylinux_2_28_x86_64", 526605292,
              "796633c4cdf0fe2cdced72d8f88f22e73dbcfce83132763162f6d4bff13b820b", LINUX),
        Wheel("nvidia-cuda-runtime", "13.0.96", "manylinux2014_x86_64", 2243632,
              "7f82250d7782aa23b6cfe765ecc7db554bd3c2870c43f3d1821f1d18aebf0548", CUDART),
        Wheel("nvidia-cuda-cupti", "13.0.85", "manylinux_2_25_x86_64", 10715597,
              "4eb01c08e859bf924d222250d2e8f8b8ff6d3db4721288cf35d14252a4d933c8", CUPTI),
    ],
    "Linux aarch64": [
        Wheel("torch", VERSION, "manylinux_2_28_aarch64", 427210998,
              "572df8be8ffb4599c88cbd6a0726f1f854f4da65d2e3c09f0e2c2283333cd6d4", LINUX + ARM),
        Wheel("nvidia-cuda-runtime", "13.0.96", "manylinux2014_aarch64", 2261060,
              "ef9bcbe90493a2b9d810e43d249adb3d02e98dd30200d86607d8d02687c43f55", CUDART),
        Wheel("nvidia-cuda-cupti", "13.0.85", "manylinux_2_25_aarch64", 10310827,
              "796bd679890ee55fb14a94629b698b6db54bcfd833d391d5e94017dd9d7d3151", CUPTI),
    ],
    "Darwin arm64": [
        Wheel("torch", VERSION, "macosx_14_0_arm64", 111213045,
              "2fe228aba290d14b9f31b049be550dbd469c3fd3013d7a19705b30454da97027", MACOS),
    ],
}
# fmt: on


class Failure(Exception):
    """What went wrong and what to do about it, in one sentence."""


def main() -> None:
    user = os.environ.get("LIBTORCH")
    # cargo hands its own setting to what it runs: the default is not a user's choice.
    if user and Path(user).resolve() != TARGET.resolve():
        print("LIBTORCH is set to {}: that one is used, nothing to fetch.".format(user))
        return
    if "LIBTORCH_USE_PYTORCH" in os.environ:
        print("LIBTORCH_USE_PYTORCH is set: the installed PyTorch is used, nothing to fetch.")
        return
    if TARGET.is_symlink() and TARGET.exists():
        print(".libtorch is a link to {}: left as it is.".format(TARGET.resolve()))
        return
    wheels = wheels_of_this_machine()
    if complete(wheels):
        print("libtorch {} is in .libtorch/.".format(VERSION))
        return

    PARTIAL.mkdir(exist_ok=True)
    with open(PARTIAL / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # Another run may have finished while this one waited.
        if not complete(wheels):
            (PARTIAL / "wheels").mkdir(exist_ok=True)
            missing = [wheel for wheel in wheels if not arrived(wheel)]
            # pip keeps a second copy of a wheel until it ends.
            make_room(2 * sum(wheel.size for wheel in missing))
            for wheel in missing:
                fetch(wheel)
            lay_out(wheels)
    print("libtorch {} is ready in .libtorch/.".format(VERSION))


def wheels_of_this_machine() -> List[Wheel]:
    machine = "{} {}".format(platform.system(), platform.machine())
    wheels = WHEELS.get(machine)
    need = None
    if wheels is None:
        need = "there is no pinned libtorch for {}".format(machine)
    elif platform.system() == "Linux":
        name, version = platform.libc_ver()
        if name != "glibc" or numbers(version) < [2, 28]:
            need = "the pinned libtorch needs glibc 2.28 or later"
    elif numbers(platform.mac_ver()[0]) < [14]:
        need = "the pinned libtorch needs macOS 14 or later"
    if need:
        raise Failure(
            "{}: set LIBTORCH to the directory of a libtorch {} (the one with include/ and lib/)"
            " and build again".format(need, VERSION)
        )
    return wheels or []


def numbers(version: str) -> List[int]:
    return [int(part) for part in version.split(".") if part.isdigit()]


def complete(wheels: List[Wheel]) -> bool:
    """Whether .libtorch/ holds what these pins would give: a look, not a checksum."""
    try:
        manifest = json.loads((TARGET / "manifest.json").read_text())
        return manifest["sha256"] == [wheel.sha256 for wheel in wheels] and all(
            (TARGET / "lib" / name).stat().st_size == size
            for name, size in manifest["libraries"].items()
        )
    except (OSError, ValueError, KeyError):
        return False


def arrived(wheel: Wheel) -> bool:
    try:
        return wheel.path.stat().st_size == wheel.size and sha256(wheel.path) == wheel.sha256
    except OSError:
        return False


def sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def make_room(needed: int) -> None:
    free = shutil.disk_usage(ROOT).free
    if free < needed:
        raise Failure(
            "{:.1f} GB of disk space are needed in {}, {:.1f} are free: make room and run this"
            " again".format(needed / 1e9, ROOT, free / 1e9)
        )


def fetch(wheel: Wheel) -> None:
    """Has pip download one wheel; it gets its final name once its hash is right."""
    what = "{} {} ({:.0f} MB)".format(wheel.package, wheel.version, wheel.size / 1e6)
    print("Fetching {}".format(what), flush=True)
    scratch = PARTIAL / "pip"
    shutil.rmtree(scratch, ignore_errors=True)
    (scratch / "wheel").mkdir(parents=True)
    # The wheel is chosen for CPython 3.12 whatever runs this: any would do, one is pinned.
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-cache-dir"]
    command += ["--disable-pip-version-check", "--no-deps", "--only-binary=:all:"]
    command += ["--implementation=cp", "--python-version=3.12", "--platform=" + wheel.platform]
    command += ["--dest", str(scratch / "wheel")]
    command += ["{}=={}".format(wheel.package, wheel.version)]
    # A wheel may well be larger than what /tmp holds.
    environment = dict(os.environ, TMPDIR=str(scratch))
    with open(scratch / "messages", "w+", errors="replace") as messages:
        pip = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=messages, stderr=messages
        )
        try:
            watch(pip, scratch, wheel.size)
        finally:
            pip.kill()
            pip.wait()
        messages.seek(0)
        if pip.returncode != 0:
            raise Failure(why_pip_failed(what, messages.read()))
    for file in (scratch / "wheel").iterdir():
        if sha256(file) != wheel.sha256:
            raise Failure(
                "the SHA-256 of {} is {} where {} is pinned, so it is not used: run this again, and"
                " if it stays so, look at pip's configuration (pip config list)".format(
                    file.name, sha256(file), wheel.sha256
                )
            )
        file.replace(wheel.path)
    shutil.rmtree(scratch)


def watch(pip: "subprocess.Popen[bytes]", scratch: Path, size: int) -> None:
    """Waits for pip, on a terminal with a count of what has arrived."""
    while True:
        try:
            pip.wait(timeout=0.2)
            break
        except subprocess.TimeoutExpired:
            pass
        if sys.stdout.isatty():
            sizes = [size_of(file) for file in scratch.rglob("*.whl")]
            print("\r  {:.0%} ".format(max(sizes, default=0) / size), end="", flush=True)
    if sys.stdout.isatty():
        print("\r       \r", end="")


def size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # pip renames and deletes as it goes
        return 0


def why_pip_failed(what: str, messages: str) -> str:
    def said(*words: str) -> bool:
        return any(word in messages.lower() for word in words)

    if said("no module named pip"):
        return (
            "{} has no pip: install it (on Debian and Ubuntu: apt install python3-pip; elsewhere:"
            " python3 -m ensurepip), or set LIBTORCH to a libtorch {}".format(
                sys.executable, VERSION
            )
        )
    # On a full disk there is no room for pip's messages either.
    full = shutil.disk_usage(ROOT).free < 1 << 20
    if full or said("no space left on device", "disk quota exceeded"):
        return "the disk filled up while fetching {}: make room and run this again".format(what)
    if said("connection", "timed out", "timeout", "resolution", "unreachable", "ssl", "proxy"):
        return (
            "{} could not be fetched, as pip does not reach its package index: look at the network"
            " (and at pip config list) and run this again".format(what)
        )
    errors = [line for line in messages.splitlines() if line.startswith("ERROR: ")]
    return "pip could not fetch {}: {}".format(
        what, (errors or messages.splitlines() or ["it gave no reason"])[-1].replace("ERROR: ", "")
    )


def lay_out(wheels: List[Wheel]) -> None:
    """Unpacks what is wanted beside .libtorch/ and puts it there in one step."""
    print("Unpacking", flush=True)
    layout = PARTIAL / "layout"
    shutil.rmtree(layout, ignore_errors=True)
    wanted = [wanted_of(wheel) for wheel in wheels]
    make_room(sum(member.file_size for members in wanted for member in members.values()))
    for wheel, members in zip(wheels, wanted):
        with zipfile.ZipFile(wheel.path) as archive:
            for destination, member in members.items():
                path = layout / destination
                path.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(member) as source, open(path, "wb") as file:
                    shutil.copyfileobj(source, file, 1 << 20)
    libraries = {file.name: file.stat().st_size for file in (layout / "lib").iterdir()}
    if platform.system() == "Linux":
        # torch-sys links `torch` and `gomp` by these names. The real libtorch.so only pulls in
        # the CUDA half; not every compiler brings a libgomp.so.
        (layout / "lib/libtorch.so").symlink_to("libtorch_cpu.so")
        (layout / "lib/libgomp.so").symlink_to("libgomp.so.1")
    (layout / "build-version").write_text(VERSION + "\n")
    manifest = {"sha256": [wheel.sha256 for wheel in wheels], "libraries": libraries}
    (layout / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")

    old = PARTIAL / "old"
    shutil.rmtree(old, ignore_errors=True)
    if TARGET.exists():
        TARGET.rename(old)
    layout.rename(TARGET)
    shutil.rmtree(PARTIAL)


def wanted_of(wheel: Wheel) -> Dict[str, zipfile.ZipInfo]:
    """Where in the layout each wanted member of a wheel goes."""
    with zipfile.ZipFile(wheel.path) as archive:
        wanted = {
            member.filename[len("torch/") :]: member
            for member in archive.infolist()
            if member.filename.startswith("torch/include/") and not member.is_dir()
        }
        for library in wheel.libraries:
            wanted["lib/" + library.rsplit("/", 1)[1]] = archive.getinfo(library)
    return wanted


def stop(*_: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    # Interrupted either way, pip is stopped as well.
    signal.signal(signal.SIGTERM, stop)
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\nlibtorch: interrupted; run this again to go on from here")
    except Failure as failure:
        sys.exit("libtorch: {}".format(failure))
    except OSError as error:
        sys.exit("libtorch: {}; put that right and run this again".format(error))
