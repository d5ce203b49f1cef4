"""The S3 server of the embedded stack: SeaweedFS, with one identity whose keys are made once."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import urllib3
from minio import Minio
from minio.error import MinioException

from api.dev.processes import Child
from api.dev.programs import weed_program

PORTS = 8  # S3, master, volume and filer, each with its gRPC
_PROBE_BUCKET = "readiness"


@dataclass(frozen=True)
class S3Keys:
    access_key: str
    secret_key: str = field(repr=False)

    @classmethod
    def kept_in(cls, directory: Path) -> S3Keys:
        """Those of the server's own configuration, which is written once with mode 0600."""
        file = _config(directory)
        if not file.exists():
            keys = {"accessKey": secrets.token_hex(10), "secretKey": secrets.token_hex(20)}
            identity = {"name": "registrar", "credentials": [keys], "actions": ["Admin"]}
            written = file.with_suffix(".new")
            written.touch(mode=0o600)
            written.write_text(json.dumps({"identities": [identity]}))
            written.replace(file)
        keys = json.loads(file.read_text())["identities"][0]["credentials"][0]
        return cls(keys["accessKey"], keys["secretKey"])


def _config(directory: Path) -> Path:
    return directory / "s3.json"


def start_s3(directory: Path, ports: list[int], *, ready_within: float, held: list[int]) -> Child:
    """Start `weed` with its S3 gateway on the first of `ports`, and wait until an object can be written."""
    data = directory / "s3"
    data.mkdir(exist_ok=True)
    keys = S3Keys.kept_in(directory)
    s3, s3_grpc, master, master_grpc, volume, volume_grpc, filer, filer_grpc = ports
    child = Child(
        "weed",
        [
            *(
                str(weed_program()),
                "server",
                "-filer",
                "-s3",
                f"-s3.config={_config(directory)}",
                f"-dir={data}",
            ),
            *("-ip=127.0.0.1", "-ip.bind=127.0.0.1"),
            *(f"-s3.port={s3}", f"-s3.port.grpc={s3_grpc}"),
            *(f"-master.port={master}", f"-master.port.grpc={master_grpc}"),
            *(f"-volume.port={volume}", f"-volume.port.grpc={volume_grpc}"),
            *(f"-filer.port={filer}", f"-filer.port.grpc={filer_grpc}"),
            *("-s3.port.iceberg=0", "-s3.port.lance=0", "-s3.iam=false", "-master.telemetry=false"),
            *("-master.volumeSizeLimitMB=256", "-volume.max=1000", "-s3.cacheCapacityMB=0"),
            "-volume.preStopSeconds=0",
        ],
        directory / "weed.log",
        # It waits 15 s for its own idle connections; what it acknowledged is with the system by then.
        patience=1,
        held=held,
        # Its Unix sockets have fixed names.
        leftovers=[
            Path(f"/tmp/seaweedfs-{name}.sock")  # noqa: S108
            for name in (
                *(f"s3-{s3}", f"s3-grpc-{s3_grpc}", f"master-grpc-{master_grpc}"),
                *(f"volume-grpc-{volume_grpc}", f"filer-{filer}", f"filer-grpc-{filer_grpc}"),
            )
        ],
        # By default each bucket takes seven volumes at once.
        environment={"WEED_MASTER_VOLUME_GROWTH_COPY_1": "1"},
    )
    try:
        child.wait_until("the S3 server took an object", ready_within, lambda: _takes_objects(s3, keys))
    except BaseException:
        child.stop()
        raise
    return child


def _takes_objects(port: int, keys: S3Keys) -> bool:
    # The gateway answers before the volume server has joined, so only a written object tells.
    with urllib3.PoolManager(timeout=5, retries=False) as http:
        client = Minio(
            f"127.0.0.1:{port}",
            access_key=keys.access_key,
            secret_key=keys.secret_key,
            secure=False,
            region="us-east-1",
            http_client=http,
        )
        try:
            if not client.bucket_exists(_PROBE_BUCKET):
                client.make_bucket(_PROBE_BUCKET)
            client.put_object(_PROBE_BUCKET, "object", BytesIO(b"-"), 1)
        except (MinioException, urllib3.exceptions.HTTPError, OSError):
            return False
    return True
