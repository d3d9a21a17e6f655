"""Write the Python side of the gRPC contract anew: make proto, after a change of a .proto file.

The generated modules lie in the package, where `maskwright.v1` would be another name for it: one import is rewritten.
They need the versions of grpcio and protobuf that the tools write into them, or later ones; the extra
`maskwright[grpc]` asks for these.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

PROTO = Path(__file__).parent
SOURCE = PROTO / "maskwright" / "v1" / "maskwright.proto"
PACKAGE = PROTO.parent / "src" / "maskwright" / "serve" / "grpc_generated"
_AS_GENERATED = "from maskwright.v1 import maskwright_pb2 as"
_AS_IT_LIES = "from maskwright.serve.grpc_generated import maskwright_pb2 as"


def generated() -> dict[str, str]:
    """Generate every module, by its file's name."""
    with tempfile.TemporaryDirectory() as folder:
        outputs = [f"--{kind}_out={folder}" for kind in ("python", "pyi", "grpc_python")]
        command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{PROTO}", *outputs, str(SOURCE)]
        subprocess.run(command, check=True)
        files = sorted(Path(folder, "maskwright", "v1").iterdir())
        return {file.name: file.read_text().replace(_AS_GENERATED, _AS_IT_LIES) for file in files}


def main() -> None:
    """Write the modules."""
    for name, text in generated().items():
        (PACKAGE / name).write_text(text)


if __name__ == "__main__":
    main()
