"""Whether a path lies on a local disk: on a network file system SQLite's locks cannot be trusted."""

from __future__ import annotations

from pathlib import Path

from tocsin.bus.failures import BusError

NETWORK_FILE_SYSTEMS = frozenset(
    {"nfs", "nfs4", "cifs", "smb2", "smb3", "smbfs", "afs", "ceph", "glusterfs", "lustre", "beegfs", "gfs2", "ocfs2"}
    | {"fuse.sshfs", "fuse.glusterfs", "fuse.s3fs", "fuse.rclone", "fuse.gcsfuse", "davfs"}
)


def file_system_of(path: Path, mounts: str) -> str:
    """The type of the file system that holds `path`, by the text of `/proc/self/mountinfo`; empty where it is unknown."""
    best, kind = Path(), ""
    resolved = path.resolve()
    for line in mounts.splitlines():
        left, _, right = line.partition(" - ")
        fields, types = left.split(), right.split()
        if len(fields) < 5 or not types:
            continue
        mount = Path(fields[4].encode().decode("unicode_escape"))
        if resolved.is_relative_to(mount) and len(mount.parts) >= len(best.parts):
            best, kind = mount, types[0]
    return kind


def refuse_network_file_system(path: Path) -> None:
    """Raise BusError when `path` would lie on a network file system. Outside Linux this cannot be told, and passes."""
    try:
        mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8")
    except OSError:
        return
    kind = file_system_of(path.parent, mounts)
    if kind in NETWORK_FILE_SYSTEMS:
        raise BusError(
            f"the bus's file {path} lies on a network file system ({kind}), where locks cannot be trusted and records "
            "would be lost: set bus.path to a local disk, or bus.kind to kafka"
        )
